"""What came of an attack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What came of an attack in one place: whether it succeeded, and in words how, or why not."""

    breach: bool
    words: str = ""


BLOCKED = Answer(False)


def answer(breach: bool, words: str) -> Answer:
    """An answer whose words are about a breach."""
    return Answer(breach, words if breach else "")
