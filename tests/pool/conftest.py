"""Fixtures of the tests against real HTCondor pools. They need root, mmdebstrap and Debian's packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from condor_harness import SUITES, Pool, Root, build_execute_root, build_root


@pytest.fixture(scope="session", params=sorted(SUITES, reverse=True))
def root(request: pytest.FixtureRequest) -> Root:
    """A root with HTCondor: each test runs on every version."""
    if os.geteuid() != 0:
        pytest.fail("tests/pool make namespaces and mounts: run them as root")
    built = build_root(request.param)
    assert built.version.startswith(SUITES[request.param]), f"{request.param} has HTCondor {built.version}"
    return built


@pytest.fixture(scope="module", params=sorted(SUITES, reverse=True))
def execute_root(request: pytest.FixtureRequest) -> Root:
    """A root for an execute point, on every version."""
    if os.geteuid() != 0:
        pytest.fail("tests/pool make namespaces and mounts: run them as root")
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
