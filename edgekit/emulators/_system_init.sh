#!/bin/busybox sh
# First process of a system-mode device, from the initramfs: load virtio, mount the disk, hand over to its init.
bb=/bin/busybox

$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    $bb insmod "$module"
done
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 100 ]; do
    $bb usleep 50000
    tries=$((tries + 1))
done

# The journal is replayed here after a power cut. Inode tables stay as mke2fs left them: filling them costs disk and time.
$bb mount -t ext4 -o noatime,noinit_itable /dev/vda /root || exec $bb poweroff -f
[ -e /root/etc/inittab ] || $bb cp -a /files/. /root/

# QEMU's user network: the host reaches port 22 of this address.
$bb ifconfig lo 127.0.0.1 up
$bb ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up

for mount in proc sys dev; do
    $bb mount --move /$mount /root/$mount
done
exec $bb switch_root /root /sbin/init
