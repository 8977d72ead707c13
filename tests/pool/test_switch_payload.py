"""Payloads: a pilot job has the switch run another user's job as an account that is neither's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import switch_site
from condor_harness import Root
from execute_point import ACCOUNTS, EXECUTE, FIRST_ID, ExecutePoint

_COMPLETED = 4
_PILOTS = ("payload_caller", "alice@site.test")
_UIDS = [number for _, number in ACCOUNTS]


@pytest.fixture(scope="module")
def site(execute_root: Root) -> Iterator[ExecutePoint]:
    with ExecutePoint(execute_root) as made:
        switch_site.install(made)
        yield made


@pytest.fixture(autouse=True)
def _pilots_may(site: ExecutePoint) -> None:
    switch_site.configure(site, _PILOTS, ("payload_preserve", "KEEP_*"), ("payload_preserve", "LANG"))


def _submit(site: ExecutePoint, pilot: str, payload: str, *lines: str) -> str:
    """A pilot job with a payload's executable beside it."""
    site.world.write("/home/alice/payload.sh", f"#!/bin/sh\n{payload}", mode=0o755)
    return site.shell(f"#!/bin/sh\n{pilot}", "transfer_input_files = payload.sh", *lines)


def _run(site: ExecutePoint, pilot: str, payload: str, *lines: str) -> list[str]:
    """The pilot's output."""
    site.pool.wait_job(site.cm, _submit(site, pilot, payload, *lines), _COMPLETED)
    return site.world.read("/home/alice/out").splitlines()


def test_a_payload_runs_as_an_account_of_its_own(site: ExecutePoint) -> None:
    cluster = _submit(
        site,
        "id -u\npwd\necho input | KEEP_ME=kept LOSE_ME=lost PYTHONPATH=. LANG=C "
        "sheepfold-payload --owner bob -- ./payload.sh one 'two words' '' '*' 2>its_errors\necho code $?\ncat its_errors\n",
        """\
id -u; id -G; pwd; ls -A; cat
printf '[%s]\\n' "$@"
env | sort | sed 's/^/env /'
echo error >&2
echo x >made
exit 7
""",
    )
    site.pool.wait_job(site.cm, cluster, _COMPLETED)
    pilot, where, uid, groups, directory, *rest = site.world.read("/home/alice/out").splitlines()
    assert (pilot, uid, groups) == (str(FIRST_ID), str(FIRST_ID + 1), str(FIRST_ID + 1))
    assert directory.startswith(f"{EXECUTE}/dir_")
    assert directory != where
    told = [line for line in rest if not line.startswith("env ")]
    assert told == ["payload", "input", "[one]", "[two words]", "[]", "[*]", "code 7", "error"]
    names = {line.split()[1].partition("=")[0] for line in rest if line.startswith("env ")}
    assert names == {"HOME", "KEEP_ME", "LANG", "PATH", "PWD", "TMPDIR", "USER"}
    assert "env LANG=C" in rest
    assert not (site.world.root / directory.lstrip("/")).exists()

    start, end = (switch_site.record(site, cluster, event, "payload") for event in ("start", "end"))
    for record in (start, end):
        assert record["SHEEPFOLD_OWNER"] == record["SHEEPFOLD_USER"] == "bob"
        assert record["SHEEPFOLD_PILOT"] == "alice@site.test"
        assert record["SHEEPFOLD_ACCOUNT"] == ACCOUNTS[1][0]
        assert record["SHEEPFOLD_EXECUTABLE"] == f"{directory}/payload"
        assert record["SHEEPFOLD_NAMED"].endswith("/payload.sh")
        assert len(record["SHEEPFOLD_SHA256"]) == 64
    assert end["SHEEPFOLD_EXIT"] == "exit 7"


def test_a_payloads_codes(site: ExecutePoint) -> None:
    pilot = """\
for code in 0 1 126 200 201 202 203 204 205 255; do sheepfold-payload ./payload.sh "exit $code"; echo $code $?; done
sheepfold-payload -- ./payload.sh 'kill -9 $$'; echo KILL $?
sheepfold-payload -- ./payload.sh 'kill -TERM $$'; echo TERM $?
sheepfold-payload -- ./missing 2>>errors; echo missing $?
sheepfold-payload -- /tmp 2>>errors; echo directory $?
sheepfold-payload 2>>errors; echo nothing $?
sheepfold-payload --unknown ./payload.sh 2>>errors; echo option $?
sheepfold-payload --owner 2>>errors; echo owner $?
echo no interpreter >text; chmod 755 text
sheepfold-payload ./text 2>>errors; echo text $?
cp payload.sh plain; chmod 644 plain
sheepfold-payload ./plain 'echo ran' 2>>errors; echo mode $?
cat errors >&2
"""
    found = dict(line.split() for line in _run(site, pilot, 'eval "$1"\n'))
    assert found == {
        **{str(code): str(code) for code in (0, 1, 126, 200, 205, 255)},
        **{str(code): "204" for code in (201, 202, 203, 204)},
        "KILL": "137",
        "TERM": "143",
        **dict.fromkeys(("missing", "directory", "nothing", "option", "owner"), "201"),
        **dict.fromkeys(("text", "mode"), "126"),
    }
    errors = site.world.read("/home/alice/err")
    assert "./missing cannot be read: No such file or directory" in errors
    assert "Exec format error" in errors


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ([], "The switch cannot be asked"),
        ([("payload_caller", "carol")], "alice@site.test may not have payloads run (payload_caller)"),
        ([_PILOTS, ("admission_user", "alice")], "of bob may not run here: its owner is not among those admitted"),
    ],
)
def test_who_may_not_is_told_so(site: ExecutePoint, settings: list[tuple[str, object]], sentence: str) -> None:
    switch_site.configure(site, *settings)
    cluster = _submit(site, "sheepfold-payload --owner bob ./payload.sh\necho $?\n", "echo ran\n")
    site.pool.wait_job(site.cm, cluster, _COMPLETED)
    assert site.world.read("/home/alice/out").splitlines() == ["203"]
    assert sentence in site.world.read("/home/alice/err")
    if settings:
        assert sentence in switch_site.record(site, cluster, "refused", "payload")["MESSAGE"]
    assert not switch_site.records(site, cluster, "start", "payload")


def test_a_payload_without_an_account_is_told_so(site: ExecutePoint) -> None:
    switch_site.configure(site, _PILOTS, accounts=1)
    assert _run(site, "sheepfold-payload ./payload.sh\necho $?\n", "echo ran\n") == ["202"]
    assert "No pool account is free and clean: pool01 is in use" in site.world.read("/home/alice/err")


def test_another_user_cannot_use_the_pilots_socket(site: ExecutePoint) -> None:
    cluster = _submit(site, "until [ -e end ]; do sleep 0.1; done\n", "echo ran\n")
    switch_site.record(site, cluster, "start")
    command = (
        f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/sheepfold/payload/{FIRST_ID}'); print(s.recv(500))"
    )
    for uid in (FIRST_ID + 1, 0):
        answer = site.world.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "python3", "-c", command])
        assert f"error 203 uid {uid} called for a payload of uid {FIRST_ID}" in answer.stdout
    site.cm.run(["condor_rm", cluster])


def test_signals_reach_the_payload(site: ExecutePoint) -> None:
    pilot = """\
for signal in TERM INT HUP USR1 USR2; do
    mkfifo /tmp/ready
    python3 -c 'import signal, os, sys
for each in (signal.SIGINT, signal.SIGQUIT): signal.signal(each, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' /usr/local/bin/sheepfold-payload ./payload.sh >/tmp/ready &
    read line </tmp/ready
    kill -$signal $!
    wait $!
    echo $signal $?
    rm /tmp/ready
done
"""
    traps = "".join(
        f"trap 'exit {code}' {name}\n" for name, code in (("TERM", 11), ("INT", 12), ("HUP", 13), ("USR1", 14), ("USR2", 15))
    )
    found = _run(site, pilot, f"{traps}echo ready\nwhile :; do sleep 0.05; done\n")
    assert found == ["TERM 11", "INT 12", "HUP 13", "USR1 14", "USR2 15"]


_LOOK = """\
look() {
    for entry in /proc/[0-9]*; do tr '\\0' ' ' <$entry/cmdline 2>/dev/null | grep -q "sleep $1" && echo "sees $1"; done
    kill -0 $2 2>/dev/null && echo "signals $2"
    ls -A $3 2>/dev/null | grep -q . && echo "lists $3"
    cat $3/secret 2>/dev/null
}
"""


def test_pilot_and_payload_cannot_reach_each_other(site: ExecutePoint) -> None:
    pilot = f"""{_LOOK}
sleep 4441 &
echo pilots >secret
mkfifo /tmp/ready
sheepfold-payload ./payload.sh $PWD $! >/tmp/ready &
exec 3</tmp/ready
read directory <&3
echo pilot looks
look 4442 - $directory
echo pilot looks at itself
look 4441 $! $PWD
cat <&3
"""
    payload = f"""{_LOOK}
sleep 4442 &
echo payloads >secret
pwd
echo payload looks
look 4441 - $1
echo payload looks at itself
look 4442 $! $PWD
"""
    found = _run(site, pilot, payload)
    by = {line: number for number, line in enumerate(found)}
    assert found[by["pilot looks"] + 1] == "pilot looks at itself"
    assert found[by["payload looks"] + 1] == "payload looks at itself"
    # The control: the same look finds all of it where it may.
    for whose, number, secret in (("pilot", 4441, "pilots"), ("payload", 4442, "payloads")):
        itself = found[by[f"{whose} looks at itself"] + 1 :][:4]
        assert itself[0] == f"sees {number}"
        assert itself[1].startswith("signals ")
        assert itself[2].startswith("lists ")
        assert itself[3] == secret


@pytest.mark.parametrize("command", ["condor_rm", "condor_vacate_job", "condor_hold"])
def test_payloads_die_with_the_pilot(site: ExecutePoint, command: str) -> None:
    cluster = _submit(
        site,
        "trap '' TERM\nsheepfold-payload ./payload.sh &\nsheepfold-payload ./payload.sh\nsleep 600\n",
        "trap '' TERM HUP\nsetsid sleep 4443 &\nwhile :; do sleep 0.1; done\n",
        "requirements = (NumShadowStarts ?: 0) == 0",
    )
    site.pool.wait(lambda: len(site.commands("sleep 4443")) == 2, "two payloads")
    assert len({status for status in _UIDS if switch_site.processes_of(site, status)}) == 3
    site.cm.run([command, cluster])
    if command == "condor_vacate_job":
        site.cm.run(["condor_hold", cluster])
    site.pool.wait(lambda: not switch_site.processes_of(site, *_UIDS), "the end of every process of an account")
    site.cm.run(["condor_rm", cluster], check=False)
    execute = site.world.root / EXECUTE.lstrip("/")
    # What condor_procd's kill of a keeper leaves, the check of each minute removes.
    site.pool.wait(lambda: switch_site.check(site) and not list(execute.iterdir()), "no directory of a job")
    site.pool.wait(lambda: not list((site.world.root / "run/sheepfold/execute_node").glob("*.quarantine")), "clean accounts")
