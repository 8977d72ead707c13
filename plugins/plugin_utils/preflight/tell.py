# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that is wrong on all hosts, each sentence once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_NAMED = 3


def tell(problems: Mapping[str, Sequence[str]]) -> list[str]:
    """Return every sentence once, with the hosts that it is about where it names none and is not about all of them.

    Args:
        problems: the sentences by host.
    """
    hosts: dict[str, list[str]] = {}
    for host, sentences in problems.items():
        for sentence in dict.fromkeys(sentences):
            hosts.setdefault(sentence, []).append(host)
    return [
        sentence if len(about) == len(problems) or _names_one(sentence, about) else f"{_some(about)}: {sentence}"
        for sentence, about in hosts.items()
    ]


def _names_one(sentence: str, about: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", sentence) for host in about)


def _some(about: Sequence[str]) -> str:
    more = len(about) - _NAMED
    return ", ".join(about[:_NAMED]) + (f" and {more} more" if more > 0 else "")
