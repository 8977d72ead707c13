# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep a node's HTCondor from working without root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import condor, execute_accounts, values
from .seen import Seen

MINIMUM = "23.9"
MINIMUM_SYSTEMD = 254
#: The role's snippet takes them back.
HOOKS = ("STARTER_JOB_HOOK_KEYWORD", "STARTER_DEFAULT_JOB_HOOK_KEYWORD", "STARTD_JOB_HOOK_KEYWORD")
ALLOWED = ("MASTER", "STARTD", "SHARED_PORT")
_LINE = values.matching(r"[^\s#]([^#]*[^\s#])?", "one line without # and blanks around it")
_BELOW = values.matching(r"/[^\s#/]([^#]*[^\s#])?", "an absolute path below /, without # and blanks around it")
#: Also where the role goes: accounts with this name are removed.
REMOVED = {
    "accounts.prefix": values.matching(r"[a-z_][a-z0-9_-]{0,20}", "lower case letters, digits, hyphens, as in pool"),
}
KINDS = {
    "accounts.count": values.between(0, 65536),
    "tmp_size": values.between(0),
    "job_root": _BELOW,
    "hidden": _BELOW,
    "admission.patterns": _LINE,
    "admission.users": _LINE,
    "admission.refused_users": _LINE,
    "admission.plugin": _BELOW,
    "admission.plugin_timeout": values.between(1, 60, "seconds from "),
    "completion_hooks": _BELOW,
    "completion_hook_timeout": values.between(1, 300, "seconds from "),
    "payload_callers": _LINE,
    "payload_preserve": _LINE,
    "restart_wait": values.between(0, 604800, "seconds from "),
    "busybox": _BELOW,
    "packages": values.PACKAGE,
    "config_directory": values.PATH,
}


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong; without facts, what is wrong with the options alone."""
    if seen.options.get("accounts", {}).get("prefix") == "":
        yield f"execute_node_accounts.prefix is empty: expected {REMOVED['accounts.prefix'].expected}"
    yield from values.problems("execute_node", seen.options, REMOVED)
    if seen.options["state"] == "absent":
        return
    yield from values.problems("execute_node", seen.options, KINDS)
    if not seen.facts:
        return
    host = seen.facts["host"]
    unknown = list(
        condor.version_problems(
            seen.host,
            seen.facts["asked"],
            MINIMUM,
            "its nodes do without root",
            "older ones have no control groups for jobs without root",
        )
    )
    yield from unknown or _htcondor(seen, condor.values(seen.facts["asked"]), host)
    user = seen.facts["user"]
    if host["daemon"]["uid"] < 0:
        yield f"There is no user {user} on {seen.host}: expected the one that HTCondor's packages make"
    for path in host["exposed"]:
        yield (
            f"{path} of {seen.host} can be read by others than its owner: expected tokens and keys that nobody else on the host"
            f" has (chmod go= {path})"
        )
    yield from _kernel(seen, host)
    yield from _programs(seen, host)
    yield from execute_accounts.problems(seen)
    for path, problem in host["commands"].items():
        if problem:
            plugin = seen.options["admission"].get("plugin")
            name = "execute_node_admission.plugin" if path == plugin else "execute_node_completion_hooks"
            yield (
                f"{name} has '{path}', which {problem} on {seen.host}: expected a program that everybody may run and only root"
                " may change"
            )


def warnings(seen: Seen) -> Iterator[str]:
    """Yield what the site's administrators should know before they go on."""
    if seen.options["state"] == "absent" or not seen.facts:
        return
    found = condor.values(seen.facts["asked"])
    for name in HOOKS:
        if found.get(name):
            yield (
                f"{name} of {seen.host} is '{found[name]}': these job hooks are not called without root; execute_node_admission"
                " and execute_node_completion_hooks may do what they did"
            )


def _htcondor(seen: Seen, found: Mapping[str, str], host: Mapping[str, Any]) -> Iterator[str]:
    there, wrapper = found["DAEMON_LIST"], found["USER_JOB_WRAPPER"]
    daemons = condor.words(there.upper())
    if "STARTD" not in daemons:
        yield f"DAEMON_LIST of {seen.host} is '{there}': expected STARTD in it"
    for daemon in daemons:
        if daemon not in ALLOWED:
            yield (
                f"DAEMON_LIST of {seen.host} is '{there}': expected nothing but MASTER, STARTD and SHARED_PORT, because"
                f" {daemon} would lose root too"
            )
    yield from condor.directory_problems("execute_node", seen.host, seen.options["config_directory"], found)
    if wrapper:
        yield (
            f"USER_JOB_WRAPPER of {seen.host} is '{wrapper}': expected none, the switch takes its place (execute_node_admission"
            " and execute_node_completion_hooks may do what it did)"
        )
    yield from _execute(seen, found["EXECUTE"], host)


def _execute(seen: Seen, path: str, host: Mapping[str, Any]) -> Iterator[str]:
    there, user = host["execute"], seen.facts["user"]
    if not there:
        yield f"EXECUTE of {seen.host} is '{path}': expected a directory that is there"
    elif there["uid"] != host["daemon"]["uid"]:
        yield (
            f"EXECUTE of {seen.host}, {path}, belongs to the user {there['uid']}: expected {user}, which has to make sandboxes"
            f" there (chown {user}: {path})"
        )
    elif there["closed"]:
        yield (
            f"EXECUTE of {seen.host} is '{path}': expected {there['closed']} to be passable for jobs' accounts (chmod o+x"
            f" {there['closed']})"
        )


def _kernel(seen: Seen, host: Mapping[str, Any]) -> Iterator[str]:
    if host["systemd_version"] < MINIMUM_SYSTEMD:
        yield (
            f"systemd of {seen.host} is version {host['systemd_version']}: expected {MINIMUM_SYSTEMD} or newer, older ones have"
            " no DelegateSubgroup= and jobs would have no control groups (upgrade the distribution, or leave this node as it is)"
        )
    if host["cgroup_version"] != 2:
        yield (
            f"Control groups of {seen.host} are version 1 or hybrid: expected the unified hierarchy alone, without which nothing"
            " ends what a job leaves behind (boot with systemd.unified_cgroup_hierarchy=1)"
        )
    # Either driver gives a job its view of the host in a user namespace.
    if host["user_namespaces"] == 0:
        yield (
            f"User namespaces are forbidden on {seen.host}: expected user.max_user_namespaces above 0 and"
            " kernel.unprivileged_userns_clone 1 (sysctl)"
        )
    elif host["apparmor_restricts"]:
        yield (
            f"AppArmor of {seen.host} restricts user namespaces: expected kernel.apparmor_restrict_unprivileged_userns=0 (sysctl)"
        )


def _programs(seen: Seen, host: Mapping[str, Any]) -> Iterator[str]:
    """Yield which program is missing that no package is about to bring."""
    brought, helpers = seen.facts["brought"], host["helpers"]
    if seen.options["driver"] == "newuidmap":
        for helper in ("newuidmap", "newgidmap"):
            if not helpers[helper] and not brought:
                yield f"{helper} is not installed on {seen.host}: expected package uidmap (execute_node_packages)"
        if helpers["newuidmap"] and helpers["newgidmap"] and not host["privilege"]:
            yield (
                f"newuidmap or newgidmap of {seen.host} has lost its privilege: expected it set-user-id or with its capability,"
                " as package uidmap installs it"
            )
    elif not helpers["userv"] and not brought:
        yield (
            f"userv is not installed on {seen.host}: expected package userv (execute_node_packages), or execute_node_driver:"
            " newuidmap"
        )
    if host["busybox"] != "static" and not brought:
        yield (
            f"execute_node_busybox is '{seen.options['busybox']}', which is {host['busybox']} on {seen.host}: expected a"
            " statically linked one (package busybox-static), because a job's environment leads a dynamic one to code of the"
            " job's"
        )
