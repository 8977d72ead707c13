# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy rules and a routing table that hold when the gateway's nftables table is gone or has a slip in it."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LIBRARY = os.environ.get("SHEEPFOLD_LIB", "/usr/local/lib/sheepfold")
sys.path.insert(0, LIBRARY)

from flock_applied import PRIORITIES, Applied
from flock_net import MISSING, Failure, run

# Networkd and others remove rules and routes that they did not make, except the kernel's own.
PROTOCOL = "kernel"
_RULE_KEYS = {"priority", "src", "dst", "dstlen", "iif", "iif_detached", "table", "action", "suppress_prefixlen"}
_RULE_KEYS |= {"fwmark", "fwmask"}
_LOCAL = ["from", "all", "lookup", "local"]
_OTHERS = "of another's"
_ALL_BITS = 2**32 - 1
_ROUTE_KEYS = {"type", "dst", "protocol", "flags"}


def rules() -> list[dict[str, Any]]:
    """Return this host's IPv4 policy rules, as ip's JSON has them, with the protocol of those that are not as ours."""
    listed: list[dict[str, Any]] = json.loads(run("ip", "-json", "-details", "-4", "rule", "show") or "[]")
    return [{key: value for key, value in rule.items() if (key, value) != ("protocol", PROTOCOL)} for rule in listed]


def is_barrier(rule: Mapping[str, Any], vlan: str) -> bool:
    """Return whether a rule among ours is one of the barrier's, which flock_forwarding sets and removes."""
    return rule.get("action") == "blackhole" and rule.get("iif", vlan) != vlan


def _listed() -> list[str]:
    """Return this host's IPv4 policy rules, as ip prints them."""
    return run("ip", "-4", "rule", "show").splitlines()


def _priority(line: str) -> int:
    return int(line.split(":", maxsplit=1)[0])


def _marked(mark: int, mask: int = _ALL_BITS) -> str:
    return f"fwmark {mark}" + ("" if mask == _ALL_BITS else f"/{mask:#x}")


def words(rule: Mapping[str, Any]) -> str:
    """Return a rule of ours in the words that it was added with; anything else is no such words."""
    found = [f"iif {rule['iif']}"] if "iif" in rule else []
    if "dst" in rule:
        found.append(f"to {rule['dst']}/{rule.get('dstlen', 32)}")
    if "fwmark" in rule:
        found.append(_marked(int(rule["fwmark"], 16), int(rule.get("fwmask", hex(_ALL_BITS)), 16)))
    found.append(str(rule.get("action") or f"lookup {rule.get('table')}"))
    if "suppress_prefixlen" in rule:
        found.append(f"suppress_prefixlength {rule['suppress_prefixlen']}")
    if rule.keys() - _RULE_KEYS or rule.get("src") != "all":
        found.append(f"{_OTHERS} ({sorted(rule.keys() - _RULE_KEYS)})")
    return " ".join(found)


def _network(text: str, key: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise Failure(f"{key} has {text}: expected an IPv4 network ({error})") from error


def target(denied: Sequence[str], allowed: Sequence[str]) -> str:
    """Return an address that packets of the flock must not find a way to, and that the kernel would route; or nothing.

    Addresses of this host are no concern of routing: of a network, the second address is as good as the first.
    """
    exceptions = [_network(text, "allowed") for text in allowed]
    for network in (_network(text, "denied") for text in denied):
        usual = not (network.is_loopback or network.is_multicast or network.is_reserved or network[0].is_unspecified)
        if usual and not any(network.overlaps(exception) for exception in exceptions):
            return str(network[min(1, network.num_addresses - 1)])
    return ""


class PolicyRules:
    """The rules at `rule_priority` and behind it, and the routing table of denied networks."""

    name = "policy rules"
    fixed = True

    def __init__(self, site: Mapping[str, Any], applied: Applied) -> None:
        self.site = site
        self.applied = applied
        self.first = int(site["rule_priority"])
        self.table = str(site["route_table"])

    @property
    def end(self) -> int:
        """Return the first priority behind these rules."""
        return self.first + len(self._wanted_rules())

    def _wanted_rules(self) -> list[str]:
        vlan, subnet = self.site["interface"], self.site["subnet"]
        mark = int(self.site["mark"])
        marked = _marked(mark)
        # That a packet was too long comes from routers with denied addresses, too. Where rp_filter is on, the kernel asks for
        # the way back to them as for a packet from the VLAN; it has a mark for which there is one. Version 1.0 had no such mark.
        either = _marked(mark, _ALL_BITS ^ mark ^ int(self.site.get("too_long_mark", mark)))
        # Not by the default route, or a wider one, while the VLAN's interface is not there.
        by_vlan = f"lookup main suppress_prefixlength {_network(subnet, 'subnet').prefixlen - 1}"
        return [
            f"iif lo to {subnet} {by_vlan}",
            f"iif {vlan} {marked} lookup {self.table}",
            f"iif {vlan} {either} lookup main",
            f"iif {vlan} blackhole",
            f"to {subnet} {either} {by_vlan}",
            f"to {subnet} blackhole",
        ]

    def _wanted_routes(self) -> dict[ipaddress.IPv4Network, str]:
        found = {_network(text, "denied"): "blackhole" for text in self.site["denied"]}
        return {**found, **{_network(text, "allowed"): "throw" for text in self.site["allowed"]}}

    def apply(self) -> None:
        """Bring rules and table into the wanted form. Where that is not adding alone, two rules close the VLAN meanwhile.

        Raises:
            Failure: this host looks for its own addresses behind these rules, which would drop what is for the host itself.
        """
        if not self._local_comes_first(_listed()):
            raise Failure(
                f"no policy rule 'from all lookup local' comes before the flock's, which begin at {self.first - 1}: "
                f"expected it at 0, as the kernel sets it, or before {self.first - 1}"
            )
        self.applied.note()
        wanted = list(enumerate(self._wanted_rules(), self.first))
        routes = self._wanted_routes()
        there = [(rule["priority"], words(rule)) for rule in self._rules(self.first - 1, self.end)]
        before = self.first - 1
        found = self._routes()
        if there != wanted or found is None:
            closing = [(before, f"iif {self.site['interface']} blackhole"), (before, f"to {self.site['subnet']} blackhole")]
            self._add(rule for rule in closing if rule not in there)
            self._delete(self.first, self.end)
            if found is None:
                run("ip", "-4", "route", "flush", "table", self.table)
            self._set_routes(found or {}, routes)
            self._add(wanted)
            self._delete(before, self.first)
        else:
            self._set_routes(found, routes)
        self._remove_earlier()

    def _rules(self, first: int, end: int) -> list[dict[str, Any]]:
        """Return the rules from one priority to another, those of the barrier left out."""
        vlan = self.site["interface"]
        return [rule for rule in rules() if first <= rule["priority"] < end and not is_barrier(rule, vlan)]

    def _remove_earlier(self) -> None:
        """Take away what other settings left, and nothing that another hand has put there."""
        for place in self.applied.earlier():
            there = self._rules(place.first, place.first + PRIORITIES)
            left = [rule for rule in there if not self.first - 1 <= rule["priority"] < self.end]
            left = [rule for rule in left if "protocol" not in rule and _OTHERS not in words(rule)]
            self._batch(map(self._deletion, left))
            if place.table != self.applied.current.table and self._show_routes(table=place.table):
                for kind in ("blackhole", "throw"):
                    run("ip", "-4", "route", "flush", "table", str(place.table), "type", kind, "protocol", PROTOCOL)

    @staticmethod
    def _deletion(rule: Mapping[str, Any]) -> str:
        text = words(rule)
        # What another hand has put among ours may have what has no words here.
        return f"rule del pref {rule['priority']} {'' if _OTHERS in text else text}"

    def _set_routes(self, there: Mapping[ipaddress.IPv4Network, str], wanted: Mapping[ipaddress.IPv4Network, str]) -> None:
        lines = [f"replace {kind} {network}" for network, kind in wanted.items() if there.get(network) != kind]
        lines += [f"del {kind} {network}" for network, kind in there.items() if network not in wanted]
        self._batch(f"route {line} table {self.table} protocol {PROTOCOL}" for line in lines)

    def _add(self, wanted: Iterable[tuple[int, str]]) -> None:
        self._batch(f"rule add pref {priority} {text} protocol {PROTOCOL}" for priority, text in wanted)

    def _delete(self, first: int, end: int) -> None:
        self._batch(map(self._deletion, self._rules(first, end)))

    @staticmethod
    def _batch(lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        if text:
            run("ip", "-4", "-batch", "-", given=text)

    def _show_routes(self, *options: str, table: int | None = None) -> str:
        # A table that never had a route is an error to some versions of ip.
        try:
            return run("ip", *options, "-4", "route", "show", "table", str(table or self.table))
        except Failure:
            return ""

    def _routes(self) -> dict[ipaddress.IPv4Network, str] | None:
        """Return what kind of route the table has for which network, or nothing where it has others than ours."""
        found: dict[ipaddress.IPv4Network, str] = {}
        for route in json.loads(self._show_routes("-json") or "[]"):
            network = ipaddress.IPv4Network("0.0.0.0/0" if route["dst"] == "default" else route["dst"])
            if route.keys() - _ROUTE_KEYS or network in found:
                return None
            found[network] = route.get("type", "unicast")
        return found

    def state(self, thorough: bool) -> str:
        """Return our rules and routes as ip prints them, whether the interface is there yet or not."""
        low, high, listed = self.first - 1, self.end, _listed()
        if not self._local_comes_first(listed):
            return MISSING
        shown = [line for line in listed if low <= _priority(line) < high]
        return "\n".join([*shown, self._show_routes()]).replace(" [detached]", "")

    def _local_comes_first(self, listed: Iterable[str]) -> bool:
        """Return whether routing looks for this host's own addresses first; those who use VRFs move that rule to 32765."""
        return any(_priority(line) < self.first - 1 and line.split()[1:] == _LOCAL for line in listed)

    def earlier(self) -> list[str]:
        """Return, in words, the rules of another hand that routing asks before ours."""
        first = self.first - 1
        others = [line.split() for line in _listed() if _priority(line) < first and line.split()[1:] != _LOCAL]
        return [f"policy rule {' '.join(line)} comes before the flock's, which begin at {first}" for line in others]

    def remove(self) -> None:
        """Take rules and table away, the ones that close at the end."""
        self._remove_earlier()
        self._delete(self.first - 1, self.end)
        if self._show_routes():
            run("ip", "-4", "route", "flush", "table", self.table)
        self.applied.forget()
