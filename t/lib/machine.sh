#!/bin/sh
# t/lib/machine.sh - a Debian with its own systemd, for machine.py.
#
#     unshare --mount --pid --uts --ipc --fork --kill-child t/lib/machine.sh BASE PLACE CGROUP
#
# BASE is the root folder of a Debian. It stays as it is: changes go to a tmpfs at the
# folder PLACE. The script becomes the init of that system, in a network and a control
# group (CGROUP of the unified hierarchy) of its own. All mounts are private: nothing is
# left when this process, the first of its kind, is killed.
set -eu

make_root() {
    mount -t tmpfs -o mode=755 gatehouse "$place"
    mkdir "$place/upper" "$place/work" "$root" "$place/cgroup"
    mount -t overlay -o "lowerdir=$base,upperdir=$place/upper,workdir=$place/work" gatehouse "$root"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755,nosuid gatehouse "$root/dev"
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 gatehouse "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    for node in null zero full random urandom tty; do
        : > "$root/dev/$node"
        mount --bind "/dev/$node" "$root/dev/$node"
    done
}

name_it() {
    echo "nameserver 127.0.0.1" > "$root/etc/resolv.conf"
    echo "mx.example.com" > "$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 mx.example.com mx\n' > "$root/etc/hosts"
}

enter_cgroup() {
    mount -t cgroup2 cgroup "$place/cgroup"
    mkdir "$place/cgroup/$1"
    echo 0 > "$place/cgroup/$1/cgroup.procs"
}

# Seen from its own control group, that group is the root of all.
boot() {
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
    mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=755,nosuid,nodev gatehouse "$root/run"
    cd "$root"
    pivot_root . mnt
    umount -l mnt
    mount --make-rshared /
    exec env -i container=gatehouse PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init
}

if [ "$1" = boot ]; then
    root=$2
    boot
fi
base=$1
place=$2
root=$place/root
make_root
name_it
enter_cgroup "$3"
exec unshare --net --cgroup --mount "$0" boot "$root"
