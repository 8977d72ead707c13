"""The processes of the one job that an execute point runs with the switch, by their layer: pids as the world sees them."""

from __future__ import annotations

from execute_point import ENGINE, RUN, ExecutePoint


def starter(site: ExecutePoint) -> int:
    """HTCondor's own."""
    return _daemon(site, "condor_starter")


def startd(site: ExecutePoint) -> int:
    """HTCondor's own."""
    return _daemon(site, "condor_startd")


def monitor(site: ExecutePoint) -> int:
    """What the starter takes for the job."""
    return children(site, starter(site))[0]


def keeper(site: ExecutePoint) -> int:
    """What has the job's init as a child: a switch that stood by, or a child of the monitor's."""
    stood_by = site.commands(f"/usr/bin/python3 -I -S {ENGINE}/switch stand-by {RUN}/{starter(site)}")
    return next(pid for pid in (*stood_by, *children(site, monitor(site))) if children(site, pid))


def init(site: ExecutePoint) -> int:
    """The first process of the job's PID namespace."""
    return children(site, keeper(site))[0]


def job(site: ExecutePoint) -> int:
    """The job itself."""
    return children(site, init(site))[0]


def children(site: ExecutePoint, parent: int) -> list[int]:
    """The children of a process that are not dead."""
    statuses = site.world.statuses()
    return [int(status["Pid"]) for status in statuses if status["PPid"] == str(parent) and not status["State"].startswith("Z")]


def state(site: ExecutePoint, pid: int) -> str:
    """A process's state: ``T`` is stopped (proc_pid_stat(5))."""
    return (site.world.root / f"proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _daemon(site: ExecutePoint, name: str) -> int:
    return next(int(process["Pid"]) for process in site.process_table() if process["Name"] == name)
