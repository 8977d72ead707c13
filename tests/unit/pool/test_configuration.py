"""HTCondor's configuration: what is read of it, and the order in which a daemon looks for a parameter."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration import tools
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.assignments import assignments
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.definitions import parse
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.lookup import order
from ansible_collections.sheepfold.htcondor.plugins.module_utils.configuration.running import names_of

DUMP = """\
# Configuration from machine: p220

# Parameters with names that match ^(X|Y)$:
Collector.Deny_Read = a $(DENY_READ)
 # at: /etc/condor/config.d/20-site.conf, line 7
 # expanded: a b
DAEMON_LIST @=end
   MASTER
   LOG = not a definition
@end
 # at: /etc/condor/condor_config.local, line 2, use ROLE:Execute+1
 # expanded:
 #     MASTER
EMPTY =
 # at: <Default>
"""


def test_a_dump_is_read_with_its_places() -> None:
    found = parse(DUMP)
    assert {name: (each.name, each.raw, each.place) for name, each in found.items()} == {
        "COLLECTOR.DENY_READ": ("Collector.Deny_Read", "a $(DENY_READ)", "/etc/condor/config.d/20-site.conf, line 7"),
        "DAEMON_LIST": ("DAEMON_LIST", "MASTER\n   LOG = not a definition", "/etc/condor/condor_config.local, line 2"),
        "EMPTY": ("EMPTY", "", "<Default>"),
    }


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_a_line_feed_ends_a_line_as_for_htcondor(mark: str) -> None:
    """What Python takes for the end of a line as well would make a definition out of the rest of a value."""
    found = parse(f"NOTE = one{mark}START = true\n # at: /etc/condor/condor_config, line 3\n")
    assert {name: each.raw for name, each in found.items()} == {"NOTE": f"one{mark}START = true"}
    assert [each.base for each in assignments(f"NOTE = one{mark}START = true\n")] == ["NOTE"]


def test_a_daemons_own_names_come_first() -> None:
    assert order("START", "STARTD") == ["STARTD.START", "START"]
    names = order("DENY_ADVERTISE_STARTD", "COLLECTOR", "SECOND")
    assert names[:6] == [
        "SECOND.DENY_ADVERTISE_STARTD_COLLECTOR",
        "COLLECTOR.DENY_ADVERTISE_STARTD_COLLECTOR",
        "DENY_ADVERTISE_STARTD_COLLECTOR",
        "SECOND.DENY_ADVERTISE_STARTD",
        "COLLECTOR.DENY_ADVERTISE_STARTD",
        "DENY_ADVERTISE_STARTD",
    ]
    assert [name for name in names if "." not in name][2:] == [
        "DENY_DAEMON_COLLECTOR",
        "DENY_DAEMON",
        "DENY_DEFAULT_COLLECTOR",
        "DENY_DEFAULT",
    ]


@pytest.mark.parametrize(
    ("line", "appends", "words"),
    [
        ("DENY_READ = $(DENY_READ) 10.0.0.0/8", True, ["10.0.0.0/8"]),
        ("DENY_READ = $(DENY_READ:$(DENY_DEFAULT)) a, b@c", True, ["a", "b@c"]),
        ("SCHEDD.ALLOW_READ = $(ALLOW_READ) $(FLOCK_SHEPHERD)", True, ["$(FLOCK_SHEPHERD)"]),
        ("START = ($(START)) && False", True, None),
        ("START = $(START) && False", True, None),
        ("FLOCK_TO = $(FLOCK_TOO) a", False, None),
        ("X =", False, None),
    ],
)
def test_what_is_appended_is_told_from_what_is_not(line: str, appends: bool, words: list[str] | None) -> None:
    (each,) = assignments(f"# DENY_READ = x\n{line}\n")
    assert (each.appends, each.words) == (appends, words)


def test_a_running_daemon_is_asked_for_what_it_looks_for() -> None:
    text = "DENY_READ = $(DENY_READ) a\nCOLLECTOR.DENY_READ = $(DENY_READ) a b\nDENY_READ_SCHEDD = $(DENY_READ_SCHEDD) a\nX = 1\n"
    assert names_of([text], "COLLECTOR") == ["DENY_READ_COLLECTOR", "DENY_READ", "DENY_DEFAULT_COLLECTOR", "DENY_DEFAULT"]


def test_each_question_has_one_answer_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "condor_config_val"
    lines = ("@sheepfold@0 MASTER", " COLLECTOR @sheepfold@", "@sheepfold@1  @sheepfold@", "@sheepfold@2 1 @sheepfold@")
    tool.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = tools.values("/dev/null", tools.DaemonView(), {"DAEMON_LIST": "$(DAEMON_LIST)", "NONE": "$(NONE)", "LAST": "$(LAST)"})
    assert found == {"DAEMON_LIST": "MASTER COLLECTOR", "NONE": "", "LAST": "1"}
