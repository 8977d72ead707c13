# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A capture that goes on behind a module's back: started in one step, stopped and read in a later one."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..packets.capture import Capture
from . import nft_state

DIRECTORY = Path("/run/sheepfold-verify")
_PIECE = 0.5


def start(
    run: int,
    runs: Sequence[int],
    places: Mapping[str, str],
    foreign: Mapping[str, tuple[str, frozenset[str]]],
    *,
    host: str,
    seconds: float,
) -> None:
    """Begin to watch; return when the sockets are open.

    Args:
        run: first run, which names the capture.
        runs: whose packets to recognise.
        places: network namespaces, by place.
        foreign: see Capture.
        host: the place whose rules are counted.
        seconds: the watcher ends by itself after this long.

    Raises:
        RuntimeError: it could not begin.
    """
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(mode=0o700)
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with os.fdopen(reading) as stream:
            said = stream.read()
        if said != "ready":
            raise RuntimeError(said or "the capture ended at once")
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.close(reading)
        _detach(keep=writing)
        try:
            capture = Capture(runs, places, foreign)
        except OSError as error:
            os.write(writing, f"cannot watch: {error}".encode())
            os._exit(1)
        os.write(writing, b"ready")
        os.close(writing)
        _watch(run, capture, places, host, seconds)
    except Exception as error:  # whoever stops the watcher is told
        (DIRECTORY / f"{run}.error").write_text(f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _detach(keep: int) -> None:
    """Let go of the module's files, so that its caller need not wait for this process."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor != keep:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _watch(run: int, capture: Capture, places: Mapping[str, str], host: str, seconds: float) -> None:
    stop = DIRECTORY / f"{run}.stop"
    (DIRECTORY / f"{run}.pid").write_text(str(os.getpid()))
    before = _counters(host)
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stop.exists():
        capture.poll(_PIECE)
    lost = capture.finish()
    after = _counters(host)
    seen = {
        "sightings": [sighting.as_dict() for sighting in capture.sightings()],
        "neighbours": capture.neighbours(),
        "places": sorted(places),
        "lost": lost,
        "counters": {point: count - before.get(point, 0) for point, count in after.items()},
    }
    capture.close()
    part = DIRECTORY / f"{run}.part"
    part.write_text(json.dumps(seen))
    part.rename(DIRECTORY / f"{run}.json")


def _counters(host: str) -> dict[str, int]:
    return {
        point: count
        for table in (nft_state.PORT_TABLE, nft_state.GATEWAY_TABLE)
        for point, count in nft_state.counters(nft_state.table(*table), host).items()
    }


def stop(run: int, patience: float = 60) -> dict[str, Any]:
    """End the capture of a run and return what it saw.

    Raises:
        RuntimeError: there was none, or it ended without a result.
    """
    result = DIRECTORY / f"{run}.json"
    if not result.exists():
        if not (DIRECTORY / f"{run}.pid").exists():
            raise RuntimeError(f"no capture of run {run} was started on this host")
        (DIRECTORY / f"{run}.stop").touch()
    end = time.monotonic() + patience
    failure = DIRECTORY / f"{run}.error"
    while not result.exists():
        if failure.exists():
            raise RuntimeError(f"the capture of run {run} failed: {failure.read_text()}")
        if time.monotonic() > end:
            _kill(run)
            raise RuntimeError(f"the capture of run {run} did not end within {patience:g} s")
        select.select([], [], [], 0.1)
    seen: dict[str, Any] = json.loads(result.read_text())
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    return seen


def _kill(run: int) -> None:
    try:
        os.kill(int((DIRECTORY / f"{run}.pid").read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        return
