# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that stands by takes the place of the one that the starter has started: with all that the starter gave that.

What exec(2) would keep is copied: descriptors 0 to 2, limits, nice, processors, umask, the chance to be killed when memory
is short, and the control group.
"""

from __future__ import annotations

import os
import resource

from ..linux import procfs, syscalls

_LIMITS = tuple(value for name, value in sorted(vars(resource).items()) if name.startswith("RLIMIT_"))
_KEPT = (7, 8, 9)
"""Where the first stage keeps what are the job's descriptors 0 to 2."""
_WORDS_BEFORE = 3
"""Words of the first stage's own: the shell, its applet, the script."""


class StarterCommand:
    """What a first stage was started with: words and environment as the kernel has them."""

    __slots__ = ("directory", "environment", "words")

    def __init__(self, words: list[bytes], environment: dict[bytes, bytes], directory: str) -> None:
        self.words = words
        self.environment = environment
        self.directory = directory


def call_of(pid: int, starter: int) -> StarterCommand:
    """What a first stage, a child of the starter's, was started with.

    Raises:
        OSError: it is gone, or it is none: no child of the starter's, another user's, or something else by now.
    """
    words = [os.fsencode(word) for word in procfs.words(pid)]
    if procfs.parent(pid) != starter or os.stat(f"/proc/{pid}").st_uid != os.getuid() or len(words) <= _WORDS_BEFORE:
        raise OSError(f"process {pid} is no first stage of starter {starter}")
    return StarterCommand(words[_WORDS_BEFORE:], procfs.environment(pid), os.readlink(f"/proc/{pid}/cwd"))


def take_place(pid: int) -> None:
    """Be as another process is, in its control group too. Raises OSError: it cannot be done."""
    ours, theirs = procfs.cgroup(os.getpid()), procfs.cgroup(pid)
    if theirs != ours:
        with open(f"/sys/fs/cgroup{theirs}/cgroup.procs", "w", encoding="utf-8") as file:
            file.write("0")
    process = os.pidfd_open(pid)
    for number, kept in enumerate(_KEPT):
        copy = syscalls.descriptor_of(process, kept)
        os.dup2(copy, number)
        os.close(copy)
    os.close(process)
    for limit in _LIMITS:
        resource.setrlimit(limit, resource.prlimit(pid, limit))
    os.umask(procfs.umask(pid))
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, pid))
    os.sched_setaffinity(0, os.sched_getaffinity(pid))
    _copy_score(pid)


def _copy_score(pid: int) -> None:
    with open(f"/proc/{pid}/oom_score_adj", encoding="utf-8") as file:
        score = file.read()
    with open("/proc/self/oom_score_adj", "r+", encoding="utf-8") as file:
        if file.read() != score:
            file.seek(0)
            file.write(score)
