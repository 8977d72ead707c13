#!/usr/bin/python3 -I
"""Another user's job, to be attacked: it has a secret in its environment and its directory, and listens at two sockets."""

import contextlib
import os
import socket
import threading

SECONDS = 300


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
if os.environ.get("CARELESS"):
    # Readable by all, with the directory that it is in.
    with open("credential", "w") as file:
        file.write("credential of bob")
    os.chmod("credential", 0o644)
    with contextlib.suppress(PermissionError):
        # Not its own with driver userv.
        os.chmod(".", 0o755)
for address in ("socket", "\0bobs-job"):
    threading.Thread(target=serve, args=(address,), daemon=True).start()
threading.Event().wait(SECONDS)
