# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep the pool's daemons on a host from knowing the flock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from . import condor, values
from .seen import Seen

MINIMUM = "23.0"
KINDS = {
    "trust_domain": values.matching(r"[A-Za-z0-9][A-Za-z0-9.-]*", "letters, digits, dots and hyphens"),
    "wan_address": values.ADDRESS,
    "private_network": values.DOMAIN,
    "local_domains": values.DOMAIN,
    "mirror_seconds": values.between(1, 3600),
    "mirror_user": values.USER,
    # HTCondor makes no session of 0 seconds, and after a day a key that was taken back should be good for nothing.
    "session_seconds": values.between(60, 86400),
    "config_directory": values.PATH,
}


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    if seen.options["state"] == "absent":
        return
    yield from values.problems("pool", seen.options, KINDS)
    asked = seen.facts["asked"]
    unknown = list(condor.version_problems(seen.host, asked, MINIMUM, "the flock is added to it"))
    yield from unknown or _htcondor(seen, condor.values(asked))
    yield from _names(seen)
    yield from _signing_keys(seen)
    if _flocks_out(seen):
        if not seen.options["wan_address"]:
            yield (
                f"pool_wan_address of {seen.host} is empty: expected the address at which the pools of flock.flock_out reach this"
                " access point"
            )
        for looked in seen.facts["token_files"]:
            yield from _token_file(seen.host, looked, condor.values(asked))


def _is_manager(seen: Seen) -> bool:
    return seen.is_in("flock_central_manager")


def _is_flock_host(seen: Seen) -> bool:
    """Return whether the flock's own daemons run there, rather than those of the site alone."""
    return bool(seen.host == seen.plan["central_manager"]["host"])


def _flocks_out(seen: Seen) -> bool:
    return seen.is_in("flock_access_point") and bool(seen.plan["flock_out"])


def _htcondor(seen: Seen, found: Mapping[str, str]) -> Iterator[str]:
    host, port = seen.host, found["SHARED_PORT_PORT"]
    daemons = condor.words(found["DAEMON_LIST"].upper())
    needed = {"COLLECTOR": _is_manager(seen), "NEGOTIATOR": _is_manager(seen), "SCHEDD": seen.is_in("flock_access_point")}
    for daemon, wanted in {**needed, "STARTD": host in seen.plan["nodes"]}.items():
        if wanted and daemon not in daemons:
            there = found["DAEMON_LIST"]
            yield f"DAEMON_LIST of {host} is '{there}': expected {daemon} in it, as the inventory's groups say"
    full = found.get("FULL_HOSTNAME", "")
    regular = seen.plan["nodes"].get(host, {}).get("regular", "")
    if full and regular and full.split(".")[0].lower() != regular.lower():
        yield (
            f"HTCondor of {host} calls its host '{full}' (FULL_HOSTNAME): expected {regular}, the name that the inventory gives"
            " the node, or the node would never be lent"
        )
    if seen.options["unprivileged"]:
        yield from _without_root(seen, daemons, found)
    yield from condor.directory_problems("pool", host, seen.options["config_directory"], found)
    if (_is_flock_host(seen) or _flocks_out(seen)) and found["USE_SHARED_PORT"].upper() not in condor.TRUE:
        shared = found["USE_SHARED_PORT"]
        yield f"USE_SHARED_PORT of {host} is '{shared}': expected True, the flock's daemons are behind the shared port"
    wanted_port = int(seen.plan["central_manager"]["port"])
    if _is_flock_host(seen) and condor.number(port) != wanted_port:
        yield (
            f"SHARED_PORT_PORT of {host} is '{port}': expected {wanted_port}, flock.central_manager.port, where containers and"
            " other pools look for the flock's collector"
        )
    outside = _outside(seen, found["IP_ADDRESS"])
    if outside and found["BIND_ALL_INTERFACES"].upper() not in condor.TRUE:
        bound = found["BIND_ALL_INTERFACES"]
        yield (
            f"BIND_ALL_INTERFACES of {host} is '{bound}': expected True, or HTCondor listens at {found['IP_ADDRESS']} alone and"
            f" not at {', '.join(outside)}"
        )


def _outside(seen: Seen, own: str) -> list[str]:
    """Return the addresses besides HTCondor's own at which its daemons here have to be reached."""
    manager, outside = seen.plan["central_manager"], seen.options["wan_address"]
    wanted = [outside] if _flocks_out(seen) and outside else []
    if _is_flock_host(seen):
        wanted = [manager["wan_address"], manager["flock_address"], "127.0.0.1"]
    return [address for address in wanted if address != own]


def _without_root(seen: Seen, daemons: list[str], found: Mapping[str, str]) -> Iterator[str]:
    host, user, port = seen.host, seen.options["mirror_user"], found["SHARED_PORT_PORT"]
    if {"SCHEDD", "STARTD"} & set(daemons):
        yield (
            f"pool_unprivileged of {host} is true and DAEMON_LIST is '{found['DAEMON_LIST']}': expected false where a SCHEDD or"
            " STARTD runs, they need root to act for their users"
        )
    elif not _is_manager(seen):
        yield f"pool_unprivileged of {host} is true: expected false, it is not in group flock_central_manager"
    elif "/run/systemd/system" not in seen.facts["there"]:
        yield f"pool_unprivileged of {host} is true: expected a host that systemd has started, or false"
    elif user != "condor":
        yield f"pool_mirror_user is '{user}': expected condor with pool_unprivileged, whose daemons cannot become another user"
    elif condor.number(port) < 1024:
        yield f"SHARED_PORT_PORT of {host} is '{port}': expected 1024 or more with pool_unprivileged, lower ports are root's"


def _names(seen: Seen) -> Iterator[str]:
    nodes = [node["flock"] for node in seen.plan["nodes"].values()]
    names = [*nodes, *(pool["name"] for pool in seen.plan["flock_in"])]
    for name in seen.options["rotate_tokens"]:
        if name not in names:
            yield f"pool_rotate_tokens has '{name}': expected one of {', '.join(names)}"
    if len(set(names)) != len(names):
        yield f"flock.flock_in has the name of a flocking startd: expected names other than {', '.join(nodes)}"


def _signing_keys(seen: Seen) -> Iterator[str]:
    """Keys are issued once: others would lock every container and foreign pool out."""
    chosen, digests = seen.plan["central_manager"]["host"], seen.facts["signing_keys"]
    if not _is_manager(seen) or chosen not in digests:
        return
    for host, digest in digests.items():
        if not digest or digest == digests[chosen]:
            continue
        if digests[chosen]:
            yield (
                f"The flock's signing key on {host} is another one than on {chosen}: expected a copy of it; remove"
                " /etc/sheepfold/pool where it is not the one that containers and other pools have tokens of"
            )
        else:
            yield (
                f"flock.central_manager.host is '{chosen}', and the flock's signing key is on {host} alone: expected it on"
                f" {chosen} before the flock's daemons move there; apply role pool once more with flock.central_manager.host:"
                f" {host}, which copies it"
            )


def _token_file(host: str, looked: Mapping[str, Any], found: Mapping[str, str]) -> Iterator[str]:
    file, stat = looked["item"]["token_file"], looked["stat"]
    named = f"token_file of flock.flock_out {looked['item']['name']} is '{file}'"
    there = str(PurePosixPath(file).parent)
    directory = found.get("SEC_TOKEN_SYSTEM_DIRECTORY", there)
    if not stat["exists"]:
        yield f"{named}: expected a file on {host} with the token that the other pool's administrator has issued"
    elif not stat["mode"].endswith("00") or stat["uid"] != 0:
        yield (
            f"{named}, owner {stat['uid']}, mode {stat['mode']} on {host}: expected owner 0 (root) and mode 0600, nobody else may"
            " read a token"
        )
    elif there != directory:
        yield f"{named}: expected a file in {directory}, where HTCondor of {host} looks for tokens"
