# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guard takes for whole, while another hand goes on flushing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "roles/vlan/files"))

import flock_net
import flock_service


class Kernel:
    """What a kernel has of one table, and what happens when the other layer is looked at."""

    def __init__(self) -> None:
        self.rules = ""
        self.meanwhile: Callable[[], None] = lambda: None


class FakeTable(flock_net.Table):
    """A table of the fake kernel."""

    def __init__(self, kernel: Kernel, file: Path) -> None:
        super().__init__("inet", "flock", file)
        self.kernel = kernel

    def apply(self) -> None:
        self.kernel.rules = self.file.read_text()

    def state(self, thorough: bool) -> str:
        return self.kernel.rules or flock_net.MISSING


class OtherLayer:
    """A layer whose look takes long enough for something to happen."""

    name = "other"
    fixed = False

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def apply(self) -> None:
        """Nothing to do."""

    def state(self, thorough: bool) -> str:
        self.kernel.meanwhile()
        return "as ever"

    def remove(self) -> None:
        """Nothing to do."""


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def service(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> flock_service.Service:
    monkeypatch.setattr(flock_service, "RUN_DIRECTORY", tmp_path)
    monkeypatch.setattr(flock_service, "run", lambda *argv, **_more: "")
    monkeypatch.setattr(flock_service, "set_link", lambda name, up: None)
    file = tmp_path / "rules"
    file.write_text("as described")
    table = FakeTable(kernel, file)
    made = flock_service.Service("gateway", "em1.2512", table, [table, OtherLayer(kernel)])
    made.load()
    return made


def flush(kernel: Kernel) -> Callable[[], None]:
    def once() -> None:
        kernel.rules = ""
        kernel.meanwhile = lambda: None

    return once


def test_what_is_flushed_comes_back(service: flock_service.Service, kernel: Kernel) -> None:
    kernel.rules = ""
    assert service.repair(False) == ["nftables table"]
    assert kernel.rules == "as described"
    assert service.repair(True) == []


@pytest.mark.parametrize("thorough", [False, True])
def test_a_second_flush_during_the_repair_is_seen(service: flock_service.Service, kernel: Kernel, thorough: bool) -> None:
    # `systemctl restart nftables` flushes when it stops and when it starts.
    kernel.rules = ""
    kernel.meanwhile = flush(kernel)
    assert service.repair(thorough) == ["nftables table"]
    assert kernel.rules == ""
    assert service.repair(thorough) == ["nftables table"]
    assert kernel.rules == "as described"


def test_a_rule_that_another_hand_takes_out_during_the_repair_is_missed(service: flock_service.Service, kernel: Kernel) -> None:
    def half() -> None:
        kernel.rules = "half of it"
        kernel.meanwhile = lambda: None

    kernel.rules = ""
    kernel.meanwhile = half
    service.repair(False)
    assert service.repair(False) == ["nftables table"]
    assert kernel.rules == "as described"


def test_a_flush_during_the_load_is_seen(service: flock_service.Service, kernel: Kernel) -> None:
    kernel.meanwhile = flush(kernel)
    service.load()
    kernel.rules = ""
    assert service.repair(True) == ["nftables table"]


def test_a_new_file_is_what_is_expected_from_then_on(service: flock_service.Service, kernel: Kernel) -> None:
    service.table.file.write_text("described anew")
    kernel.rules = ""
    assert service.repair(True) == ["nftables table"]
    assert service.repair(True) == []


def test_a_check_may_take_longer_than_other_commands(
    service: flock_service.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "nft"
    slow.write_text("#!/bin/sh\nexec sleep 1\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    # As on a machine where everything takes a hundred times as long: 0.3 s for 30.
    monkeypatch.setattr(flock_net.run, "__kwdefaults__", {**(flock_net.run.__kwdefaults__ or {}), "timeout": 0.3})
    monkeypatch.setattr(flock_service, "run", flock_net.run)
    service.load()


@pytest.mark.parametrize("command", ["sleep 30 | cat", "sleep 30 & exit 0"])
def test_a_command_that_takes_too_long_ends_with_all_that_it_started(command: str) -> None:
    """A shell's children keep its pipes open: killing the shell alone would leave the guard waiting for them."""
    started = time.monotonic()
    with pytest.raises(flock_net.Failure, match="timed out"):
        flock_net.run_whole("sh", "-c", command, timeout=0.5)
    assert time.monotonic() - started < 15
