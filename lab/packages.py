"""The Debian packages that the host needs; installing them is all that takes root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab.say import LabError, note, step

QEMU_MAJOR = 10
"""QEMU 7.2 (Debian 12's own) panics guests as soon as dockerd starts."""
QEMU_PACKAGES = ("qemu-system-x86", "qemu-utils")
COMMANDS = {
    "mmdebstrap": "mmdebstrap",
    "vde_switch": "vde2",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "newuidmap": "uidmap",
    "nft": "nftables",
    "ip": "iproute2",
    "tcpdump": "tcpdump",
    "conntrack": "conntrack",
    "skopeo": "skopeo",
}
KEYRING = "debian-archive-keyring"
SOURCES = Path("/etc/apt/sources.list.d")


def ensure() -> None:
    """Install what is missing."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [package for command, package in COMMANDS.items() if not shutil.which(command, path=path)]
    old_qemu = _qemu_major() < QEMU_MAJOR or not shutil.which("qemu-img")
    if not missing and not old_qemu:
        note("host packages: all there")
        return
    wanted = [*missing, *(QEMU_PACKAGES if old_qemu else ())]
    if os.getuid() != 0:
        raise LabError(f"packages are missing ({', '.join(wanted)}): run `sudo python3 -m lab packages`")
    with step(f"host packages: installing {', '.join(wanted)}"):
        _apt("update")
        release = _backports() if old_qemu and _candidate_major() < QEMU_MAJOR else ""
        if old_qemu:
            _install([*QEMU_PACKAGES], release)
        _install([*missing, KEYRING], "")
    if _qemu_major() < QEMU_MAJOR:
        raise LabError(f"QEMU {_qemu_major()} is installed; expected {QEMU_MAJOR} or newer")


def _qemu_major() -> int:
    if not shutil.which("qemu-system-x86_64"):
        return 0
    text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)", text)
    return int(found.group(1)) if found else 0


def _candidate_major() -> int:
    text = subprocess.run(["apt-cache", "policy", QEMU_PACKAGES[0]], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Candidate: (?:\d+:)?(\d+)", text)
    return int(found.group(1)) if found else 0


def _backports() -> str:
    """Make the machine's own mirror offer backports; return the release's name."""
    codename = _codename()
    release = f"{codename}-backports"
    if not any(release in text for text in _source_texts()):
        target = SOURCES / "sheepfold-backports.sources"
        target.write_text(_backports_source(codename, list(_source_texts())))
        note(f"wrote {target}: QEMU {QEMU_MAJOR} comes from {release}")
        _apt("update")
    return release


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise LabError("/etc/os-release has no VERSION_CODENAME: the lab's host must be Debian 12 or newer")


def _source_texts() -> list[str]:
    files = [SOURCES.parent / "sources.list", *SOURCES.glob("*.sources"), *SOURCES.glob("*.list")]
    return [path.read_text() for path in files if path.exists()]


def _backports_source(codename: str, texts: list[str]) -> str:
    """The backports entry for the mirror from which this machine has its release."""
    for text in texts:
        for stanza in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.+)$", stanza, re.MULTILINE))
            if codename in fields.get("Suites", "").split():
                signed = f"Signed-By: {fields['Signed-By']}\n" if "Signed-By" in fields else ""
                return f"Types: deb\nURIs: {fields['URIs']}\nSuites: {codename}-backports\nComponents: main\n{signed}"
        line = re.search(rf"^deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+{codename}\s", text, re.MULTILINE)
        if line:
            key = re.search(r"signed-by=(\S+)", line.group(1) or "")
            signed = f"Signed-By: {key.group(1)}\n" if key else ""
            return f"Types: deb\nURIs: {line.group(2)}\nSuites: {codename}-backports\nComponents: main\n{signed}"
    raise LabError(f"no package source of this machine names {codename}: add {codename}-backports by hand")


def _install(packages: list[str], release: str) -> None:
    target = ["--target-release", release] if release else []
    _apt("install", "--yes", "--no-install-recommends", *target, *packages)


def _apt(*words: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(["apt-get", "--quiet", "--quiet", *words], env=environment, check=False)
    if result.returncode != 0:
        raise LabError(f"apt-get {words[0]} ended with {result.returncode}; see the messages above")
