"""Pairs, views and scenes for the truth tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.state import State
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.settings import PolicySettings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide import pool_view, reserve
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide.demand import Demand
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide.node_view import NodeView, look
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import (
    AccessPoint,
    Collector,
    IdleJobs,
    NodeGoal,
    NodeMemory,
    Override,
    Pair,
    PoolSnapshot,
    Verification,
)
from fake_condor import NOW, flocking, regular

OURS = f"shepherd/{NOW - 400}:flock"
SETTINGS = PolicySettings(dwell=0)
OLD = NodeMemory(began=NOW - 100_000)
"""a node that has been known for long"""


def pair(
    name: str = "p1",
    local: State | None = State.ON,
    flock: State | None = State.DRAINED,
    *,
    reason: str = OURS,
    regular_facts: dict[str, Any] | None = None,
    flock_facts: dict[str, Any] | None = None,
    **facts: Any,
) -> Pair:
    drained = local in (State.DRAINING, State.DRAINED)
    base = Pair(
        name=name,
        regular=None
        if local is None
        else regular(name, local, **{"drain_reason": reason if drained else "", **(regular_facts or {})}),
        flocking=None if flock is None else flocking("f" + name[1:], flock, **(flock_facts or {})),
        regular_heard=NOW - 5,
        flocking_heard=NOW - 5,
        cores=8,
        free=8,
        verification=Verification("pass", NOW - 3600),
    )
    return replace(base, **facts)


def lent(name: str = "p1", busy: int = 0, **facts: Any) -> Pair:
    more = {"busy": busy, **facts.pop("flock_facts", {})}
    return pair(name, State.DRAINED, State.ON, flock_facts=more, **facts)


def seen(
    each: Pair,
    memory: NodeMemory = OLD,
    settings: PolicySettings = SETTINGS,
    *,
    off: Override | None = None,
    hold: Override | None = None,
) -> NodeView:
    return look(each, memory, NOW, settings, off=off, hold=hold)


def snapshot(*pairs: Pair, idle: Sequence[IdleJobs] = (), taken: int = NOW, **facts: Any) -> PoolSnapshot:
    base = PoolSnapshot(
        taken=taken,
        pairs=pairs,
        collectors=(Collector("c", taken - 100_000),),
        access_points=(AccessPoint("ap", taken - 10, sum(kind.jobs for kind in idle)),),
        idle=tuple(idle),
    )
    return replace(base, **facts)


def demand(unmet: int = 0, jobs: int = 0, free: int = 10_000, nodes: frozenset[str] | None = None) -> Demand:
    kinds = (IdleJobs(unmet, 1, nodes),) if unmet else ()
    return Demand(jobs=jobs, cores=unmet, unmet=unmet, free=free, kinds=kinds)


def scene_of(*views: NodeView, wants: Demand | None = None, settings: PolicySettings = SETTINGS) -> pool_view.PoolView:
    heading: dict[str, NodeGoal | None] = {view.name: pool_view.heading(view, NOW, settings) for view in views}
    return pool_view.PoolView(
        now=NOW,
        settings=settings,
        views=views,
        heading=heading,
        size=reserve.sizes(views),
        reserve=reserve.divide(views, settings),
        demand=wants or demand(),
    )
