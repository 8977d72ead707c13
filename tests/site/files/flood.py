#!/usr/bin/python3
"""Runs on a compute node: sends forbidden packets from its flocking container's network namespace, at a steady rate.

Arguments: SECONDS PACKETS_PER_SECOND UID ADDRESS:PORT [ADDRESS:PORT ...]; prints one JSON object at the end. Where the
container is gone for a moment the seconds without it are counted and it is looked for again. Nothing is sent but one UDP
datagram or one TCP SYN per step.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

CLONE_NEWNET = 0x40000000
SOCKET = "unix:///run/flock-docker/docker.sock"
PAYLOAD = b"sheepfold flood"


def container_pid() -> int:
    command = ["docker", "--host", SOCKET, "inspect", "--format", "{{.State.Pid}}", "flock_startd"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except subprocess.TimeoutExpired:
        return 0
    return int(answer.stdout or 0) if answer.returncode == 0 else 0


def enter(pid: int) -> None:
    with Path(f"/proc/{pid}/ns/net").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def burst(pid: int, uid: int, targets: "list[tuple[str, int]]", until: float, rate: float) -> "dict[str, int]":
    """In a child: send until the time given; the counts go to the parent through a pipe."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        counts = {"sent": 0, "refused": 0}
        try:
            enter(pid)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            step = 0
            begun = time.monotonic()
            held = []
            while time.monotonic() < until:
                address, port = targets[step // 2 % len(targets)]
                kind = (socket.SOCK_DGRAM, socket.SOCK_STREAM)[step % 2]
                one = socket.socket(socket.AF_INET, kind)
                one.setblocking(False)
                try:
                    if kind == socket.SOCK_DGRAM:
                        one.sendto(PAYLOAD, (address, port))
                    else:
                        one.connect_ex((address, port))
                    counts["sent"] += 1
                except OSError:
                    counts["refused"] += 1
                held.append(one)  # closed a second later, so that the SYN has left
                if len(held) > rate:
                    held.pop(0).close()
                step += 1
                time.sleep(max(0.0, begun + step / rate - time.monotonic()))
        except OSError:
            pass
        os.write(writing, json.dumps(counts).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    counted: dict[str, int] = json.loads(text) if text else {"sent": 0, "refused": 0}
    return counted


def main() -> None:
    seconds, rate, uid = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    targets = [(word.rsplit(":", 1)[0], int(word.rsplit(":", 1)[1])) for word in sys.argv[4:]]
    end = time.monotonic() + seconds
    total: dict[str, float] = {"sent": 0, "refused": 0, "seconds_without_container": 0.0}
    sending = 0.0
    pid = 0
    while time.monotonic() < end:
        if not pid or not Path(f"/proc/{pid}/ns/net").exists():
            looked = time.monotonic()
            pid = container_pid()
            if not pid:
                time.sleep(0.2)
                total["seconds_without_container"] += time.monotonic() - looked
                continue
        begun = time.monotonic()
        counts = burst(pid, uid, targets, min(end, begun + 2), rate)
        sending += time.monotonic() - begun
        for key, count in counts.items():
            total[key] += count
    total["per_second"] = round((total["sent"] + total["refused"]) / sending, 1) if sending else 0.0
    print(json.dumps(total))


main()
