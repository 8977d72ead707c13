"""Records: who sends one is there until it has been read."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute import audit


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "socket"))
        yield listening


def _sent(journal: socket.socket) -> socket.socket:
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.sendto(b"record", journal.getsockname())
    return sender


def test_the_sender_stays_until_journald_has_read(journal: socket.socket) -> None:
    read: list[float] = []

    def slow() -> None:
        time.sleep(0.2)
        read.append(time.monotonic())
        journal.recv(100)

    reader = threading.Thread(target=slow)
    with _sent(journal) as sender:
        reader.start()
        audit._stay_until_read(sender)
        left = time.monotonic()
    reader.join()
    assert left > read[0]


def test_a_journald_that_hangs_is_not_waited_for(journal: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PATIENCE", 0.05)
    with _sent(journal) as sender:
        audit._stay_until_read(sender)
        assert journal.recv(100) == b"record"
