"""The guests' disk image: Debian trixie by mmdebstrap, cached under a hash of its definition."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab import overlay, paths
from lab.say import LabError, note, step

SUITE = "trixie"
DISK_MIB = 6144
INODES = 131072
PACKAGES = (
    *("systemd", "systemd-sysv", "udev", "dbus", "kmod", "linux-image-cloud-amd64", "zstd"),
    *("openssh-server", "ca-certificates", "curl", "openssl", "procps", "less", "e2fsprogs"),
    *("python3", "python3-apt", "python3-docker", "python3-requests", "python3-rich", "python3-prometheus-client"),
    *("condor", "docker.io", "docker-cli", "containerd", "iptables", "uidmap", "userv"),
    *("nftables", "iproute2", "ethtool", "iputils-ping", "iputils-arping", "conntrack"),
    *("tcpdump", "socat", "dnsmasq-base", "busybox-static", "ulogd2", "iperf3"),
)
# Kept small because every byte is read through an emulated disk.
DPKG_EXCLUDES = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")

NOT_IN_NAMESPACES = ("dev/*", "run/*", "boot/*", "usr/lib/modules/*", "usr/lib/firmware/*")

# /dev stays empty: an ordinary user may not make devices, and the kernel brings its own (devtmpfs).
_MAKE_DISK = """
set -eu
exec 3>&1 1>&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
tar -x --numeric-owner --exclude='./dev/*' -C "$work/root" -f -
cp "$work"/root/boot/vmlinuz-* "$work/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$work/initrd"
mke2fs -q -t ext4 -L lab -N "$INODES" -J size=16 \
    -E lazy_itable_init=0,lazy_journal_init=0 -d "$work/root" "$work/disk" "${DISK_MIB}M"
tar -c -S -C "$work" -f - vmlinuz initrd disk >&3
"""


@dataclass(frozen=True)
class Image:
    """A finished image in the cache."""

    directory: Path

    @property
    def tag(self) -> str:
        """The hash of the image's definition."""
        return self.directory.name.removeprefix("guest-")

    @property
    def disk(self) -> Path:
        """The disk, qcow2, never written to again."""
        return self.directory / "disk.qcow2"

    @property
    def root(self) -> Path:
        """The same files as on the disk, for hosts without a kernel of their own; beside it their owners."""
        return self.directory / "root"

    @property
    def kernel(self) -> Path:
        """The guest's kernel."""
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The guest's initial RAM disk."""
        return self.directory / "initrd"

    @property
    def ssh_key(self) -> Path:
        """The private key that opens every guest as root."""
        return self.directory / "ssh_key"


def definition() -> str:
    """A hash of all that goes into the image, without its random keys."""
    parts = (SUITE, DISK_MIB, INODES, PACKAGES, DPKG_EXCLUDES, _MAKE_DISK, NOT_IN_NAMESPACES)
    digest = hashlib.sha256(repr(parts).encode())
    digest.update(overlay.archive(ssh_public_key=""))
    return digest.hexdigest()[:12]


def current() -> Image:
    """The image of the present definition, whether it exists or not."""
    return Image(paths.cache() / f"guest-{definition()}")


def ensure() -> Image:
    """Return the image; build it when it is not in the cache."""
    image = current()
    paths.cache().mkdir(parents=True, exist_ok=True)
    # Clones share the cache: the second one waits for what the first one builds.
    with (paths.cache() / "guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if image.disk.exists():
            note(f"guest image {image.tag}: from the cache")
            return image
        with step(f"guest image {image.tag}: building from Debian {SUITE} packages"):
            _build(image)
    return image


def _build(image: Image) -> None:
    work = image.directory.with_suffix(f".{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        key = Image(work).ssh_key
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key)])
        public_key = key.with_suffix(".pub").read_text()
        (work / "overlay.tar").write_bytes(overlay.archive(public_key))
        with step("root file system"):
            _bootstrap(work)
        with step("disk"):
            _make_disk(work)
        with step("files for hosts in namespaces"):
            _unpack(work)
        for name in ("overlay.tar", "root.tar", "disk"):
            (work / name).unlink()
        work.rename(image.directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _bootstrap(work: Path) -> None:
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in DPKG_EXCLUDES]
    # Before the packages: the initrd is made while they are installed.
    command.append(f"--essential-hook=tar-in {work}/overlay.tar /")
    # And after them: they bring configuration files of their own.
    command.append(f"--customize-hook=tar-in {work}/overlay.tar /")
    command.append('--customize-hook=chroot "$1" sh /usr/lib/lab/build')
    _run([*command, SUITE, "root.tar"], cwd=work)


def _unpack(work: Path) -> None:
    """Unpack the files as this user's own, so that an ordinary user may delete them; note who else owns which."""
    root = Image(work).root
    root.mkdir()
    excluded = [f"--exclude=./{part}" for part in NOT_IN_NAMESPACES]
    _run(["tar", "-x", "-p", "--no-same-owner", *excluded, "-C", str(root), "-f", "root.tar"], cwd=work)
    with tarfile.open(work / "root.tar", "r:") as archive:
        lines = [
            f"{member.uid}:{member.gid} {member.mode:o} {member.name}\n"
            for member in archive
            if (member.uid or member.gid) and (root / member.name).exists()
        ]
    root.with_suffix(".owners").write_text("".join(lines))


def _make_disk(work: Path) -> None:
    # An ordinary user owns the files' uids in a user namespace only.
    helper = [] if os.getuid() == 0 else ["mmdebstrap", "--unshare-helper"]
    environment = {**os.environ, "INODES": str(INODES), "DISK_MIB": str(DISK_MIB)}
    with (work / "root.tar").open("rb") as root:
        made = subprocess.Popen(
            [*helper, "sh", "-c", _MAKE_DISK],
            stdin=root,
            stdout=subprocess.PIPE,
            env=environment,
            cwd="/",
        )
    _run(["tar", "-x", "-S", "--no-same-owner", "-C", str(work), "-f", "-"], stdin=made.stdout)
    if made.wait() != 0:
        raise LabError("the guest's disk could not be made; see the messages above")
    _run(["qemu-img", "convert", "-q", "-O", "qcow2", "disk", "disk.qcow2"], cwd=work)


def _run(command: list[str], cwd: Path | None = None, stdin: IO[bytes] | None = None) -> None:
    result = subprocess.run(command, cwd=cwd, stdin=stdin, check=False)
    if result.returncode != 0:
        raise LabError(f"{command[0]} ended with {result.returncode}; see the messages above")
