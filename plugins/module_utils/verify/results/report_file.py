# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report on disk: ``verify.json`` and ``verify.xml``. Each batch of nodes adds its own to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import report
from .report import Entry


class Unreadable(Exception):
    """The report of the batches before cannot be added to; its text is for the user."""


def read(path: Path) -> tuple[list[Entry], dict[str, Any]]:
    """Return the entries of a ``verify.json`` and the hashes of the rules that ran, by host.

    Raises:
        Unreadable: it is missing, or no report of this format.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["format"] != report.FORMAT:
            raise Unreadable(f"{path} has format {body['format']!r}: expected {report.FORMAT}; run all batches again")
        entries = [Entry(**{key: item[key] for key in ("probe", "what", "sender", "result", "why")}) for item in body["results"]]
        return entries, dict(body["rules"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{path} cannot be read ({error}): expected the report of the batches before this one") from error


def write(directory: Path, entries: Sequence[Entry], more: Mapping[str, Any], *, begin: bool) -> None:
    """Write the report of one batch, behind those of the batches before unless it is to ``begin`` anew.

    Args:
        directory: where to; made if missing.
        entries: of this batch.
        more: ``time``, ``rules`` by host, and whether the report is ``complete`` with this batch.
        begin: forget what an earlier run has left there.

    Raises:
        OSError: the directory cannot be written to.
        Unreadable: the report of the batches before cannot be read.
    """
    directory.mkdir(parents=True, exist_ok=True)
    before, rules = ([], {}) if begin else read(directory / "verify.json")
    together = [*before, *entries]
    body = report.as_json(together, {**more, "rules": {**rules, **more["rules"]}})
    # Each file is there whole or as it was: a run that is ended leaves the batches before.
    for name, text in (("verify.json", body), ("verify.xml", report.as_junit(together, more["time"]))):
        part = directory / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.rename(directory / name)
