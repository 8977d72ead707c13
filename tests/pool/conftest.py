"""Fixtures of the tests against real HTCondor pools. They need root, mmdebstrap and Debian's packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator

import left_behind
import pytest
import switch_site
from condor_harness import SUITES, VERSIONS, Pool, Root, build_execute_root, build_root
from condor_harness.pool import POOLS
from execute_point import ExecutePoint


def pytest_configure() -> None:
    """Say what is needed."""
    if os.geteuid() != 0:
        raise pytest.UsageError("tests/pool make namespaces and mounts: run them as root")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With each failure, of whatever kind, the ends of the logs of HTCondor, by host and file."""
    report = yield
    if report.failed:
        for pool in POOLS:
            # A wait that failed has told them already.
            if any(f"--- {name}/" in report.longreprtext for name in pool.masters):
                continue
            report.sections.append((f"logs of {pool.world.base.name} ({item.name}, {call.when})", pool.tails()))
    return report


@pytest.fixture(scope="session", params=VERSIONS)
def root(request: pytest.FixtureRequest) -> Root:
    """A root with HTCondor: each test runs on every version."""
    built = build_root(request.param)
    assert built.version.startswith(SUITES[request.param]), f"{request.param} has HTCondor {built.version}"
    return built


@pytest.fixture(scope="module", params=VERSIONS)
def execute_root(request: pytest.FixtureRequest) -> Root:
    """A root for an execute point, on every version."""
    built = build_execute_root(request.param)
    assert built.version.startswith(SUITES[request.param]), f"{request.param} has HTCondor {built.version}"
    return built


@pytest.fixture(scope="module")
def new_pool(root: Root) -> Iterator[Callable[[str], Pool]]:
    """A maker of pools; they end with the module."""
    pools: list[Pool] = []

    def make(label: str = "pool") -> Pool:
        pools.append(Pool(root, label))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture(scope="module")
def site(execute_root: Root) -> Iterator[ExecutePoint]:
    """An execute point with the switch; modules that need another site have a fixture of this name."""
    with ExecutePoint(execute_root, left_behind.CRON) as made:
        switch_site.install(made)
        yield made


@pytest.fixture(scope="module")
def plain(execute_root: Root) -> Iterator[ExecutePoint]:
    """The same without the switch: HTCondor by itself."""
    with ExecutePoint(execute_root, wrapper=False) as made:
        yield made
