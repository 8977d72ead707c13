# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A week under each controller as a picture: `python -m tests.bench.policy.plot FILE`.

Its layers are told apart by patterns, not by colour alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from plugins.module_utils.shepherd.simulate.simulation import CycleView

from .loads import DAY, satellite_site
from .runs import CONTROLLERS, baseline, cores, play

SEED, FIRST_DAY, DAYS = 1, 3, 7
STEP = 1800
"""seconds from one point to the next"""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, GAP, QUEUE = 720, 120, 70, 16, 58, 30, 34
"""of a panel and what is around it, in pixels; QUEUE: height of the strip for the local queue"""
QUEUE_TOP = 1000
"""waiting jobs at the top of that strip"""

LAYERS = (
    ("local", "local jobs run", "#1b4f72", ""),
    ("free", "open to local jobs, free", "#ffffff", '<circle cx="3" cy="3" r="1" fill="#555"/>'),
    ("moving", "on its way, empty", "#f5b041", '<path d="M0 6 6 0" stroke="#000" stroke-width="1.6"/>'),
    ("foreign", "foreign jobs run", "#d4e6f1", '<path d="M0 3H6" stroke="#2980b9" stroke-width="0.8"/>'),
)

STYLE = """text{font:12px sans-serif;fill:#111}.title{font-size:13px;font-weight:bold}.head{font-size:15px;font-weight:bold}
.axis{stroke:#111;stroke-width:1;fill:none}.grid{stroke:#111;stroke-opacity:.25;stroke-dasharray:2 3}
.queue{fill:#922b21;stroke:#922b21;stroke-width:1}"""


def layers(look: CycleView, total: int) -> list[int]:
    """Return the cores of each layer, which are all cores together."""
    closed = total - look.open
    return [look.used, look.open - look.used, max(0, closed - look.foreign), min(look.foreign, closed)]


def across(time: int, begin: int) -> float:
    """Return the place of a moment on the horizontal axis."""
    return LEFT + (time - begin) / (DAYS * DAY) * WIDTH


def area(upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]]) -> str:
    """Return a path between two lines."""
    points = [*upper, *reversed(lower)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def panel(title: str, looks: Sequence[CycleView], total: int, top: int, begin: int) -> list[str]:
    """Draw one controller's week: the cores, and below them the local jobs that wait."""
    bottom = top + HEIGHT
    made = [f'<text class="title" x="{LEFT}" y="{top - 6}">{title}</text>']
    lower = [(across(look.time, begin), float(bottom)) for look in looks]
    sums = [0] * len(looks)
    for number, (name, _label, _colour, _pattern) in enumerate(LAYERS):
        sums = [below + layers(look, total)[number] for below, look in zip(sums, looks)]
        upper = [(x, bottom - HEIGHT * height / total) for (x, _y), height in zip(lower, sums)]
        made.append(f'<path d="{area(upper, lower)}" fill="url(#{name})" stroke="#111" stroke-width="0.4"/>')
        lower = upper
    base = bottom + 6 + QUEUE
    line = [(across(look.time, begin), base - QUEUE * min(1, look.idle / QUEUE_TOP)) for look in looks]
    made.append(f'<path class="queue" d="{area(line, [(x, float(base)) for x, _y in line])}"/>')
    made.append(f'<path class="axis" d="M{LEFT} {top}V{bottom}H{LEFT + WIDTH}M{LEFT} {bottom + 6}V{base}H{LEFT + WIDTH}"/>')
    made += [
        f'<text x="{LEFT - 6}" y="{bottom - HEIGHT * part / 4 + 4:.0f}" text-anchor="end">{total * part // 4}</text>'
        for part in (0, 2, 4)
    ]
    made.append(f'<text x="{LEFT - 6}" y="{bottom + 18}" text-anchor="end">{QUEUE_TOP} wait</text>')
    for day in range(DAYS + 1):
        x = LEFT + WIDTH * day / DAYS
        made.append(f'<path class="grid" d="M{x:.1f} {top}V{base}"/>')
        made.append(f'<text x="{x:.1f}" y="{base + 14}" text-anchor="middle">{FIRST_DAY + day}</text>')
    return made


def svg(weeks: dict[str, Sequence[CycleView]], total: int, begin: int) -> str:
    """Return the whole picture."""
    step = HEIGHT + QUEUE + 6 + GAP + 14
    height = TOP + len(weeks) * step + 30
    width = LEFT + WIDTH + RIGHT
    made = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        'aria-labelledby="title desc">',
        "<title id='title'>A week of a pool under three controllers</title>",
        "<desc id='desc'>Cores with local jobs, free for them, on their way, with foreign jobs; local jobs that wait</desc>",
        f"<style>{STYLE}</style><defs>",
    ]
    for name, _label, colour, pattern in LAYERS:
        made.append(
            f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse">'
            f'<rect width="6" height="6" fill="{colour}"/>{pattern}</pattern>'
        )
    made.append(f'</defs><rect width="{width}" height="{height}" fill="#fff"/>')
    made.append(
        f'<text class="head" x="{LEFT}" y="18">{total} cores, days {FIRST_DAY} to {FIRST_DAY + DAYS} of seed {SEED}</text>'
    )
    for number, (name, label, _colour, _pattern) in enumerate(LAYERS):
        x = LEFT + number * 180
        made.append(f'<rect x="{x}" y="26" width="18" height="11" fill="url(#{name})" stroke="#111"/>')
        made.append(f'<text x="{x + 24}" y="36">{label}</text>')
    for number, (title, looks) in enumerate(weeks.items()):
        made += panel(title, looks, total, TOP + number * step + 6, begin)
    made.append(f'<text x="{LEFT + WIDTH / 2:.0f}" y="{height - 8}" text-anchor="middle">day</text></svg>')
    return "\n".join(made) + "\n"


def week(looks: Sequence[CycleView], begin: int) -> list[CycleView]:
    """Return what is drawn of what was seen."""
    return [look for look in looks if begin <= look.time <= begin + DAYS * DAY and look.time % STEP == 0]


def main() -> None:
    """Replay as many days as it takes, and write the file."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.bench.policy.plot FILE")
    whole, seconds = satellite_site(SEED), (FIRST_DAY + DAYS) * DAY
    load = replace(whole, jobs=tuple(job for job in whole.jobs if job.submitted < seconds), seconds=seconds)
    base = baseline(load)
    begin = FIRST_DAY * DAY
    weeks: dict[str, Sequence[CycleView]] = {}
    for controller in CONTROLLERS:
        looks: list[CycleView] = []
        play(base, controller, looks.append)
        weeks[controller] = week(looks, begin)
    Path(sys.argv[1]).write_text(svg(weeks, cores(load.plant), begin), encoding="utf-8")


if __name__ == "__main__":
    main()
