#!/bin/sh
# The first process of a host in namespaces of its own, as their root: plugs the cards into the switches, makes the root
# directory and starts the host's system there (lab/namespace.py, /usr/lib/lab/namespace-init in the image).
#
#   enter.sh try   IMAGE DIRECTORY
#   enter.sh start IMAGE DIRECTORY SAVED NAME SSH_SOCKET UNITS [CARD MAC SWITCH PORT ADDRESSES]...
#
# IMAGE is the guests' root file system, only read from; DIRECTORY an empty one, SAVED an archive of what the host had written.
set -eu
what=$1 image=$2 directory=$3
shift 3

fail() {
    echo "$1" >&2
    exit 1
}

[ -d "$image" ] || fail "$image is not there"
[ -r /dev/net/tun ] && [ -w /dev/net/tun ] || fail "/dev/net/tun cannot be opened: a card of the host's takes it"
mount -t tmpfs -o mode=0755,size=2g lab "$directory"
mkdir "$directory/written" "$directory/work" "$directory/root"
root=$directory/root
if [ "$what" = start ] && [ -n "$1" ]; then
    tar -x -p --xattrs --xattrs-include='*' --numeric-owner -C "$directory/written" -f "$1"
fi
layers=lowerdir=$image,upperdir=$directory/written,workdir=$directory/work
mount -t overlay -o "$layers,userxattr" overlay "$root" 2>/dev/null || mount -t overlay -o "$layers" overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=0755 dev "$root/dev"
for name in null zero full random urandom tty; do
    : >"$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for name in 0:stdin 1:stdout 2:stderr; do
    ln -s "/proc/self/fd/${name%%:*}" "$root/dev/${name#*:}"
done
mount -t tmpfs -o mode=0755 run "$root/run"
mkdir -m 0700 "$root/run/lab-written"
mount --bind "$directory/written" "$root/run/lab-written"
[ "$what" = start ] || exit 0

saved=$1 host=$2 ssh_socket=$3 units=$4
shift 4
if [ -z "$saved" ]; then
    # The image's files belong to whoever unpacked it; some have owners of their own.
    while read -r owner mode path; do
        chown -h "$owner" "$root/$path"
        [ -h "$root/$path" ] || chmod "$mode" "$root/$path"
    done <"$image.owners"
fi
hostname "$host"
ip link set lo up
while [ $# -gt 0 ]; do
    card=$1 mac=$2 switch=$3 port=$4 addresses=$5
    shift 5
    vde_plug2tap -s "$switch" -p "$port" "$card" &
    tries=0
    until [ -e "/proc/sys/net/ipv4/conf/$card" ]; do
        kill -0 $! && [ "$((tries += 1))" -le 100 ] || fail "$card: not plugged into $switch"
        sleep 0.1
    done
    ip link set "$card" address "$mac" up
    for address in $addresses; do
        ip address add "$address" dev "$card"
    done
done
cd "$root"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 LAB_HOST="$host" LAB_SYSTEM=/usr/lib/lab/namespace-init \
    LAB_SSH_SOCKET="$ssh_socket" LAB_UNITS="$units" \
    unshare --mount sh -euc 'pivot_root . . && umount -l . && cd / && exec /usr/lib/lab-init'
