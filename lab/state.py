"""Saved states of the whole lab: every guest's memory beside the disk it belongs to.

A state is a directory with `<host>.ram` (a QEMU migration stream) and `<host>.qcow2` (a disk that is read from
then on and never written to), so that any number of starts can share it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lab import paths, topology
from lab.guest import ACCELERATORS, KERNEL_PARAMETERS, Guest
from lab.namespace import Namespace
from lab.say import LabError

LOAD_TIMEOUT_S = 600.0


def prepared(guests: list[Guest]) -> Path:
    """Directory of the state in which all pools are up and nothing of ours is installed."""
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    image, accelerator = guests[0].image, guests[0].accelerator
    cpu = _host_cpu() if accelerator == "kvm" else ""
    names = [guest.host.name for guest in guests]
    parts = (image.tag, names, topology.fingerprint(), version, ACCELERATORS[accelerator], KERNEL_PARAMETERS, cpu)
    tag = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    return paths.cache() / f"lab-{tag}"


def _host_cpu() -> str:
    """A KVM guest's state fits the processor it was saved on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return "".join(line for line in lines[:30] if line.startswith(("model name", "flags")))


def exists(directory: Path) -> bool:
    """Whether the state was saved completely."""
    return (directory / "complete").exists()


def save(guests: list[Guest], directory: Path, namespaces: Sequence[Namespace] = ()) -> None:
    """Save the running guests and end them: their disks move into the state."""
    work = directory.with_name(f"{directory.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for guest in guests:
        with guest.monitor() as monitor:
            monitor.run("stop")
    for outside in namespaces:
        outside.save(work / outside.saved_as)
    for guest in guests:
        _save_memory(guest, work / f"{guest.host.name}.ram")
        guest.daemon.stop()
        shutil.move(guest.disk, work / guest.disk.name)
    (work / "complete").touch()
    shutil.rmtree(directory, ignore_errors=True)
    work.rename(directory)


def _save_memory(guest: Guest, target: Path) -> None:
    with guest.monitor() as monitor:
        monitor.run("migrate-set-parameters", **{"max-bandwidth": 0})
        monitor.run("migrate", uri=f"file:{target}")
        while True:
            progress = monitor.run("query-migrate")
            if progress["status"] == "completed":
                return
            if progress["status"] == "failed":
                raise LabError(f"{guest.host.name}: QEMU could not save it: {progress.get('error-desc')}")
            time.sleep(0.1)


def load(guests: list[Guest], directory: Path) -> None:
    """Start the guests in a saved state and let them all run on at the same moment."""
    (directory / "complete").touch()
    for guest in guests:
        guest.make_disk(directory / guest.disk.name)
        guest.start(directory / f"{guest.host.name}.ram")
    for guest in guests:
        _wait_until_loaded(guest)
    for guest in guests:
        with guest.monitor() as monitor:
            monitor.run("cont")


def _wait_until_loaded(guest: Guest) -> None:
    deadline = time.monotonic() + LOAD_TIMEOUT_S
    with guest.monitor() as monitor:
        while monitor.run("query-status")["status"] == "inmigrate":
            if time.monotonic() > deadline:
                raise LabError(f"{guest.host.name}: its saved state was not read within {LOAD_TIMEOUT_S:.0f} s")
            time.sleep(0.05)


def forget_old(keep: int = 2) -> None:
    """Delete the prepared states that were used longest ago: each is gigabytes large."""
    states = [path for path in paths.cache().glob("lab-*") if exists(path)]
    states.sort(key=lambda path: (path / "complete").stat().st_mtime, reverse=True)
    for path in states[keep:]:
        shutil.rmtree(path, ignore_errors=True)
