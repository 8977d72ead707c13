"""Commands in guests."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from lab import paths
from lab.say import LabError
from lab.topology import Host

KEY = paths.RUN / "ssh_key"


def command(host: Host, *words: str, key: Path = KEY) -> list[str]:
    """The ssh command line for one host."""
    options = ["-F", "none", "-i", str(key), "-p", str(host.ssh_port), "-o", "BatchMode=yes"]
    # The guests' keys are new with each image and the connection never leaves loopback.
    options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    options += ["-o", "LogLevel=ERROR", "-o", "ConnectTimeout=90", "-o", "IdentitiesOnly=yes"]
    # One lasting connection: to set one up costs an emulated guest a second of its processor, of a busy machine half a minute.
    options += ["-o", "ControlMaster=auto", "-o", f"ControlPath={paths.sockets()}/ssh-{host.number}", "-o", "ControlPersist=120"]
    options += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
    return ["ssh", *options, "root@127.0.0.1", *words]


def run(host: Host, script: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a guest; never raises for its exit code."""
    try:
        return subprocess.run(
            command(host, "sh", "-s"),
            input=script,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 255, "", f"no answer within {timeout_s:.0f} s")


def wait_for(host: Host, script: str, timeout_s: float, what: str) -> str:
    """Repeat a script until it succeeds; return its output."""
    deadline = time.monotonic() + timeout_s
    while True:
        # Generous: whoever gives up while a slow guest answers has it begin anew.
        result = run(host, script, timeout_s=120)
        if result.returncode == 0:
            return result.stdout
        if time.monotonic() > deadline:
            detail = (result.stderr or result.stdout).strip().splitlines()[-1:] or ["no message"]
            raise LabError(f"{host.name}: {what} not seen within {timeout_s:.0f} s: {detail[0]}")
        time.sleep(1)
