"""KVM or software emulation: found out by booting, because /dev/kvm can open and still not run a guest."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from lab.image import Image
from lab.say import LabError, note

DEADLINE_S = 20.0
_SIGN_OF_LIFE = "Run /init as init process"


def choose(image: Image) -> str:
    """Return "kvm" or "tcg" for this machine."""
    wanted = os.environ.get("SHEEPFOLD_LAB_ACCEL", "")
    if wanted in {"kvm", "tcg"}:
        note(f"accelerator: {wanted}, as SHEEPFOLD_LAB_ACCEL says")
        return wanted
    if wanted:
        raise LabError(f'SHEEPFOLD_LAB_ACCEL is "{wanted}"; expected "kvm" or "tcg"')
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        note("accelerator: tcg (software emulation), because /dev/kvm cannot be opened")
        return "tcg"
    reason = _try_kvm(image)
    if reason:
        note(f"accelerator: tcg (software emulation), because a KVM guest did not boot: {reason}")
        return "tcg"
    note("accelerator: kvm")
    return "kvm"


def _try_kvm(image: Image) -> str:
    """Boot the kernel with KVM; return why it did not come up, or nothing."""
    command = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "q35"]
    command += ["-accel", "kvm", "-cpu", "host", "-m", "512", "-serial", "stdio", "-no-reboot"]
    command += ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
    command += ["-append", "console=ttyS0 panic=-1 break=top"]
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "console"
        with output.open("wb") as sink:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
            try:
                return _watch(process, output)
            finally:
                process.kill()
                process.wait()


def _watch(process: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        text = output.read_text(errors="replace")
        if _SIGN_OF_LIFE in text:
            return ""
        if process.poll() is not None:
            return (text.strip().splitlines() or ["QEMU ended without a message"])[-1]
        time.sleep(0.1)
    return f"no sign of life within {DEADLINE_S:.0f} s"
