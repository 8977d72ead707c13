"""Where the lab keeps what."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = Path(__file__).resolve().parent / "files"
RUN = REPOSITORY / "build" / "lab"
"""Disks, logs and pid files of the running lab."""


def cache() -> Path:
    """Directory of what is expensive to make and is shared by all clones."""
    configured = os.environ.get("SHEEPFOLD_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "sheepfold"


def sockets() -> Path:
    """Directory of the lab's Unix sockets: short, because their paths may have 107 bytes only."""
    tag = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]
    path = Path(tempfile.gettempdir()) / f"sheepfold-{os.getuid()}-{tag}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to somebody else: remove it or set TMPDIR")
    return path
