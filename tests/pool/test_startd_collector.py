"""Modules startd and startd_info while the collector hangs, dies and comes back: most of it waits for HTCondor's own timers."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from condor_harness import Pool
from small_site import Site, only


@pytest.fixture(scope="module")
def site(new_pool: Callable[[str], Pool]) -> Site:
    return Site(new_pool)


def test_a_collector_that_hangs_dies_and_is_young(site: Site) -> None:
    assert only(site.startd("p221", "off"))["state"] == "off"
    site.cm.signal("condor_collector", signal.SIGSTOP)
    hung = site.startd("p220", "drained", timeout=3)
    assert hung["failed"] and "condor_status had no answer within 3 s" in hung["msg"]
    # Nobody starts it again while we look.
    site.cm.signal("condor_master", signal.SIGSTOP)
    site.cm.signal("condor_collector", signal.SIGKILL)
    dead = site.startd("p220", "drained")
    site.cm.signal("condor_master", signal.SIGCONT)
    assert dead["failed"] and dead["cmd"][0] == "condor_status" and dead["rc"] != 0, dead
    site.pool.wait_startds("p220", "f220")
    site.pool.wait(lambda: site.pool.ads("-master", 'Machine == "p221.site.test"', ["Name"]), "p221's master")
    # Now nothing but its master's ad is there, and a collector that may not have heard everything.
    seen = site.see("p221", settle=600)
    assert seen["state"] == "unknown" and "settled after 600 s" in seen["why"]
    refused = site.startd("p221", "on", settle=600)
    assert refused["failed"] and refused["msg"].startswith("the state of p221 is unknown: no startd's ad")
    site.pool.wait(lambda: site.see("p221")["state"] == "off", "p221 seen to be off")
