#!/usr/bin/python3 -I
"""A hostile pilot: talks to the switch's sockets by itself. ``payload_caller.py own|others|claims-to-be PATH``.

Standard library only: it is sent along with the job. ``own`` asks its own monitor, ``others`` those of other accounts'
jobs, ``claims-to-be`` its own with another path than that of what is to be executed.
"""

import array
import os
import socket
import sys
import time

PLACE = "/run/sheepfold/payload"
OTHERS = [number for number in range(200001, 200017) if number != os.getuid()]
EVIL = b"#!/bin/sh\necho BREACH a payload ran as $(id -u)\n"


def fields(*values):
    """Values, each with its length before it."""
    return b"".join(len(value).to_bytes(4, "big") + value for value in values)


def ask(uid, path):
    """Have a payload run by one socket; the switch's answer."""
    with open("evil", "wb") as file:
        file.write(EVIL)
    descriptors = array.array("i", [0, 1, 2, os.open("evil", os.O_RDONLY)])
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(10)
        channel.connect(f"{PLACE}/{uid}")
        body = fields(b"", b"1", path)
        head = len(body).to_bytes(4, "big")
        channel.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        try:
            channel.sendall(body)
            return channel.recv(1000).decode()
        except OSError as error:
            return f"refused: {error}"


def main(way, path="evil"):
    """Make the attempts of one way; what they led to is printed."""
    end = time.monotonic() + 10
    # With the control it asks where it may.
    uids = OTHERS if way == "others" and not os.environ.get("CONTROL") else [os.getuid()]
    while True:
        answers = []
        for uid in uids:
            try:
                answers.append(ask(uid, os.fsencode(os.path.abspath(path))))
            except (FileNotFoundError, ConnectionRefusedError):
                continue
        if answers or time.monotonic() > end:
            break
        time.sleep(0.2)
    print(*(answers or ["nobody listens"]), sep="\n")


main(*sys.argv[1:])
