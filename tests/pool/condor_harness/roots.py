"""Root file systems with HTCondor, made of Debian packages and kept between runs.

A root is keyed by a hash of its definition: a changed definition makes a new one, a missing one is made
again. Nothing writes into a finished root; pools work on an overlay above it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUITES = {
    "trixie": "23.9.6",
    "sid": "25",
}
"""Suite of Debian → the version of HTCondor that it is expected to start with."""

VERSIONS = list(SUITES) if os.environ.get("SHEEPFOLD_FULL") == "1" else ["trixie"]
"""The suites that tests run on: the lab's by default, each of them in `make test-all`."""

PACKAGES = ["condor", "iproute2", "python3", "procps"]

# What an execute point without privileges needs beside HTCondor (newuidmap, userv, a static shell, sshd for
# condor_ssh_to_job), and what a job may try on it (cron, at, sudo).
EXECUTE_PACKAGES = [*PACKAGES, "acl", "at", "busybox-static", "cron", "openssh-server", "strace", "sudo", "uidmap", "userv"]

# A mirror may serve a snapshot that is older than its own validity (a machine that is kept off the network, a frozen
# mirror). The signature is still checked; only the date is not, and these roots are never exposed to anything.
APT_OPTIONS = ['Acquire::Check-Valid-Until "false"']

# The job users of the tests, and one user per slot as in the flocking image.
_USERS = [("alice", 50001), ("bob", 50002), *((f"flockslot{n}", 60000 + n) for n in range(1, 17))]


@dataclass(frozen=True)
class Root:
    """One finished root file system."""

    suite: str
    path: Path
    version: str


def _cache() -> Path:
    return Path(os.environ.get("SHEEPFOLD_CACHE") or Path.home() / ".cache" / "sheepfold")


def _definition(suite: str, packages: Sequence[str]) -> list[str]:
    command = ["mmdebstrap", "--variant=minbase", "--quiet", f"--include={','.join(packages)}"]
    command += [f"--aptopt={option}" for option in APT_OPTIONS]
    for user, uid in _USERS:
        line = f"{user}:x:{uid}:{uid}::/home/{user}:/bin/sh"
        command.append(
            f'--customize-hook=echo "{line}" >>"$1/etc/passwd"; echo "{user}:x:{uid}:" >>"$1/etc/group"; '
            f'install -d -o {uid} -g {uid} "$1/home/{user}"'
        )
    return [*command, suite]


def _made(label: str, definition: list[str]) -> Path:
    """A root of a definition, built when it is not in the cache yet. Raises CalledProcessError."""
    digest = hashlib.sha256(json.dumps(definition).encode()).hexdigest()[:12]
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{label}-{digest}"
    with (cache / f"{label}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            print(f"building the root {path} (about a minute)", flush=True)
            # Beside its final place, and renamed when complete: an interrupted build leaves no half root.
            work = Path(tempfile.mkdtemp(prefix=f".{label}-", dir=cache))
            try:
                subprocess.run(["nice", *definition, str(work / "root")], check=True)
                (work / "root").rename(path)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return path


def _version(path: Path, package: str) -> str:
    answer = subprocess.run(
        ["chroot", str(path), "dpkg-query", "-W", "-f", "${Version}", package], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip().split("+")[0]


def build_root(suite: str) -> Root:
    """The root of ``suite`` with HTCondor, built when it is not there yet (about 45 s). Raises CalledProcessError."""
    path = _made(f"condor-{suite}", _definition(suite, PACKAGES))
    return Root(suite=suite, path=path, version=_version(path, "condor"))


def build_execute_root(suite: str) -> Root:
    """The root of ``suite`` for an execute point without privileges (see EXECUTE_PACKAGES). Raises CalledProcessError."""
    path = _made(f"execute-{suite}", _definition(suite, EXECUTE_PACKAGES))
    return Root(suite=suite, path=path, version=_version(path, "condor"))


def build_systemd_root(suite: str = "trixie") -> Root:
    """A root with HTCondor and systemd, built when it is not there yet. Raises CalledProcessError."""
    path = _made(f"systemd-{suite}", _definition(suite, [*PACKAGES, "systemd-sysv"]))
    return Root(suite=suite, path=path, version=_version(path, "condor"))


def build_systemd_execute_root(suite: str = "trixie") -> Root:
    """A root for an execute point without privileges, with systemd. Raises CalledProcessError."""
    path = _made(f"systemd-execute-{suite}", _definition(suite, [*EXECUTE_PACKAGES, "python3-apt", "systemd-sysv"]))
    return Root(suite=suite, path=path, version=_version(path, "condor"))


def build_icinga_root(suite: str = "trixie") -> Root:
    """A root with Icinga 2 alone, built when it is not there yet. Raises CalledProcessError."""
    packages = "icinga2-bin,icinga2-common"
    command = ["mmdebstrap", "--variant=minbase", "--quiet", f"--include={packages}"]
    path = _made(f"icinga-{suite}", [*command, *(f"--aptopt={option}" for option in APT_OPTIONS), suite])
    return Root(suite=suite, path=path, version=_version(path, "icinga2-bin"))
