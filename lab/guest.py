"""One guest: its QEMU command line, its start and its end."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import paths, switch
from lab.image import Image
from lab.process import Daemon
from lab.qmp import Monitor
from lab.topology import Host

# Emulated: five-level page tables cost a step in every walk. A guest with Docker and HTCondor translates some 200 MB of code;
# a smaller cache is thrown away as a whole again and again.
ACCELERATORS = {
    "kvm": ("-accel", "kvm", "-cpu", "host"),
    "tcg": ("-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,la57=off"),
}

# tsc=reliable: a busy host makes the guest distrust its clock, and the next best one costs a device access per reading.
# mitigations=off: retpolines against a processor that is not there. The time-out: an emulated guest of a busy host is slow.
KERNEL_PARAMETERS = (
    "console=ttyS0 quiet panic=10 fsck.mode=skip systemd.show_status=false tsc=reliable no_timer_check mitigations=off"
    " systemd.default_timeout_start_sec=300 systemd.default_device_timeout_sec=300 systemd.ssh_auto=no"
)


@dataclass(frozen=True)
class Guest:
    """A host of the topology with an image and an accelerator."""

    host: Host
    image: Image
    accelerator: str

    @property
    def daemon(self) -> Daemon:
        """Its QEMU process."""
        return Daemon(self.host.name, paths.RUN)

    @property
    def disk(self) -> Path:
        """What this guest writes, on top of an image that nobody writes to."""
        return paths.RUN / f"{self.host.name}.qcow2"

    @property
    def console(self) -> Path:
        """What the guest writes to its serial line."""
        return paths.RUN / f"{self.host.name}.console"

    def monitor(self) -> Monitor:
        """Connect to the QEMU process."""
        return Monitor(self._monitor_path)

    @property
    def _monitor_path(self) -> Path:
        return paths.sockets() / f"{self.host.name}.qmp"

    def make_disk(self, backing: Path) -> None:
        """Make a fresh disk on top of another one."""
        self.disk.unlink(missing_ok=True)
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing, self.disk],
            check=True,
        )

    def start(self, state: Path | None = None) -> None:
        """Boot the guest, or load a saved state and leave it paused."""
        self._monitor_path.unlink(missing_ok=True)
        incoming = ["-S", "-incoming", f"file:{state}"] if state else []
        self.daemon.start(self.command() + incoming)

    def command(self) -> list[str]:
        """Return the QEMU command line."""
        host = self.host
        append = f"root=/dev/vda rw lab.host={host.name} init=/usr/lib/lab-init {KERNEL_PARAMETERS}"
        command = ["qemu-system-x86_64", "-name", host.name, "-nodefaults", "-no-user-config"]
        command += ["-display", "none", "-machine", "q35,usb=off,vmport=off", "-smp", "1"]
        command += [*ACCELERATORS[self.accelerator], "-m", str(host.memory_mib)]
        command += ["-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd)]
        command += ["-append", append]
        command += ["-drive", f"file={self.disk},if=virtio,format=qcow2,cache=unsafe,discard=unmap"]
        command += ["-device", "virtio-rng-pci", "-serial", f"file:{self.console}"]
        command += ["-qmp", f"unix:{self._monitor_path},server=on,wait=off"]
        for index, card in enumerate(host.cards):
            if card.network == "user":
                forward = f"hostfwd=tcp:127.0.0.1:{host.ssh_port}-:22"
                backend = f"user,net=192.168.76.0/24,restrict=on,ipv6=off,{forward}"
            else:
                backend = f"vde,sock={switch.socket_directory(card.network)},port={host.number}"
            command += ["-netdev", f"{backend},id={card.name}"]
            device = f"virtio-net-pci,netdev={card.name},id=nic-{card.name},mac={host.mac(index)}"
            command += ["-device", f"{device},romfile="]
        return command
