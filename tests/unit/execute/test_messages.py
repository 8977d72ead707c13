"""What the switch's processes say to each other, and to journald."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import audit, job, settings
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.errors import SYSTEM, SwitchError
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.ipc import channel, job_exit
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.payload import client, protocol


def test_messages_stay_apart() -> None:
    one, other = channel.pair()
    assert one.send("signal 15")
    assert one.send("signal 9")
    assert (other.receive(), other.receive()) == ("signal 15", "signal 9")
    one.close()
    assert other.receive() is None
    assert not other.send("ended")


def test_lines_read_no_further_than_a_line() -> None:
    reader, writer = os.pipe()
    lines = channel.LineChannel(reader, writer)
    lines.send("one\ntwo")
    lines.send("three")
    assert (lines.receive(), lines.receive()) == ("one two", "three")
    os.write(writer, b"cut")
    os.close(writer)
    assert lines.receive() is None
    assert not lines.send("nobody")


def test_a_line_without_an_end_is_no_message() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x" * 5000)
    assert channel.LineChannel(reader, writer).receive() is None


def test_an_ending_survives_its_message() -> None:
    found = job_exit.from_message(job_exit.message(job_exit.Ending(7 << 8, 1.25, 0.5, 2048)))
    assert (found.words, found.user, found.system, found.memory) == ("exit 7", 1.25, 0.5, 2048)
    assert job_exit.Ending(9, 0, 0, 0).words == "signal 9"


@pytest.mark.parametrize(("status", "code"), [(0, 0), (7 << 8, 7), (9, 137), (201 << 8, 204), (203 << 8, 204), (205 << 8, 205)])
def test_a_payloads_own_codes_are_told_from_the_switchs(status: int, code: int) -> None:
    assert client.exit_code(status) == code


def test_a_call_survives_its_packing() -> None:
    wanted = protocol.PayloadRequest("bob@x", [b"/bin/sh", b"", b"a\nb"], {b"A": b"x\ny=z", b"B": b""})
    found = protocol.unpack(protocol.pack(wanted)[4:])
    assert (found.owner, found.words, found.environment) == (wanted.owner, wanted.words, wanted.environment)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0\0\x09x",
        b"\0\0\0\0" * 2,
        protocol.pack(protocol.PayloadRequest("b", [], {}))[4:],
        protocol.pack(protocol.PayloadRequest("b", [b"a\0b"], {}))[4:],
    ],
)
def test_calls_that_make_no_sense_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"field|words"):
        protocol.unpack(body)


def test_a_call_goes_with_its_descriptors() -> None:
    one, other = socket.socketpair()
    with one, other:
        protocol.send(one, protocol.PayloadRequest("b", [b"/bin/true"], {}), [0, 1, 2, 0])
        found, descriptors = protocol.receive(other)
    assert found.words == [b"/bin/true"]
    assert len(set(descriptors)) == protocol.DESCRIPTORS
    for each in descriptors:
        os.close(each)


def test_a_call_without_descriptors_is_refused() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(protocol.pack(protocol.PayloadRequest("b", [b"/bin/true"], {})))
        with pytest.raises(ValueError, match="4 descriptors"):
            protocol.receive(other)


LISTING = "slot1@p220|||\nslot1_1@p220|alice@sips|12.0|submit#12.0#9\nslot1_10@p220|bob@sips|13.0|submit#13.0#9\n"


@pytest.mark.parametrize(
    ("slot", "user"), [("slot1_1", "alice@sips"), ("slot1_10", "bob@sips"), ("slot1", "unknown"), ("slot1_2", "unknown")]
)
def test_the_startds_listing_says_whose_a_slot_is(slot: str, user: str) -> None:
    assert job.claim_of(slot, LISTING)["RemoteUser"] == user


def test_no_word_of_a_job_makes_a_line_of_the_listing() -> None:
    forged = "slot1_1@p220|mallory\u2028slot1_2@p220|alice@sips|12.0|submit#12.0#9\n"
    assert job.claim_of("slot1_2", forged)["RemoteUser"] == "unknown"


def test_an_ad_beside_the_sandbox_says_it_too(tmp_path: Path) -> None:
    known = settings.parse("startd_address = /nonexistent")
    (tmp_path / "scratch").mkdir()
    (tmp_path / "htcondor").mkdir()
    ad = 'JobId = "12.0"\nGlobalJobId = "submit#12.0#9"\nName = "slot1_1@p220"\nRemoteUser = "alice@sips"\nCpus = 1\n'
    (tmp_path / "htcondor" / ".update.ad").write_text(ad)
    claim = job.Claim(known, {}, "slot1_1", str(tmp_path / "scratch"))
    assert claim.ask() is None
    assert claim.answer() == {"RemoteUser": "alice@sips", "JobId": "12.0", "GlobalJobId": "submit#12.0#9"}
    # In the sandbox itself it is the submitter's word.
    (tmp_path / ".update.ad").write_text(ad)
    assert job.Claim(known, {}, "slot1_1", str(tmp_path)).answer()["RemoteUser"] == "unknown"


def test_the_startd_is_asked_with_its_own_configuration(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    address, tool, sandbox = tmp_path / "address", tmp_path / "condor_status", tmp_path / "execute" / "dir_7"
    sandbox.mkdir(parents=True)
    address.write_text("<10.0.0.1:9618>\n")
    tool.write_text('#!/bin/sh\necho not for the job >&2\nenv >$0.env\necho "slot1_1@p220|$2|12.0|submit#12.0#9"\n')
    tool.chmod(0o755)
    known = settings.parse(f"startd_address = {address}\ncondor_status = {tool}\nexecute = {sandbox.parent}")
    daemons = {"CONDOR_CONFIG": "/x", "_CONDOR_LOG": "/y", "SHEEPFOLD_EXECUTE_NODE": "true"}
    words = ["condor_starter", "-c", "import time; time.sleep(60)", "-a", "slot1_1"]
    environment = {**daemons, "LD_LIBRARY_PATH": "/z", "OTHER": "1"}
    with subprocess.Popen(words, executable=sys.executable, env=environment, cwd=sandbox) as starter:
        try:
            # Between fork and exec its environment is this process's.
            while not Path(f"/proc/{starter.pid}/cmdline").read_bytes().startswith(b"condor_starter"):
                pass
            this = job.of_starter(starter.pid, known)
        finally:
            starter.kill()
    # The keeper asks later, from where it cannot read the starter's.
    assert (this.user, this.number) == ("<10.0.0.1:9618>", "12.0")
    told = dict(line.split("=", 1) for line in Path(f"{tool}.env").read_text().splitlines())
    assert {name: told.pop(name) for name in daemons} == daemons
    assert set(told) <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    assert capfd.readouterr().err == ""


class _Job:
    number, global_id, owner, user, slot = "12.0", "submit#12.0#9", "alice", "alice@sips", "slot1_1"


def _fields(datagram: bytes) -> dict[str, bytes]:
    fields = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        length = int.from_bytes(rest[:8], "little")
        fields[name.decode()] = rest[8 : 8 + length]
        assert rest[8 + length : 9 + length] == b"\n"
        datagram = rest[9 + length :]
    return fields


def test_a_record_has_its_fields_and_none_that_a_job_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SOCKET", str(tmp_path / "journal"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(audit.SOCKET)
        record = audit.Record(_Job(), "job", "identity", "newuidmap")
        record.check()
        record.fields["EXECUTABLE"] = "/tmp/x\nSHEEPFOLD_OWNER=root"
        record.end(job_exit.Ending(3 << 8, 1.5, 0.25, 99), ["note"])
        fields = _fields(journal.recv(1 << 16))
    assert fields["SHEEPFOLD_OWNER"] == b"alice"
    assert fields["SHEEPFOLD_EXECUTABLE"] == b"/tmp/x\nSHEEPFOLD_OWNER=root"
    assert fields["SHEEPFOLD_EXIT"] == b"exit 3"
    assert (fields["SHEEPFOLD_CPU_USER"], fields["SHEEPFOLD_MEMORY_KIB"]) == (b"1.500", b"99")
    assert fields["SHEEPFOLD_NOTE"] == b"note"
    assert fields["MESSAGE_ID"].decode() == audit.MESSAGE_IDS["end"]


def test_what_cannot_be_recorded_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SOCKET", str(tmp_path / "none"))
    with pytest.raises(SwitchError) as raised:
        audit.Record(_Job(), "job", "identity", "newuidmap").check()
    assert raised.value.code == SYSTEM


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert audit.digest(str(tmp_path / "file")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert audit.digest(str(tmp_path / "none")).startswith("none: ")
