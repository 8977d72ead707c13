# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the command line prints: tables by rich where that is installed (python3-rich), plain columns otherwise."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import import_module
from typing import Any, TextIO

from ..decide.plural import amount
from ..model import PairState

COLOURS = {
    PairState.LOCAL.value: "green",
    PairState.DRAINING_LOCAL.value: "yellow",
    PairState.FLOCK.value: "cyan",
    PairState.DRAINING_FLOCK.value: "yellow",
    PairState.UNKNOWN.value: "magenta",
    PairState.CONFLICT.value: "bold red",
    PairState.QUARANTINED.value: "red",
    PairState.HELD.value: "blue",
    PairState.OFF.value: "white",
}
_HEAD = ("NODE", "STATE", "SINCE", "CORES", "LOCAL", "FOREIGN", "VERIFIED", "MONITORING", "REASON")
_NUMBERS = ("CORES", "LOCAL", "FOREIGN")


def age(seconds: int) -> str:
    """A number of seconds in its largest unit: ``45 s``, ``12 min``, ``3 h``, ``5 d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"


def moment(epoch: int) -> str:
    """Epoch seconds as a date in UTC."""
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ") if epoch else "never"


def _ago(epoch: int, now: int) -> str:
    return age(now - epoch) if epoch else "-"


def _row(node: Mapping[str, Any], now: int) -> tuple[str, ...]:
    verified = node["verification"]
    return (
        node["name"],
        node["state"],
        _ago(node["since"], now),
        str(node["cores"]),
        str(node["local_jobs"]),
        str(node["foreign_jobs"]),
        f"{verified['result']}, {_ago(verified['time'], now)} ago" if verified else "never",
        "silenced" if node["silenced"] else "on",
        node["reason"],
    )


def totals(nodes: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> list[str]:
    """Lines that follow the table."""
    cycle = whole["cycle"]
    states = Counter(node["state"] for node in nodes)
    lines = [
        f"{amount(len(nodes), 'node')}: " + (", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"),
        f"{amount(cycle['cores'], 'core')}: {cycle['local_cores']} open to local jobs, {cycle['lent_cores']} not; "
        f"reserve: {amount(cycle['reserve_cores'], 'core')}",
        f"local jobs: {sum(node['local_jobs'] for node in nodes)} running, {cycle['idle_jobs']} waiting, "
        f"{amount(cycle['demand_cores'], 'core')} of these could run here; "
        f"foreign jobs: {sum(node['foreign_jobs'] for node in nodes)} running",
        f"policy {cycle['policy']}: {cycle['wish']}",
    ]
    lines += [f"held: {reason}" for reason in cycle["frozen"]]
    if cycle["off"]:
        lines.append(cycle["off"])
    if cycle["breaker"]:
        lines.append("nothing more is lent: too many commands failed")
    return lines


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they have to be; numbers to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [cell.rjust(width) if name in _NUMBERS else cell.ljust(width) for cell, width, name in zip(row, widths, head)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _rich_table(rows: Sequence[Sequence[str]], out: TextIO, colour: bool) -> bool:
    """Print by rich; whether there is one."""
    try:
        console, table = import_module("rich.console"), import_module("rich.table")
    except ImportError:
        return False
    made = table.Table(box=None, pad_edge=False, header_style="bold")
    for name in _HEAD:
        made.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=name != "REASON")
    text = import_module("rich.text").Text
    for row in rows:
        # Not as markup: reasons have brackets of people's own in them.
        made.add_row(*(text(cell, style=COLOURS.get(row[1], "") if name == "STATE" else "") for name, cell in zip(_HEAD, row)))
    width = shutil.get_terminal_size((160, 24)).columns if out.isatty() else 160
    console.Console(file=out, width=width, force_terminal=colour, no_color=not colour).print(made)
    return True


def status(nodes: Sequence[Mapping[str, Any]], whole: Mapping[str, Any], out: TextIO, *, colour: bool) -> None:
    """The table of all nodes, and what there is to say of all of them."""
    rows = [_row(node, whole["taken"]) for node in nodes]
    if not _rich_table(rows, out, colour):
        out.write("\n".join(plain_table(_HEAD, rows)) + "\n")
    out.write("\n" + "\n".join(totals(nodes, whole)) + "\n")


def plan(nodes: Sequence[Mapping[str, Any]], whole: Mapping[str, Any], out: TextIO) -> None:
    """What the next cycle would do."""
    doing = [node for node in nodes if node["actions"]]
    for node in doing:
        out.write(f"{node['name']} ({node['state']}): {', '.join(node['actions'])}\n    {node['reason']}\n")
    if not doing:
        out.write("Nothing would be done.\n")
    out.write("\n" + "\n".join(totals(nodes, whole)) + "\n")


def explain(node: Mapping[str, Any], whole: Mapping[str, Any], out: TextIO) -> None:
    """All that is known of one node."""
    now = whole["taken"]
    verified = node["verification"]
    lines = [
        ("node", node["name"]),
        ("state", f"{node['state']} since {moment(node['since'])}"),
        ("wanted for", node["wanted"] or "left as it is"),
        ("reason", node["reason"]),
        ("the next cycle", ", ".join(node["actions"]) or "does nothing to it"),
        (
            "regular side",
            f"{node['regular'] or 'no ad'}, {amount(node['local_jobs'], 'job')}, "
            f"{node['free_cores']} of {amount(node['cores'], 'core')} free",
        ),
        (
            "flocking side",
            f"{node['flocking'] or 'no ad'}, {amount(node['foreign_jobs'], 'job')}, lease until {moment(node['open_until'])}",
        ),
        (
            "last verification",
            f"{verified['result']}, {_ago(verified['time'], now)} ago, rules {verified['rules_hash'][:12] or 'not said'}"
            if verified
            else "never",
        ),
        ("monitoring", "silenced" if node["silenced"] else "on"),
        ("failures in a row", str(node["failures"])),
        ("the pool", whole["cycle"]["wish"]),
        *(("held", reason) for reason in whole["cycle"]["frozen"]),
    ]
    width = max(len(name) for name, _text in lines)
    out.write("\n".join(f"{name.ljust(width)}  {text}" for name, text in lines) + "\n")
