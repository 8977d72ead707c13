"""What a job leaves in its directory for the starter, which reads it as the daemons' user."""

from __future__ import annotations

from collections.abc import Callable

from .answer import BLOCKED, Answer
from .attack import Attack
from .ground import SECRET, Ground

_KEYS = "/srv/condor/p220/passwords.d"
_ITEM = "symlink under the starter's hands"


def _came_back(name: str, file: str, secret: str = SECRET) -> Callable[[Ground, str], Answer]:
    """Whether the job's owner got what he may not read."""

    def judge(ground: Ground, cluster: str) -> Answer:
        wanted = ground.world.read(secret).strip()
        if wanted in ground.output(name, file):
            return Answer(True, f"{secret} came back as {file}")
        return BLOCKED

    return judge


def _link(name: str, script: str, *lines: str, file: str, secret: str = SECRET) -> Attack:
    return Attack(name, _ITEM, f"#!/bin/sh\n{script}\n", lines=lines, judge=_came_back(name, file, secret))


ATTACKS = [
    _link("output-link", f"ln -s {SECRET} stolen", "transfer_output_files = stolen", file="stolen"),
    _link("output-link-unasked", f"ln -s {SECRET} stolen", file="stolen"),
    _link("output-directory-link", f"ln -s {_KEYS} keys", "transfer_output_files = keys/", file="POOL", secret=f"{_KEYS}/POOL"),
    _link("output-link-below", f"mkdir d; ln -s {SECRET} d/stolen", "transfer_output_files = d", file="d/stolen"),
    _link("output-link-chain", f"mkdir d; ln -s {_KEYS} d/x; ln -s d/x/POOL stolen", file="stolen", secret=f"{_KEYS}/POOL"),
    _link("stdout-link", f"rm _condor_stdout; ln -s {SECRET} _condor_stdout", file="out"),
    _link("failure-link", f"ln -s {SECRET} .job_wrapper_failure", file="log"),
]
