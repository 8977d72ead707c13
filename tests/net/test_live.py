# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role verify does on a real site, here in namespaces: the scene from the plan, each host's own senders, the report."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host import interfaces, routing_check, send_probes
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.host.container import RunningContainer
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets import namespaces
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.packets.capture import Capture
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results import report
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.collect import entries
from ansible_collections.sheepfold.htcondor.plugins.module_utils.verify.results.judge import FAILED, LEAK, PASS

from . import forget, rules, topology
from .topology import Network

HOSTS = ("submit", "p220", "p221", "storage", "remote")
TARGETS = [
    {"kind": "private", "address": topology.STORAGE, "host": "storage"},
    {"kind": "internet", "address": topology.INTERNET, "host": "remote", "tcp": [443]},
]
RUN = 700


def _inside(net: Network, host: str, function: Any) -> namespaces.Child:
    def work() -> Any:
        namespaces.enter(net.path(host))
        return function()

    return namespaces.Child(work)


@pytest.fixture(name="containers")
def fixture_containers(network: Network) -> Iterator[dict[str, RunningContainer]]:
    """Return a process in each container's namespace, standing for the container's own."""
    places = {"p220": "f220", "p221": "f221"}
    processes = {
        node: subprocess.Popen(["nsenter", f"--net={network.path(place)}", "sleep", "60"]) for node, place in places.items()
    }
    try:
        yield {node: RunningContainer(process.pid, 0) for node, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def _probe(net: Network, containers: dict[str, RunningContainer], forged: bool) -> list[report.Entry]:
    forget.connections(net, "submit")
    forget.neighbours(net)
    plan = rules.plan()
    looks = {host: _inside(net, host, interfaces.interfaces).result() for host in HOSTS}
    vlans = {host: topology.VLAN if host in ("submit", "p220", "p221") else "" for host in HOSTS}
    switches = _inside(net, "submit", routing_check.forwarding).result()
    described = {host: {"interfaces": looks[host], "vlan": vlans[host], "forwarding": switches} for host in HOSTS}
    paths = {place: net.path(place) for place in (*HOSTS, "f220", "f221")}
    foreign = {host: (topology.SUBNET, frozenset({vlans[host], "lo"})) for host in HOSTS}
    capture = Capture([RUN + index for index in range(len(HOSTS))], paths, foreign)

    def send(number: int, host: str) -> dict[str, Any]:
        work = send_probes.Work(
            run=RUN + number,
            place=host,
            gateway="submit",
            plan=plan,
            looks=described,
            targets=TARGETS,
            forged=forged,
            as_root=True,
            slot_uids=range(60001, 60002),
        )
        tried, sent = send_probes.run(work, containers.get(host), 0.4)
        without = [json.loads(json.dumps(attempt.as_dict(bulk=False))) for attempt in tried]
        return {"attempts": without, "sent": sent, "inside": [], "skipped_root": work.skipped_root}

    try:
        children = {host: _inside(net, host, lambda n=n, h=host: send(n, h)) for n, host in enumerate(HOSTS)}
        sent = {}
        for host, child in children.items():
            capture.poll(20, until=child)
            sent[host] = child.result()
        lost = capture.finish(0.1)
        seen = {
            "sightings": [sighting.as_dict() for sighting in capture.sightings()],
            "neighbours": capture.neighbours(),
            "places": list(paths),
            "lost": lost,
            "counters": {"p220:counter:refused on the way out": 1, "p221:counter:refused on the way out": 1},
        }
    finally:
        capture.close()
    return entries(sent, {"all": {"seen": seen}}, {"p220": "f220", "p221": "f221"})


def test_a_protected_site_passes(network: Network, containers: dict[str, RunningContainer]) -> None:
    found = _probe(network, containers, forged=True)
    assert not [entry for entry in found if entry.result in (LEAK, FAILED)]
    tried = {(entry.probe, entry.sender) for entry in found}
    for sender in ("f220", "f221"):
        assert {(probe, sender) for probe in ("node", "private", "gateway", "allowed", "sibling", "spoof", "dns")} <= tried
    assert {("inbound", "remote"), ("inbound", "storage"), ("command-port", "remote"), ("canary", "p220")} <= tried


def test_nothing_is_forged_unless_asked(network: Network, containers: dict[str, RunningContainer]) -> None:
    found = _probe(network, containers, forged=False)
    assert not {entry.probe for entry in found} & {"spoof", "poison", "tags", "advertisement", "member"}


def test_a_hole_is_seen(network: Network, containers: dict[str, RunningContainer]) -> None:
    network.nft("submit", "insert rule inet flock_gateway outward ip daddr 10.27.1.10 tcp dport 2049 accept\n")
    try:
        found = _probe(network, containers, forged=False)
    finally:
        network.nft("submit", rules.both())
    leaks = [entry for entry in found if entry.result == LEAK]
    found_out = {(entry.probe, entry.what, entry.sender) for entry in leaks if entry.probe != "source"}
    assert found_out == {("private", "TCP 10.27.1.10:2049", sender) for sender in ("f220", "f221")}
    # Nothing translates what goes that way.
    assert "packets from 10.27.2.220 outside the VLAN" in {entry.what for entry in leaks}
    tree = ElementTree.fromstring(report.as_junit(found, "2026-01-01T00:00:00Z"))
    assert len(tree.findall(".//failure")) == len(leaks)
    assert json.loads(report.as_json(found, {}))["leaks"] == len(leaks)
    assert report.table(found)[-1].startswith(f"{len(found)} probes, {len(leaks)} leaks")
    assert 'FlockVerifyResult = "leak"' in report.attributes(found, when=1, place="f220", rules="a", gateway_rules="b")


def test_a_closed_door_is_no_pass(network: Network, containers: dict[str, RunningContainer]) -> None:
    network.ip("p220", f"link set {topology.VLAN} down\n")
    try:
        found = _probe(network, containers, forged=False)
    finally:
        network.ip("p220", f"link set {topology.VLAN} up\n")
        network.ip("f220", f"route replace default via {topology.GATEWAY}\n")
    failed = {entry.sender for entry in found if entry.result == FAILED}
    assert "f220" in failed
    assert [entry for entry in found if entry.sender == "f221" and entry.result == PASS]


def test_a_busy_container_is_left_alone(network: Network) -> None:
    job = subprocess.Popen(
        ["nsenter", f"--net={network.path('f220')}", "setpriv", "--reuid=60001", "--clear-groups", "sleep", "60"]
    )
    try:
        container = RunningContainer(job.pid, 0)
        for _ in range(50):
            if container.busy(range(60001, 60017)):
                break
            os.sched_yield()
            subprocess.run(["sleep", "0.05"], check=True)
        assert container.busy(range(60001, 60017))
        assert not container.busy(range(60002, 60017))
    finally:
        job.kill()
        job.wait()
