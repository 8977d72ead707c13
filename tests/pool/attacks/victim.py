#!/usr/bin/python3 -I
"""Another user's job, to be attacked: it has a secret in its environment and its directory, and listens at two sockets."""

import os
import socket
import threading

SECONDS = 60


def serve(address):
    """Tell whoever connects."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    if not address.startswith("\0"):
        os.chmod(address, 0o666)
    listener.listen(8)
    listener.settimeout(SECONDS)
    while True:
        listener.accept()[0].sendall(b"secret of bob")


with open("secret", "w") as file:
    file.write("secret of bob")
for address in ("socket", "\0bobs-job"):
    threading.Thread(target=serve, args=(address,), daemon=True).start()
threading.Event().wait(SECONDS)
