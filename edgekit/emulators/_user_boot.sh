#!/bin/sh
# Switches a user-mode device on: runs as PID 1 of its own mount, PID, UTS and IPC namespaces, and becomes its sshd.
# Usage: _user_boot.sh FOLDER LOWER NAME PORT CPU BOOT_ID CGROUP
#   LOWER names the read-only layers, topmost first, with colons between.
#   FOLDER/disk is a tmpfs of the host with upper/ and work/; FOLDER/root is where the device is assembled.
set -eu
umask 022
folder=$1 lower=$2 name=$3 port=$4 cpu=$5 boot_id=$6 cgroup=$7

# "0" means the writer itself; everything below inherits the group.
[ -z "$cgroup" ] || echo 0 > "$cgroup/cgroup.procs"

mount -t overlay -o "lowerdir=$lower,upperdir=$folder/disk/upper,workdir=$folder/disk/work" edgekit "$folder/root"
cd "$folder/root"
hostname "$name"

machine=usr/lib/edgekit-machine
mount -t proc proc proc
for file in cpuinfo meminfo; do
    mount --bind "$machine/proc/$file" "proc/$file"
done
mount --bind "$boot_id" proc/sys/kernel/random/boot_id
mount --bind "$machine/sys" sys

mount -t tmpfs -o size=64k,mode=755,nosuid dev dev
for node in null zero full random urandom tty; do
    : > "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
mount -t tmpfs -o mode=755,nosuid,nodev run run
mkdir run/sshd

# The device's root is the host's root: keep it from the clock, the kernel's modules and raw hardware.
exec env -i PATH="$PATH" QEMU_CPU="$cpu" \
    setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-sys_boot \
    chroot . /usr/sbin/sshd -D -e -p "$port" -o ListenAddress=127.0.0.1
