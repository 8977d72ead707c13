"""QEMU's machine protocol, as much of it as the lab needs."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.say import LabError


class Monitor:
    """A connection to one QEMU; use it in a `with` statement."""

    def __init__(self, path: Path, timeout_s: float = 60.0) -> None:
        """Connect, waiting a little for a QEMU that has just been started."""
        deadline = time.monotonic() + 60
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(timeout_s)
            try:
                self._socket.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError) as error:
                self._socket.close()
                if time.monotonic() > deadline:
                    raise LabError(f"no QEMU listens at {path}: {error}") from error
                time.sleep(0.05)
        self._stream = self._socket.makefile("rw")
        self._read()
        self.run("qmp_capabilities")

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._socket.close()

    def run(self, command: str, **arguments: object) -> Any:
        """Run one command and return its result."""
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._stream.flush()
        while True:
            answer = self._read()
            if "error" in answer:
                raise LabError(f"QEMU refused {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def _read(self) -> dict[str, Any]:
        line = self._stream.readline()
        if not line:
            raise LabError("QEMU closed its monitor")
        message: dict[str, Any] = json.loads(line)
        return message
