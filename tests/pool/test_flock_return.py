"""A node takes its regular startd back by itself, whatever the flocking container beside it says, or nobody says of it.

The regular startd, its drain, the collector and the control group of the container are real; the container is a process in it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from condor_harness import Pool, Root
from condor_harness.pool import CM, EP

PROGRAM = Path(__file__).resolve().parents[2] / "roles/flock_startd/files/flock-return"
LEASE, RETIREMENT = 3, 3600
ADDRESS = "<10.27.2.220:9618?addrs=10.27.2.220-9618&noUDP&sock=startd>"
REGULAR = """
STARTD_ATTRS = FlockNode
FlockNode = False
ALLOW_ADMINISTRATOR = condor@site.test
"""


class Node:
    """p220, drained for the flock's sake, and what runs in the flock's control group."""

    def __init__(self, root: Root) -> None:
        self.pool = Pool(root, "return", like_host=True)
        self.cm = self.pool.start_master("submit", f"{CM}\nALLOW_ADVERTISE_STARTD = condor@site.test\n")
        self.p220 = self.pool.start_master("p220", f"{EP}\n{REGULAR}")
        self.pool.wait_startds("p220")
        world = self.pool.world
        assert world.cgroups
        self.group = world.cgroups.path / "flock.slice" / "container"
        self.group.mkdir(parents=True)
        settings = (
            f"FLOCK_HOSTNAME=f220.sips\nFLOCK_CGROUP_PARENT=flock.slice\nFLOCK_LEASE={LEASE}\nFLOCK_RETIREMENT={RETIREMENT}\n"
        )
        world.write("/etc/sheepfold/flock_startd/settings", settings)
        world.write("/usr/local/lib/sheepfold/flock-return", PROGRAM.read_text(), mode=0o755)
        world.run(["mkdir", "-p", "/run/flock-return", "/tmp/job"])
        world.run(["cp", "/usr/bin/sleep", "/tmp/job/condor_starter"])

    def start_container(self) -> subprocess.Popen[bytes]:
        """Something that calls itself a starter, in the container's control group."""
        group = f"/sys/fs/cgroup/{self.group.parent.name}/{self.group.name}"
        script = f"echo $$ >{group}/cgroup.procs && exec /tmp/job/condor_starter 600"
        process = self.pool.world.popen(["sh", "-c", script])
        self.pool.wait(lambda: self.group.joinpath("cgroup.procs").read_text(), "the container's process")
        return process

    def claim(self, lease: str) -> None:
        """What the site's collector has of the container."""
        lines = ['MyType = "Machine"', 'Name = "slot1@f220.sips"', 'Machine = "f220.sips"', f'MyAddress = "{ADDRESS}"']
        lines += ["FlockNode = True", "FlockMirrored = True", f"FlockOpenUntil = {lease}"]
        self.cm.run(["condor_advertise", "-tcp", "UPDATE_STARTD_AD", "-"], input="\n".join(lines) + "\n")

    def unclaim(self) -> None:
        """Take that away."""
        ad = 'MyType = "Query"\nTargetType = "Machine"\nRequirements = FlockMirrored =?= True\n'
        self.cm.run(["condor_advertise", "-tcp", "INVALIDATE_STARTD_ADS", "-"], input=ad)

    def drain(self) -> None:
        self.p220.run(["condor_drain", "-graceful", "-reason", f"shepherd/{int(time.time())}:flock", "p220.site.test"])
        self.pool.wait(self.drained, "the drain")

    def drained(self) -> bool:
        return bool(self.pool.ads(constraint="DrainReason isnt undefined"))

    def look(self) -> str:
        """One look of the timer's; what it said."""
        return self.p220.run(["/usr/local/lib/sheepfold/flock-return", "tend"]).stdout

    def held(self, seconds: float) -> None:
        """For so long each look leaves the drain and the container alone."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.look() == ""
            time.sleep(1)

    def comes_back(self) -> str:
        """Look until the drain is cancelled: by then the container has ended."""
        said = self.pool.wait(self.look, "the way back")
        assert "cancelled the drain" in said
        assert self.group.joinpath("cgroup.procs").read_text() == ""
        self.pool.wait(lambda: not self.drained(), "the regular startd at work")
        return str(said)


@pytest.fixture(scope="module")
def node(root: Root) -> Iterator[Node]:
    made = Node(root)
    yield made
    made.pool.close()


@pytest.mark.parametrize("lease", ["", str(2**62)], ids=["no ad", "2^62"])
def test_no_ad_and_no_lie_keep_the_node(node: Node, lease: str) -> None:
    node.unclaim()
    if lease:
        node.claim(lease)
    node.drain()
    with node.start_container():
        begin = time.monotonic()
        assert "is unknown" in node.comes_back()
        assert time.monotonic() - begin >= 3 * LEASE - 1


def test_an_honest_lease_is_left_alone_until_the_node_is_recalled(node: Node) -> None:
    """The control, and the one word that no container can say."""
    node.claim(str(int(time.time()) + 600))
    node.drain()
    with node.start_container():
        node.held(3 * LEASE + 2)
        node.pool.world.write("/tmp/recall", f"FlockRecall = {int(time.time())}\n")
        node.cm.run(["condor_update_machine_ad", "-name", "p220.site.test", "/tmp/recall"])
        assert "wanted back" in node.comes_back()
