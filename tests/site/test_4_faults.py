"""Faults: while something is broken, and after, nothing forbidden leaves the flock; and what mends itself is mended.

Each fault has forbidden packets sent through it (tests/site/flood.py). `make test-site` tries the first two, one on a gateway and
one on a node, `make test-site-full` all.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab import jobs, ssh
from lab.say import LabError
from lab.topology import BY_NAME

from .flood import flood
from .full import FULL
from .plays import ROOT
from .report import SEEN

DOCKER = "docker --host unix:///run/flock-docker/docker.sock"
#: Packets a second, of 100 that are meant: an emulated node of a busy machine sends fewer, and all else there slows down with it.
LEAST_RATE = 20.0


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong on a host.

    Attributes:
        breaks: shell script that breaks it; for a lab action instead, the arguments of `python3 -m lab`.
        mends: shell script an administrator would mend it with; empty where it must mend itself.
        reboots: the host goes down and comes back.
        stops_container: the container has to stop with it, and is closed to foreign jobs when it runs again.
    """

    name: str
    host: str
    breaks: str
    mends: str = ""
    lab: tuple[tuple[str, ...], ...] = ()
    reboots: bool = False
    stops_container: bool = False
    seconds: float = 25.0


FAULTS = [
    # The site's own rules are the site's to mend; reloading them flushes ours once more.
    Fault("foreign nft flush ruleset on the gateway", "submit", "nft flush ruleset", "systemctl restart nftables"),
    Fault(
        "the port filter's unit stopped on the node",
        "p220",
        "systemctl stop flock-port",
        "systemctl start flock-startd",
        stops_container=True,
    ),
]
MORE_FAULTS = [
    Fault("the flock's dockerd restarted", "p220", "systemctl restart flock-docker", seconds=60),
    Fault("foreign nft flush ruleset on the node", "p220", "nft flush ruleset", "systemctl restart nftables"),
    Fault("the site's firewall reloaded on the gateway", "submit", "systemctl restart nftables"),
    Fault("the site's firewall reloaded on the node", "p220", "systemctl restart nftables"),
    Fault("the gateway's unit stopped", "submit", "systemctl stop flock-gateway", "systemctl start flock-gateway"),
    Fault(
        "the gateway's guard killed, then the rules flushed",
        "submit",
        "systemctl kill -s KILL flock-gateway-guard; nft flush ruleset",
        "systemctl restart nftables",
    ),
    Fault(
        "the node's guard killed, then the rules flushed",
        "p220",
        "systemctl kill -s KILL flock-port-guard; nft flush ruleset",
        "systemctl restart nftables",
    ),
    Fault("the gateway's subinterface down and up", "submit", "ip link set em1.2512 down; sleep 3; ip link set em1.2512 up"),
    Fault("the node's subinterface down and up", "p220", "ip link set em1.2512 down; sleep 3; ip link set em1.2512 up"),
    Fault("the node's cable out and in", "p220", "", lab=(("link", "p220", "em1", "down"), ("link", "p220", "em1", "up"))),
    Fault("ip_forward=1 on the node", "p220", "sysctl -q net.ipv4.ip_forward=1", "sysctl -q net.ipv4.ip_forward=0"),
    Fault(
        "every sysctl of the subinterface at its worst",
        "p220",
        "for k in rp_filter arp_ignore; do sysctl -q net.ipv4.conf.em1/2512.$k=0; done;"
        " sysctl -q net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.em1/2512.forwarding=1",
        "systemctl restart flock-vlan; systemctl start flock-startd",
    ),
    Fault("the container killed", "p220", f"{DOCKER} kill flock_startd", seconds=45),
    Fault("the site's own dockerd restarted", "p220", "systemctl restart docker", seconds=45),
    Fault("the gateway rebooted", "submit", "systemctl reboot", reboots=True, seconds=150),
    Fault("the node rebooted", "p220", "systemctl reboot", reboots=True, seconds=150),
    Fault("the other node rebooted", "p221", "systemctl reboot", reboots=True, seconds=150),
]


def _control(node: str) -> str:
    """Return a script that succeeds when the node's flocking container reaches the Internet's stand-in."""
    connect = 'import socket; socket.create_connection(("203.0.113.80", 443), 5)'
    return f"nsenter -n -t $({DOCKER} inspect --format '{{{{.State.Pid}}}}' flock_startd) python3 -c '{connect}'"


def _wait_until_mended(node: str, timeout_s: float) -> float:
    started = time.monotonic()
    script = (
        f"set -e; nft list table netdev flock_port >/dev/null; {_control(node)};"
        " systemctl is-active --quiet flock-port-guard flock-docker flock-startd"
    )
    while True:
        try:
            jobs.on(node, script, timeout_s=120)
            return time.monotonic() - started
        except LabError as error:
            if time.monotonic() - started > timeout_s:
                raise AssertionError(f"{node} is not mended after {timeout_s:.0f} s: {error}") from error
            time.sleep(3)


def _break(fault: Fault) -> None:
    for words in fault.lab:
        subprocess.run([sys.executable, "-m", "lab", *words], cwd=ROOT, check=True, timeout=60)
        time.sleep(4)
    if fault.reboots:
        boot = jobs.on(fault.host, "cat /proc/sys/kernel/random/boot_id")
        with contextlib.suppress(LabError):  # the connection ends with the host
            jobs.on(fault.host, fault.breaks, timeout_s=20)
        booted = f'test "$(cat /proc/sys/kernel/random/boot_id)" != {boot.strip()}'
        ssh.wait_for(BY_NAME[fault.host], booted, jobs.WAIT_S, "a new boot")
    if fault.breaks:
        jobs.on(fault.host, fault.breaks)


def _assert_stopped(node: str) -> None:
    running = jobs.on(node, f"systemctl is-active flock-startd; {DOCKER} ps -q 2>/dev/null | wc -l; true").split()
    assert running[0] != "active"
    assert running[-1] == "0"


def _assert_closed(node: str) -> None:
    """Wait for the ad of the startd that has been started since: no lease is in it, whatever the one before had."""
    pool = jobs.on("submit", "condor_config_val FLOCK_COLLECTOR_HOST").strip()
    name = node.replace("p", "f", 1)
    started = int(jobs.on(node, f"{DOCKER} inspect --format '{{{{.State.StartedAt}}}}' flock_startd | date -f - +%s"))
    fields = "FlockOpenUntil State DaemonStartTime"
    deadline = time.monotonic() + jobs.WAIT_S
    while True:
        ad = jobs.on("submit", f"condor_status -pool '{pool}' -af Name {fields} | grep {name} || true").split()
        if len(ad) == 4 and int(ad[-1]) >= started - 1:
            break
        assert time.monotonic() < deadline, f"{name} started at {started} is not in the pool: {ad}"
        time.sleep(2)
    assert ad[1:3] == ["undefined", "Unclaimed"], ad


@pytest.mark.parametrize("fault", FAULTS + (MORE_FAULTS if FULL else []), ids=lambda fault: fault.name.replace(" ", "-"))
def test_nothing_leaks_while_it_is_broken_and_after(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    floods_from = "p221" if fault.reboots and fault.host == "p220" else "p220"
    _wait_until_mended(floods_from, jobs.WAIT_S)
    with flood(floods_from, fault.seconds) as during:
        _break(fault)
    if fault.stops_container:
        _assert_stopped(fault.host)
    assert during.leaked == 0, during.leaks
    assert during.sent["sent"] + during.sent["refused"] > 0
    assert during.sent["per_second"] >= LEAST_RATE, during.sent
    if fault.mends:
        jobs.on(fault.host, fault.mends, timeout_s=jobs.WAIT_S)
    for node in ("p220", "p221"):
        mended = _wait_until_mended(node, jobs.WAIT_S)
    if fault.stops_container:
        _assert_closed(fault.host)
    with flood(floods_from, 8) as after:
        pass
    assert after.leaked == 0, after.leaks
    seen = f"during: {during.said()}; mended after {mended:.0f} s; after it: {after.said()}"
    record_property(SEEN, seen)
    print(f"{fault.name}: {seen}")
