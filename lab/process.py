"""Processes of the lab that outlive the command that starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab.say import LabError


@dataclass(frozen=True)
class Daemon:
    """One such process, known by its pid file and its command line."""

    name: str
    directory: Path

    @property
    def log(self) -> Path:
        """What the process has written."""
        return self.directory / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.directory / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Its process id while it runs."""
        try:
            pid, start = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        # A pid is used again; the time at which the process started is not.
        return int(pid) if _start_time(int(pid)) == start else None

    def start(self, command: list[str], pass_fds: tuple[int, ...] = ()) -> None:
        """Start the process in a session of its own, with an input that never ends and never says anything."""
        silence = self.directory / f"{self.name}.input"
        if not silence.exists():
            os.mkfifo(silence)
        # Mitogen keeps what it starts on one processor, and five guests on one are several times slower.
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        with self.log.open("ab") as log, silence.open("r+b", buffering=0) as quiet:
            process = subprocess.Popen(
                command,
                stdin=quiet,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=pass_fds,
                cwd=self.directory,
            )
        self._pid_file.write_text(f"{process.pid} {_start_time(process.pid)}\n")
        time.sleep(0.1)
        if process.poll() is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise LabError(f"{command[0]} for {self.name} ended at once: {last[0]} (in {self.log})")

    def stop(self, grace_s: float = 5.0) -> None:
        """End the process, at the latest after the grace by force."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            pid = self.pid()
            if pid is None:
                break
            os.kill(pid, number)
            deadline = time.monotonic() + grace_s
            while self.pid() is not None and time.monotonic() < deadline:
                time.sleep(0.05)
        self._pid_file.unlink(missing_ok=True)


def _start_time(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot (proc(5), field 22), None for none or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def resident_mib(pid: int) -> int:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0
