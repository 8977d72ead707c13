# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What /proc says of processes."""

from __future__ import annotations

import os


def started(pid: int) -> str:
    """When a process started, in clock ticks since boot (proc_pid_stat(5), field 22): with its pid it is one of a kind.

    Raises:
        OSError: there is no such process.
    """
    return _stat(pid, 22)


def words(pid: int) -> list[str]:
    """The command line of a process. Raises OSError."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]


def environment(pid: int) -> dict[bytes, bytes]:
    """The environment that a process was started with. Raises OSError."""
    return read_environment(f"/proc/{pid}/environ")


def read_environment(path: str) -> dict[bytes, bytes]:
    """What a file says in the form of proc_pid_environ(5). Raises OSError."""
    with open(path, "rb") as file:
        pairs = (entry.partition(b"=") for entry in file.read().split(b"\0"))
        return {name: value for name, equals, value in pairs if name and equals}


def cgroup(pid: int) -> str:
    """The cgroup (v2) of a process, from the hierarchy's root; empty without the unified hierarchy. Raises OSError."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        for line in file:
            if line.startswith("0::"):
                return line[3:].rstrip("\n")
    return ""


def of_user(uid: int) -> list[int]:
    """The processes that have this uid in any of its four places. Those that are dead and not collected are none."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as file:
                    status = file.read()
            except OSError:
                continue
            # A first thread that has ended does not end the others.
            dead = _field(status, "State")[:1] == ["Z"] and _field(status, "Threads") in (["0"], ["1"])
            if str(uid) in _field(status, "Uid") and not dead:
                found.append(int(name))
    return found


def children(pid: int) -> list[int]:
    """The children of a process, the dead that it has not collected among them; none when it is gone."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="utf-8") as file:
                found += [int(each) for each in file.read().split()]
    except OSError:
        # Gone, or this kernel does not tell (proc_pid_task(5), CONFIG_PROC_CHILDREN).
        pass
    return found


def state(pid: int) -> str:
    """The letter of a process's state (proc_pid_stat(5), field 3). Raises OSError: there is no such process."""
    return _stat(pid, 3)


def parent(pid: int) -> int:
    """The parent of a process (proc_pid_stat(5), field 4). Raises OSError: there is no such process."""
    return int(_stat(pid, 4))


def umask(pid: int) -> int:
    """The umask of a process (proc_pid_status(5)). Raises OSError."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(_field(file.read(), "Umask")[0], 8)


def _stat(pid: int, field: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        # The command's name, field 2 in parentheses, may hold anything.
        return file.read().rpartition(")")[2].split()[field - 3]


def _field(status: str, name: str) -> list[str]:
    return status.partition(f"\n{name}:")[2].partition("\n")[0].split()


def ignored_signals(pid: int) -> list[int]:
    """The signals that a process ignores (proc_pid_status(5), SigIgn). Raises OSError."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        mask = next((int(line.split()[1], 16) for line in file if line.startswith("SigIgn:")), 0)
    return [number for number in range(1, 65) if mask >> (number - 1) & 1]


def let_go_of_files() -> None:
    """Put /dev/null in the place of this process's standard input, output and error: they are another's."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def close_descriptors(keep: tuple[int, ...]) -> None:
    """Close every descriptor but these."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                # The listing's own.
                continue
