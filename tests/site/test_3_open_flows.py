"""Open flows pass by the gateway's rules (gateway_flowtable): what still holds for them."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab import ssh
from lab.topology import BY_NAME

from .flood import DOCKER
from .full import only_full
from .plays import play
from .report import SEEN

pytestmark = only_full

SERVER = "203.0.113.80"
RULES = "/etc/sheepfold/gateway/flock-offload.nft"
LOAD = "systemctl reload flock-gateway"
LIMIT = 100_000
"""Bytes a second, where a limit is tried: an emulated gateway passes some 10 million."""


def on(host: str, script: str) -> str:
    """Run a script on a lab host; it has to work."""
    done = ssh.run(BY_NAME[host], script, timeout_s=120)
    assert done.returncode == 0, f"{host}: {script}: {done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def flowtable() -> Iterator[None]:
    """The gateway with a flowtable, and afterwards as the lab's inventory has it, without."""
    with_it = play("site", "--extra-vars", '{"gateway_flowtable": true}', label="flowtable-on")
    assert with_it.returncode == 0, with_it.failed
    yield
    without = play("site", label="flowtable-off")
    assert without.returncode == 0, without.failed
    assert "flock_offload" not in on("submit", "nft list tables")


@contextmanager
def open_flow(seconds: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Send from the container on p220 to a server on the Internet; the sender, which ends by itself."""
    on("remote", f"iperf3 --server --one-off --daemon --bind {SERVER}")
    inside = f"nsenter -n -t $(docker --host {DOCKER} inspect --format '{{{{.State.Pid}}}}' flock_startd)"
    command = ssh.command(BY_NAME["p220"], f"{inside} iperf3 --json --time {seconds} --client {SERVER} {' '.join(options)}")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as sender:
        try:
            yield sender
        finally:
            if sender.poll() is None:
                sender.kill()


def offloaded() -> int:
    """Return how many flows of the container's pass by the rules now."""
    return int(on("submit", "grep -c 'src=10.27.2.220 .*OFFLOAD' /proc/net/nf_conntrack || true"))


def wait_until_offloaded(seconds: float = 60) -> None:
    """Wait until a flow passes by the rules."""
    until = time.monotonic() + seconds
    while not offloaded():
        assert time.monotonic() < until, "no flow passes by the rules"
        time.sleep(0.5)


def per_second(sender: subprocess.Popen[str], patience: float = 120) -> float:
    """Return the bytes that arrived in a second, once the sender has ended, which it has to within so many seconds."""
    output, _ = sender.communicate(timeout=patience)
    assert sender.returncode == 0, output
    return float(json.loads(output)["end"]["sum_received"]["bits_per_second"]) / 8


def passed_the_rules() -> int:
    """Return how many packets of open flows the present rules have let through."""
    rules = on("submit", "nft list chain inet flock_gateway flows")
    (packets,) = re.findall(r"ct state established counter packets (\d+)", rules)
    return int(packets)


def test_an_open_flow_outlives_new_rules_and_is_looked_at_again() -> None:
    began = time.monotonic()
    on("submit", LOAD)
    # It has to outlive a load and both waits, on a busy machine too.
    seconds = 120 + int(3 * (time.monotonic() - began))
    # At full speed it leaves an emulated gateway no processor to load the rules with.
    with open_flow(seconds, "--bitrate 2M") as sender:
        wait_until_offloaded()
        on("submit", LOAD)
        wait_until_offloaded()
        assert passed_the_rules() > 0
        assert per_second(sender, seconds + 120) > LIMIT


@pytest.mark.parametrize("direction", ["", "--reverse"], ids=["sends", "receives"])
def test_the_limits_hold(direction: str, record_property: Callable[[str, object], None]) -> None:
    small = f"over {LIMIT} bytes/second burst {LIMIT} bytes"
    on("submit", f"cp -p {RULES} {RULES}.kept")
    on("submit", f"sed -i 's|over [0-9]* mbytes/second burst [0-9]* mbytes|{small}|' {RULES}; {LOAD}")
    try:
        with open_flow(10, direction) as sender:
            wait_until_offloaded()
            seen = per_second(sender)
    finally:
        on("submit", f"mv {RULES}.kept {RULES}; {LOAD}")
    record_property(SEEN, f"{seen:.0f} bytes/s")
    assert seen < 2 * LIMIT
