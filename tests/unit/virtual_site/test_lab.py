"""The lab's pure parts: topology, switch, files of the image, package sources."""

from __future__ import annotations

import io
import ipaddress
import tarfile

import pytest

from lab import overlay, packages, switch
from lab.say import LabError
from lab.topology import BY_NAME, HOSTS, SITE_DOMAIN, VLAN_ID


def test_numbers_macs_and_ports_are_unique() -> None:
    macs = [host.mac(index) for host in HOSTS for index, _ in enumerate(host.cards)]
    assert len(set(macs)) == len(macs)
    assert len({host.ssh_port for host in HOSTS}) == len(HOSTS)


def test_no_address_is_given_twice() -> None:
    addresses = [address for host in HOSTS for nic in host.nics for address in nic.addresses]
    assert len(set(addresses)) == len(addresses)


def test_the_outside_has_no_address_or_route_in_the_private_network() -> None:
    private = ipaddress.ip_network("10.27.0.0/16")
    for nic in BY_NAME["remote"].nics:
        assert not nic.gateway
        assert all(ipaddress.ip_interface(address).ip not in private for address in nic.addresses)


def test_only_trunk_ports_carry_the_vlan() -> None:
    commands = switch.configuration("lan").splitlines()
    tagged = {int(line.split()[-1]) for line in commands if line.startswith(f"vlan/addport {VLAN_ID} ")}
    assert tagged == {BY_NAME[name].number for name in ("submit", "p220", "p221")}
    assert f"port/create {BY_NAME['storage'].number}" in commands
    assert "port/create 5" not in commands


def _archive() -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(overlay.archive("key"))) as tar:
        return {member.name: member for member in tar.getmembers()}


def test_the_image_is_known_by_its_contents_alone() -> None:
    assert overlay.archive("key") == overlay.archive("key")
    assert overlay.archive("key") != overlay.archive("another")


def test_every_host_gets_its_files_and_root_owns_them() -> None:
    members = _archive()
    for host in HOSTS:
        for name in ("etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/systemd/network/20-mgmt.network"):
            assert f"usr/lib/lab/hosts/{host.name}/{name}" in members
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}
    assert members["usr/lib/lab-init"].mode == 0o755
    assert members["root/.ssh/authorized_keys"].mode == 0o600


def test_the_foreign_pool_knows_nothing_of_the_sites_configuration() -> None:
    ours = [name for name in _archive() if name.startswith("usr/lib/lab/hosts/remote/") and "10-site" in name]
    assert ours == []
    assert BY_NAME["remote"].domain != SITE_DOMAIN


DEB822 = """Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def test_backports_come_from_the_machines_own_mirror() -> None:
    source = packages._backports_source("bookworm", ["deb http://other.example/x nodistro main\n", DEB822])
    assert source.splitlines() == [
        "Types: deb",
        "URIs: http://mirror.example/debian",
        "Suites: bookworm-backports",
        "Components: main",
        "Signed-By: /usr/share/keyrings/k.gpg",
    ]


def test_backports_from_a_one_line_source() -> None:
    text = "# old style\ndeb [signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n"
    source = packages._backports_source("bookworm", [text])
    assert "URIs: http://mirror.example/debian\nSuites: bookworm-backports" in source
    assert source.endswith("Signed-By: /k.gpg\n")


def test_a_machine_without_its_release_in_the_sources_is_told_what_to_do() -> None:
    with pytest.raises(LabError, match="add bookworm-backports by hand"):
        packages._backports_source("bookworm", ["deb http://mirror.example/debian sid main\n"])
