#!/usr/bin/python3
# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy the ads of the flocking startds and their masters into the site's collector, so that condor_status shows p and f.

HTCondor's own forwarding (CONDOR_VIEW_HOST) passes invalidations on as they come, and a container may ask to invalidate any ad: it could empty
the site's collector. This copy takes what the flock's collector has accepted, and invalidates nothing but its own copies, which bear
FlockMirrored = True. Claims are not copied: nobody can be matched with a copy.

Started by condor_master as: flock-mirror USER SECONDS POOL
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time

TIMEOUT_S = 60
#: Kind of ad: option of condor_status, command of condor_advertise to update, to invalidate, type that an invalidation names.
KINDS = {
    "slot": ([], "UPDATE_STARTD_AD", "INVALIDATE_STARTD_ADS", "Machine"),
    "master": (["-master"], "UPDATE_MASTER_AD", "INVALIDATE_MASTER_ADS", "DaemonMaster"),
}
#: What the site's collector says itself about an ad.
DROPPED = {"authenticatedidentity", "authenticationmethod", "lastheardfrom", "flockmirrored"}


class Failure(Exception):
    """A tool did not do what it was asked for."""


def say(text: str) -> None:
    """Print a line for the master's log of this daemon."""
    print(time.strftime("%m/%d/%y %H:%M:%S"), text, flush=True)


def run(command: list[str], text: str = "") -> str:
    """Return what a tool of HTCondor prints."""
    try:
        answer = subprocess.run(command, input=text, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(str(error)) from error
    if answer.returncode:
        raise Failure(f"{' '.join(command[:4])}: {' '.join((answer.stderr + answer.stdout).split())[:300]}")
    return answer.stdout


def parse(text: str) -> dict[str, list[str]]:
    """Return the lines of each ad by the ad's name."""
    ads: dict[str, list[str]] = {}
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if " = " in line]
        names = [line.split(" = ", 1)[1].strip().strip('"') for line in lines if line.lower().startswith("name = ")]
        if names:
            ads[names[0]] = sorted(lines)
    return ads


def copy_of(lines: list[str]) -> str:
    """Return the ad as the site's collector gets it."""
    kept = [line for line in lines if line.split(" = ", 1)[0].lower() not in DROPPED]
    return "\n".join([*kept, "FlockMirrored = True"]) + "\n"


def mirrored(kind: str) -> set[str]:
    """Return the names of the copies that the site's collector has."""
    return set(run(["condor_status", *KINDS[kind][0], "-constraint", "FlockMirrored =?= True", "-af", "Name"]).split())


def advertise(command: str, ads: list[str]) -> None:
    """Send ads to the site's collector."""
    if ads:
        run(["condor_advertise", "-tcp", "-multiple", command, "-"], "\n".join(ads))


def invalidate(kind: str, names: set[str]) -> None:
    """Take copies out of the site's collector; never anything else."""
    for name in sorted(names):
        requirements = f'Name == "{name}" && FlockMirrored =?= True'
        ad = f'MyType = "Query"\nTargetType = "{KINDS[kind][3]}"\nRequirements = {requirements}\n'
        run(["condor_advertise", "-tcp", KINDS[kind][2], "-"], ad)


def cycle(pool: str, sent: dict[str, dict[str, list[str]]]) -> None:
    """Bring the copies up to date. ``sent`` is what the site's collector has been told so far."""
    for kind, (options, update, _invalidate, _type) in KINDS.items():
        there = parse(run(["condor_status", "-pool", pool, *options, "-long"]))
        fresh = {name: lines for name, lines in there.items() if sent[kind].get(name) != lines}
        advertise(update, [copy_of(lines) for lines in fresh.values()])
        invalidate(kind, set(sent[kind]) - set(there))
        sent[kind] = there


def main() -> int:
    """Copy for ever; take the copies away at the end."""
    user, seconds, pool = pwd.getpwnam(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    if os.geteuid() == 0 and user.pw_uid != 0:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)

    def stop(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parent = os.getppid()
    sent: dict[str, dict[str, list[str]]] = {}
    complaint = ""
    try:
        while os.getppid() == parent:
            try:
                if not sent:
                    sent = {kind: dict.fromkeys(mirrored(kind), []) for kind in KINDS}
                cycle(pool, sent)
                complaint = ""
            except Failure as failure:
                if str(failure) != complaint:
                    complaint = str(failure)
                    say(complaint)
            time.sleep(seconds)
    finally:
        try:
            for kind in KINDS:
                invalidate(kind, mirrored(kind))
        except Failure as failure:
            say(str(failure))
    return 0


if __name__ == "__main__":
    sys.exit(main())
