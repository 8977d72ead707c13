"""Real HTCondor pools for tests: cached roots, a world of namespaces, masters side by side."""

from __future__ import annotations

from .pool import Master, Pool
from .roots import (
    SUITES,
    VERSIONS,
    Root,
    build_execute_root,
    build_icinga_root,
    build_root,
    build_systemd_execute_root,
    build_systemd_root,
)
from .world import CommandResult, World

__all__ = [
    "SUITES",
    "VERSIONS",
    "CommandResult",
    "Master",
    "Pool",
    "Root",
    "World",
    "build_execute_root",
    "build_icinga_root",
    "build_root",
    "build_systemd_execute_root",
    "build_systemd_root",
]
