#!/bin/sh
# Nothing but a shell is asked of the machine that runs this.
echo "user=$(id -un 2>/dev/null || id -u) uid=$(id -u)"
echo "host=$(cat /proc/sys/kernel/hostname)"
echo "address=$(awk '/32 host/ { print a } { a = $2 }' /proc/net/fib_trie | sort -u | grep -v '^127\.' | tr '\n' ' ')"
