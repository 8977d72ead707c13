"""Forbidden packets from a flocking container while something breaks, and a look at who got any of them.

What counts is seen at the targets: captures on the private hosts and in the sibling's container. Nobody else in the lab
uses these ports.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import ssh
from lab.topology import BY_NAME

SENDER = Path(__file__).parent / "files" / "flood.py"
#: A uid that is nobody's on the host: the sender has no rights there.
SENDER_UID = 60001
RATE = 100.0
DOCKER = "unix:///run/flock-docker/docker.sock"
PRIVATE_PORT = 2049
TARGETS = ("10.27.1.10", "10.27.1.1", "10.27.1.220", "10.27.1.221", "10.27.2.221")
#: (host, interface, what is a leak there, whether it is looked for in the host's flocking container)
CAPTURES = (
    ("storage", "em1", f"dst port {PRIVATE_PORT}", False),
    ("p221", "em1", f"dst port {PRIVATE_PORT}", False),
    ("p220", "em1", f"dst port {PRIVATE_PORT}", False),
    ("p221", "eth0", "src host 10.27.2.220", True),
)


@dataclass
class Flood:
    """What was sent, and what arrived where it must not."""

    sent: dict[str, Any]
    leaks: dict[str, list[str]]

    @property
    def leaked(self) -> int:
        """Number of packets that arrived."""
        return sum(len(lines) for lines in self.leaks.values())

    def said(self) -> str:
        """Return one line for people."""
        return (
            f"{self.sent['sent']} sent and {self.sent['refused']} refused, {self.sent['per_second']:.0f}/s, {self.leaked} leaks"
        )


class _Capture:
    def __init__(self, host: str, interface: str, expression: str, in_container: bool) -> None:
        inspect = f"docker --host {DOCKER} inspect --format '{{{{.State.Pid}}}}' flock_startd"
        prefix = f"nsenter -n -t $({inspect}) " if in_container else ""
        # It ends with its input, and only then does ssh: of a client that was killed, a shared connection keeps the pipes open.
        script = f"{prefix}tcpdump -l -nn -Q in -i {interface} {shlex.quote(expression)} & cat >/dev/null; kill $!; wait"
        command = ssh.command(BY_NAME[host], script)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:  # "listening on em1, …": from then on nothing is missed
            if "listening on" in line:
                return
        raise AssertionError(f"{host}: no capture on {interface}")

    def stop(self) -> list[str]:
        output, _ = self._process.communicate(timeout=120)
        # tcpdump ends a line of its own when it is told to end.
        return [line for line in output.splitlines() if line]


@contextmanager
def flood(node: str = "p220", seconds: float = 30.0) -> Iterator[Flood]:
    """Flood from the node's container for so many seconds, in which the body breaks something.

    The result is complete once the body has been left.
    """
    result = Flood({}, {})
    captures = {f"{host} {interface}": _Capture(host, interface, what, inside) for host, interface, what, inside in CAPTURES}
    targets = [f"{address}:{PRIVATE_PORT}" for address in TARGETS]
    words = ["python3", "-", str(seconds), str(RATE), str(SENDER_UID), *targets]
    with SENDER.open() as program:
        sender = subprocess.Popen(ssh.command(BY_NAME[node], *words), stdin=program, stdout=subprocess.PIPE, text=True)
    started = time.monotonic()
    try:
        time.sleep(3)
        yield result
        output, _ = sender.communicate(timeout=seconds + 60)
        result.sent = {**json.loads(output), "seconds": round(time.monotonic() - started, 1)}
        time.sleep(1)
    finally:
        if sender.poll() is None:
            sender.kill()
        for name, capture in captures.items():
            result.leaks[name] = capture.stop()
