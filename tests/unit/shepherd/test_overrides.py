"""Files by which people switch off and hold."""

from __future__ import annotations

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.decide import overrides
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.model import Override, OverrideKind
from hypothesis import given
from hypothesis import strategies as st

WHOLE = """
# from the shift
owner: alice
reason: power work: row 3   # until Thursday
expires: 2026-12-24T08:00:00+01:00
mode: evict
nodes: p220, p221 p222
"""


def parse(text: str, kind: OverrideKind = OverrideKind.OFF) -> overrides.Parsed:
    return overrides.parse(text, source="/tmp/flockoff", owner="root", kind=kind)


def test_an_empty_file_switches_everything_off() -> None:
    assert parse("") == overrides.Parsed(Override(OverrideKind.OFF, "root", "no reason given", source="/tmp/flockoff"))


def test_a_whole_file() -> None:
    expected = Override(
        OverrideKind.HOLD, "alice", "power work: row 3", 1798095600, True, frozenset({"p220", "p221", "p222"}), "/tmp/flockoff"
    )
    assert parse(WHOLE, OverrideKind.HOLD) == overrides.Parsed(expected)


@pytest.mark.parametrize(
    ("text", "expires"),
    [("1798095600", 1798095600), ("2026-12-24T07:00:00Z", 1798095600), ("2026-12-24 07:00:00+00:00", 1798095600)],
)
def test_moments(text: str, expires: int) -> None:
    assert parse(f"expires: {text}").override.expires == expires


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("off please", "line 1 is 'off please': expected one line each of owner"),
        ("owner: a\nowner: b", "line 2 is 'owner: b'"),
        ("colour: red", "line 1 is 'colour: red'"),
        ("expires: tomorrow", "expires is 'tomorrow': expected a date with its offset"),
        ("expires: 2026-12-24T07:00:00", "expected a date with its offset"),
        ("expires: 99999999999999\nnodes: p1", "expires is '99999999999999': expected a date"),
        ("expires: 999999999999999999999999\nnodes: p1", "expected a date"),
        ("mode: kill\nnodes: p1", "mode is 'kill': expected drain or evict"),
    ],
)
def test_what_cannot_be_read_switches_everything_off(text: str, words: str) -> None:
    parsed = parse(text)
    assert words in parsed.problem and parsed.problem.startswith("/tmp/flockoff: ")
    assert (parsed.override.kind, parsed.override.expires, parsed.override.evict) == (OverrideKind.OFF, 0, False)
    assert parsed.override.nodes == frozenset()


_WORD = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="#,"), min_size=1)


@given(
    st.builds(
        Override,
        kind=st.just(OverrideKind.OFF),
        owner=_WORD,
        reason=st.lists(_WORD, min_size=1).map(" ".join),
        expires=st.integers(0, 4_000_000_000),
        evict=st.booleans(),
        nodes=st.frozensets(_WORD),
        source=st.just("/tmp/flockoff"),
    )
)
def test_what_is_written_is_read_back(override: Override) -> None:
    assert parse(overrides.render(override)) == overrides.Parsed(override)


@given(st.text())
def test_any_text_is_an_override(text: str) -> None:
    assert parse(text).override.kind is OverrideKind.OFF


def test_what_is_in_force() -> None:
    never, ends = Override(OverrideKind.OFF, "a", "x"), Override(OverrideKind.OFF, "a", "x", expires=100)
    assert overrides.in_force([never, ends], 99) == (never, ends)
    assert overrides.in_force([never, ends], 100) == (never,)


def test_which_applies_to_a_node() -> None:
    drain, evict = Override(OverrideKind.OFF, "a", "x"), Override(OverrideKind.OFF, "b", "y", evict=True, nodes=frozenset({"p1"}))
    hold = Override(OverrideKind.HOLD, "c", "z", nodes=frozenset({"p2"}))
    every = [drain, evict, hold]
    assert overrides.for_node(every, "p1", OverrideKind.OFF) is evict
    assert overrides.for_node(every, "p2", OverrideKind.OFF) is drain
    assert overrides.for_node(every, "p2", OverrideKind.HOLD) is hold
    assert overrides.for_node(every, "p1", OverrideKind.HOLD) is None


def test_whose_file_counts() -> None:
    assert overrides.is_honoured("root", ["root", "shepherd"])
    assert not overrides.is_honoured("mallory", ["root"])
