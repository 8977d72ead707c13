"""Progress for people: what is being done, and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class LabError(Exception):
    """Something the user must know, in one sentence."""


def note(text: str) -> None:
    """Print one line of progress."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what begins now, and at its end how many seconds it took."""
    note(f"{text} …")
    start = time.monotonic()
    yield
    note(f"{text}: {time.monotonic() - start:.1f} s")
