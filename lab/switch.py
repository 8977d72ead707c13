"""The lab's Ethernet switches: VDE, which knows 802.1Q and needs no privileges."""

from __future__ import annotations

from pathlib import Path

from lab import paths
from lab.process import Daemon
from lab.topology import HOSTS, VLAN_ID


def daemon(network: str) -> Daemon:
    """The switch of one network."""
    return Daemon(f"switch-{network}", paths.RUN)


def socket_directory(network: str) -> Path:
    """Where guests plug in."""
    return paths.sockets() / f"switch-{network}"


def configuration(network: str) -> str:
    """The switch's commands: a port per guest, the VLAN tagged on the trunks only."""
    lines = [f"vlan/create {VLAN_ID}"]
    for host in HOSTS:
        for nic in host.nics:
            if nic.network == network:
                lines.append(f"port/create {host.number}")
                if nic.tagged:
                    lines.append(f"vlan/addport {VLAN_ID} {host.number}")
    return "\n".join(lines) + "\n"


def start(network: str) -> None:
    """Start the switch unless it runs."""
    switch = daemon(network)
    if switch.pid() is not None:
        return
    commands = paths.RUN / f"switch-{network}.rc"
    commands.write_text(configuration(network))
    management = paths.sockets() / f"switch-{network}.mgmt"
    management.unlink(missing_ok=True)
    switch.start(["vde_switch", "-s", str(socket_directory(network)), "-M", str(management), "-f", str(commands)])
