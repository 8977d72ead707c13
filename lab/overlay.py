"""The files that the lab adds to the Debian packages, as one reproducible archive.

`files/root` goes into every guest. `files/hosts/<set>` and what is made here from the topology wait in
`/usr/lib/lab/hosts/<host>` until the guest's first start (`files/root/usr/lib/lab-init`).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from lab import paths
from lab.topology import HOSTS, MANAGEMENT, Host, Nic, names_known_to

HOSTS_DIRECTORY = "usr/lib/lab/hosts"


def archive(ssh_public_key: str) -> bytes:
    """Return all files as a tar archive that depends on nothing but their contents."""
    entries = {"root/.ssh/authorized_keys": (ssh_public_key.encode(), 0o600)}
    entries |= dict(_tree(paths.FILES / "root", ""))
    for name, text in _link_files():
        entries[f"etc/systemd/network/{name}"] = (text.encode(), 0o644)
    for host in HOSTS:
        prefix = f"{HOSTS_DIRECTORY}/{host.name}/"
        for name in host.files:
            entries |= dict(_tree(paths.FILES / "hosts" / name, prefix))
        for name, text in _host_files(host):
            entries[prefix + name] = (text.encode(), 0o644)
        settings = f'units="{" ".join(host.units)}"\nusers="{_users(host)}"\n'
        entries[f"{HOSTS_DIRECTORY}/{host.name}.settings"] = (settings.encode(), 0o644)
    return _pack(entries)


def _users(host: Host) -> str:
    return " ".join(f"{name}:{uid}" for name, uid in host.users.items())


def _tree(top: Path, prefix: str) -> Iterator[tuple[str, tuple[bytes, int]]]:
    for path in sorted(top.rglob("*")):
        if path.is_file():
            # The mode of a work tree depends on the umask: only "executable" counts.
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            yield prefix + str(path.relative_to(top)), (path.read_bytes(), mode)


def _link_files() -> Iterator[tuple[str, str]]:
    """Interface names by MAC address, for all hosts alike."""
    macs: dict[str, list[str]] = {}
    for host in HOSTS:
        for index, card in enumerate(host.cards):
            macs.setdefault(card.name, []).append(host.mac(index))
    for name, addresses in macs.items():
        match = f"[Match]\nMACAddress={' '.join(addresses)}\nType=ether\n"
        yield f"10-{name}.link", f"{match}\n[Link]\nName={name}\nMACAddressPolicy=none\n"


def _host_files(host: Host) -> Iterator[tuple[str, str]]:
    yield "etc/hostname", f"{host.name}\n"
    hosts = "".join(f"{address}\t{names}\n" for address, names in names_known_to(host))
    yield "etc/hosts", f"127.0.0.1\tlocalhost\n{hosts}"
    yield "etc/resolv.conf", f"search {host.domain}\nnameserver {host.nameserver}\n"
    for card in host.cards:
        yield f"etc/systemd/network/20-{card.name}.network", _network(card)


def _network(card: Nic) -> str:
    lines = ["[Match]", f"Name={card.name}", "", "[Network]"]
    lines += [f"Address={address}" for address in card.addresses]
    lines += ["LinkLocalAddressing=" + ("no" if card is MANAGEMENT else "ipv6"), "IPv6AcceptRA=no"]
    lines += [f"Gateway={card.gateway}"] if card.gateway else []
    return "\n".join(lines) + "\n"


def _pack(entries: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in sorted(entries):
            content, mode = entries[name]
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
