"""Attacks of :mod:`inside`, in the order of the adversarial list."""

from __future__ import annotations

from .attack import Attack
from .ground import HERE

SCRIPT = (HERE / "inside.py").read_text()

# name, item of the list, control
_TABLE = [
    ("descriptors", "descriptor leak", "condor"),
    ("groups", "supplementary groups", "uid"),
    ("capabilities", "no new privileges", "uid"),
    ("setuid_program", "no new privileges", "uid"),
    ("sudo", "su, sudo", "uid"),
    ("su", "su, sudo", "uid"),
    ("crontab", "crontab, at, linger", "uid"),
    ("at", "crontab, at, linger", "uid"),
    ("nested_user_namespace", "nested userns", "uid"),
    ("delegated_id", "undelegated uid, wrong caller", "condor"),
    ("other_keyring", "keys of the daemons", "condor"),
    ("secret", "keys of the daemons", "condor"),
    ("switch_files", "keys of the daemons", "condor"),
    ("daemons_seen", "/proc", "condor"),
    ("daemons_signalled", "job signals condor", "condor"),
    ("daemons_environment", "/proc: environ", "condor"),
    ("parent_traced", "ptrace", "condor"),
    ("parent_memory", "/proc: mem", "condor"),
    ("parent_descriptors", "/proc: fd", "condor"),
    ("cgroup_left", "strays", "condor"),
    ("shared_tmp", "leftover /tmp", "condor"),
    ("other_sandbox", "slot 1 against slot 2: files", "condor"),
    ("other_credential", "world-readable credentials", "uid"),
    ("other_process", "slot 1 against slot 2: processes", "condor"),
    ("other_environment", "slot 1 against slot 2: processes", "condor"),
    ("other_socket", "slot 1 against slot 2: sockets", "condor"),
    ("abstract_socket", "slot 1 against slot 2: sockets", "condor"),
]

_WAIVED = {
    "abstract_socket": "jobs share the host's network namespace, as a grid job needs the network; abstract sockets are in it",
}

ATTACKS = [Attack(name, item, SCRIPT, control, waived=_WAIVED.get(name, "")) for name, item, control in _TABLE]
"""Several of them go into one job."""
