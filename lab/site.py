"""The lab as a whole: up, down, saved, brought back."""

from __future__ import annotations

import fcntl
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import accelerator, image, namespace, paths, pool, ssh, state, switch
from lab.guest import Guest
from lab.namespace import Namespace
from lab.process import Daemon, resident_mib
from lab.say import LabError, note, step
from lab.topology import HOSTS, NETWORKS, Host

BOOTING_TOGETHER = 2
"""More guests at once on a small machine only wait for each other, some of them past systemd's deadlines."""
BOOT_TIMEOUT_S = 1800.0
NAMESPACES = "namespaces"
"""A file of this name is there while hosts without a kernel of their own are in namespaces."""


@dataclass(frozen=True)
class Machines:
    """The lab's hosts, by what they run on."""

    guests: list[Guest]
    namespaces: list[Namespace]


@contextmanager
def alone() -> Iterator[None]:
    """One command at a time changes the lab."""
    paths.RUN.mkdir(parents=True, exist_ok=True)
    with (paths.RUN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def accelerator_of_running() -> str:
    """Return what the running guests were started with, kvm or tcg; empty when none run."""
    remembered = paths.RUN / "accelerator"
    running = any(process_of(host).pid() for host in HOSTS)
    return remembered.read_text().strip() if running and remembered.exists() else ""


def _machines() -> Machines:
    built = image.ensure()
    chosen, remembered = accelerator_of_running(), paths.RUN / NAMESPACES
    if chosen:
        outside = remembered.exists()
    else:
        chosen, outside = accelerator.choose(built), namespace.wanted(built)
        (paths.RUN / "accelerator").write_text(f"{chosen}\n")
        remembered.unlink(missing_ok=True)
        if outside:
            remembered.touch()
    guests = [Guest(host, built, chosen) for host in HOSTS if host.own_kernel or not outside]
    return Machines(guests, [Namespace(host, built) for host in HOSTS if outside and not host.own_kernel])


def in_namespaces(host: Host) -> bool:
    """Whether this host runs, or ran last, in namespaces of this machine."""
    return not host.own_kernel and (paths.RUN / NAMESPACES).exists()


def process_of(host: Host) -> Daemon:
    """The QEMU process of a host."""
    return Daemon(host.name, paths.RUN)


def up() -> None:
    """Bring the lab up: as it runs, from its prepared state, or from nothing."""
    with alone(), step("lab up"):
        if all(process_of(host).pid() for host in HOSTS):
            note("all guests run: taken as they are")
            set_clocks()
            return
        machines = _machines()
        _stop()
        _start(machines)


def reset() -> None:
    """Bring the lab back to its prepared state."""
    with alone(), step("lab reset"):
        machines = _machines()
        _stop()
        _start(machines)


def _start(machines: Machines) -> None:
    _check_ports()
    guests = machines.guests
    shutil.copy(guests[0].image.ssh_key, ssh.KEY)
    ssh.KEY.chmod(0o600)
    directory = state.prepared(guests)
    if not state.exists(directory):
        _start_switches()
        with step("preparing: first boot of all guests"):
            for outside in machines.namespaces:
                outside.start()
            _boot(guests)
        with step("preparing: the pools"):
            pool.wait_until_ready()
        with step("preparing: saving"):
            state.save(guests, directory)
        _stop()
        state.forget_old()
    with step("loading the prepared state"):
        _load(machines, directory)


def save(name: str) -> None:
    """Save the running lab under a name, in the work tree."""
    with alone(), step(f"saving the lab as {name}"):
        machines = _machines()
        if any(process_of(host).pid() is None for host in HOSTS):
            raise LabError("not all guests run: there is nothing to save; see `python3 -m lab status`")
        directory = _named(name)
        if state.exists(directory):
            raise LabError(f"a state named {name} is there already in {directory}: choose another name or delete it")
        state.save(machines.guests, directory, machines.namespaces)
        _stop()
        _load(machines, directory)


def restore(name: str) -> None:
    """Bring back a state saved by `save`."""
    with alone(), step(f"restoring {name}"):
        directory = _named(name)
        if not state.exists(directory):
            raise LabError(f"no state named {name} in {directory.parent}")
        machines = _machines()
        _stop()
        _check_ports()
        _load(machines, directory)


def _named(name: str) -> Path:
    return paths.RUN / "states" / name


def _load(machines: Machines, directory: Path) -> None:
    _start_switches()
    for outside in machines.namespaces:
        saved = directory / outside.saved_as
        outside.start(saved if saved.exists() else None)
    state.load(machines.guests, directory)
    for host in HOSTS:
        ssh.wait_for(host, "true", BOOT_TIMEOUT_S, "sshd after loading")
    set_clocks()
    pool.wait_until_ready()


def _start_switches() -> None:
    for network in NETWORKS:
        switch.start(network)


def _check_ports() -> None:
    for host in HOSTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", host.ssh_port))
            except OSError as error:
                raise LabError(
                    f"port {host.ssh_port} on 127.0.0.1 is needed for {host.name} and taken (another lab?): "
                    "stop that, or set SHEEPFOLD_LAB_PORT_BASE"
                ) from error


def _boot(guests: list[Guest]) -> None:
    def boot(guest: Guest) -> None:
        guest.console.unlink(missing_ok=True)
        start = time.monotonic()
        guest.make_disk(guest.image.disk)
        guest.start()
        ssh.wait_for(guest.host, "true", BOOT_TIMEOUT_S, f"sshd (console: {guest.console})")
        note(f"{guest.host.name}: sshd after {time.monotonic() - start:.0f} s")

    with ThreadPoolExecutor(BOOTING_TOGETHER) as workers:
        list(workers.map(boot, guests))


SET_CLOCK = """
    was=$(date +%s)
    read -r now </sys/class/rtc/rtc0/since_epoch
    while read -r then </sys/class/rtc/rtc0/since_epoch && [ "$then" = "$now" ]; do :; done
    date --set="@$then"
    if [ $((then - was)) -gt 600 ] && systemctl is-active --quiet condor; then systemctl restart condor; fi
"""
"""The hardware clock is the host's: at the beginning of one of its seconds the guest's own is set to it.

Some time after a jump of 1,200 seconds condor_master starts everything anew by itself: here it is over when the command is.
"""


def set_clocks() -> None:
    """Set every guest's clock: it stood still while the guest was not running. A host in namespaces has this machine's."""
    guests = [host for host in HOSTS if not in_namespaces(host)]

    def set_clock(host: Host) -> None:
        result = ssh.run(host, SET_CLOCK, BOOT_TIMEOUT_S)
        if result.returncode != 0:
            raise LabError(f"{host.name}: its clock could not be set: {result.stderr.strip()}")

    with ThreadPoolExecutor(len(guests)) as workers:
        list(workers.map(set_clock, guests))


def down() -> None:
    """End all guests and switches; the prepared state stays."""
    with alone(), step("lab down"):
        _stop()


def destroy() -> None:
    """End everything and delete what the lab keeps in the work tree; the cache stays."""
    with alone():
        _stop()
        shutil.rmtree(paths.sockets(), ignore_errors=True)
        shutil.rmtree(paths.RUN, ignore_errors=True)
    note("destroyed; guest image and prepared state stay in the cache")


def _stop() -> None:
    def stop(host: Host) -> None:
        if in_namespaces(host):
            namespace.stop(process_of(host))
        else:
            process_of(host).stop()

    with ThreadPoolExecutor(len(HOSTS)) as workers:
        list(workers.map(stop, HOSTS))
    for network in NETWORKS:
        switch.daemon(network).stop()


def link(host: Host, nic: str, *, up: bool) -> None:
    """Plug a guest's cable in or out."""
    if in_namespaces(host):
        raise LabError(f"{host.name} is in namespaces and has no cable: `python3 -m lab ssh {host.name} ip link set {nic} down`")
    with Guest(host, image.current(), "tcg").monitor() as monitor:
        monitor.run("set_link", name=f"nic-{nic}", up=up)


def status() -> bool:
    """Print what runs; return whether all guests do."""
    total, running = 0, 0
    print(f"{'host':<9}{'state':<10}{'pid':>8}{'MiB':>7}  ssh")
    for host in HOSTS:
        pid = process_of(host).pid()
        memory = resident_mib(pid) if pid else 0
        total, running = total + memory, running + bool(pid)
        shown = str(pid) if pid else "-"
        print(f"{host.name:<9}{'running' if pid else 'down':<10}{shown:>8}{memory:>7}  127.0.0.1:{host.ssh_port}")
    print(f"{running} of {len(HOSTS)} guests run, {total} MiB in all")
    return running == len(HOSTS)
