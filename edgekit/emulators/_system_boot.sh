#!/bin/busybox sh
# Each boot of a system-mode device, before sshd: temporary file systems, and what the machine says it is.
bb=/bin/busybox
machine=/usr/lib/edgekit-machine

$bb mount -t tmpfs -o mode=755,nosuid,nodev run /run
$bb mkdir -p /dev/pts /dev/shm /run/sshd
$bb mount -t devpts -o ptmxmode=0666,mode=620 devpts /dev/pts
$bb mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
$bb mount -t cgroup2 cgroup2 /sys/fs/cgroup 2> /dev/null

# A new disk has no keys yet, and sshd does not start without: take those of the second disk.
[ -e /etc/edgekit/identified ] || $bb tar -x -f /dev/vdb -C /
$bb hostname -F /etc/hostname
for path in firmware/devicetree/base/model class/thermal devices/system/cpu; do
    $bb mount --bind $machine/sys/$path /sys/$path
done
