#!/bin/sh
# Nothing but a shell is asked of the machine that runs this.
echo "user=$(id -un 2>/dev/null) uid=$(id -u)"
read -r host </proc/sys/kernel/hostname
echo "host=$host"
seen=" "
while read -r first second _; do
    case $first in
        '|--' | '+--') address=$second ;;
        /32)
            [ "$second" = host ] || continue
            case $address in 127.*) continue ;; esac
            case $seen in *" $address "*) continue ;; esac
            seen="$seen$address "
            ;;
    esac
done </proc/net/fib_trie
echo "address=$seen"
