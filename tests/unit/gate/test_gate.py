"""The gate's own parts: what has an end, what starts with default signals, and the table of what took longest."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import report, slowest

ROOT = Path(__file__).resolve().parents[3]
_CHILD = """
import subprocess
from tests.support import signals
signals.restore()
print(subprocess.run(["grep", "SigIgn", "/proc/self/status"], capture_output=True, text=True).stdout.split()[1])
"""


def _ignoring(signals: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["env", f"--ignore-signal={signals}", *words], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )


def test_what_tests_start_has_default_signals_whatever_was_ignored() -> None:
    # Without those above 31: the C library keeps two for itself, which posix_spawn(3) leaves ignored.
    assert int(_ignoring("HUP,INT,QUIT,CHLD", sys.executable, "-c", _CHILD).stdout, 16) & 0x7FFFFFFF == 0
    # What tells that this test would see it.
    assert int(_ignoring("HUP", sys.executable, "-c", _CHILD.replace("signals.restore()", "")).stdout, 16) & 1 == 1


def test_a_test_that_hangs_fails_with_its_stack(tmp_path: Path) -> None:
    test = tmp_path / "test_hangs.py"
    test.write_text("import pytest, time\n@pytest.mark.timeout(1)\ndef test_hangs():\n    time.sleep(600)\n")
    words = [sys.executable, "-m", "pytest", "-q", str(test)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert ran.returncode == 1
    assert "Timeout (>1.0s)" in ran.stdout and "time.sleep(600)" in ran.stdout


def test_each_test_has_an_end(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("timeout")
    assert marker is not None and marker.args == (300,)


def test_a_step_that_does_not_end_is_ended(tmp_path: Path) -> None:
    times = tmp_path / "times"
    began = time.monotonic()
    ran = subprocess.run(
        ["env", f"SHEEPFOLD_TIMES={times}", "tools/step", "-e", "1", "a hang", "sleep", "600"],
        capture_output=True, text=True, cwd=ROOT, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 124 and time.monotonic() - began < 100
    assert "a hang: had not ended after 1 s and was ended" in ran.stderr
    assert times.read_text().split("\t")[1:] == ["failed", "a hang\n"]


def test_the_slowest_come_first_and_other_targets_are_looked_into(tmp_path: Path) -> None:
    (tmp_path / "all.tsv").write_text("30\tpassed\tmake one\n9\tfailed\tmake two\n")
    (tmp_path / "one.tsv").write_text("".join(f"{number}\tpassed\ttest {number}\n" for number in range(12)))
    (tmp_path / "two.tsv").write_text("8.5\tfailed\ta step\n")
    lines = slowest.table("all", tmp_path)
    assert lines[:4] == [
        "--- make one: passed, 30 s",
        "--- make two: failed, 9 s",
        "--- all: the slowest 10 of 13, 74 s of work in all",
        "    11.0 s  passed  test 11",
    ]
    assert "     8.5 s  failed  a step" in lines
    assert slowest.table("none", tmp_path) == []
    page = report.page("all", slowest.targets("all", tmp_path), "2026-12-01", "abc")
    assert "Commit abc: 1 of 2 targets passed in 1 min." in page
    assert "| `make one` | passed | 30 s | 12 passed |" in page
    assert page.endswith("| `a step` | failed | 8 s |\n")


def _spinners(marker: str) -> list[str]:
    """Processes of a busy that is known by a word of its environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if marker.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def test_busy_ends_with_its_command_or_by_itself(tmp_path: Path) -> None:
    marker = f"BUSY={tmp_path}"
    words = ["env", marker, "tools/busy", "600", "sh", "-c", "exit 3"]
    assert subprocess.run(words, cwd=ROOT, timeout=120, check=False).returncode == 3
    assert _spinners(marker) == []
    alone = subprocess.Popen(["env", marker, "tools/busy", "2"], cwd=ROOT)
    end = time.monotonic() + 120
    while len(_spinners(marker)) < 2:
        assert time.monotonic() < end
    # Whatever happens to it.
    alone.kill()
    alone.wait()
    while _spinners(marker):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_busy_refuses_what_is_no_number() -> None:
    refused = subprocess.run(["tools/busy", "x"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "expected a whole number" in refused.stderr
