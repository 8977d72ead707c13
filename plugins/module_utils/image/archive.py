# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker archive of one layer, as `docker load` reads it (Docker Image Specification v1.2)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

LABEL = "org.sheepfold.image"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def digest(path: Path) -> str:
    """Return the SHA-256 digest of a file as "sha256:…"."""
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            sha.update(block)
    return f"sha256:{sha.hexdigest()}"


def image_config(diff_id: str, architecture: str, label: str) -> dict[str, Any]:
    """Return the image's configuration: its digest is the image's id.

    Args:
        diff_id: the layer's digest.
        architecture: as Go names it, for instance amd64.
        label: what the image was made from; the value of LABEL.
    """
    return {
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": ["/usr/sbin/condor_master"],
            "Cmd": ["-f", "-t"],
            "Env": [f"PATH={PATH}"],
            "Labels": {LABEL: label},
            "WorkingDir": "/",
        },
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "sheepfold.htcondor.image_build"}],
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }


def write_archive(layer: Path, out: Path, architecture: str, label: str) -> str:
    """Write a gzip-compressed Docker archive and return the image's id.

    Gzip is what every dockerd loads; the image's id does not depend on the compression.

    Raises:
        OSError: a file cannot be read or written.
    """
    config = json.dumps(image_config(digest(layer), architecture, label), sort_keys=True).encode()
    image = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{image}.json", "RepoTags": [f"sheepfold-flock:{image[:12]}"], "Layers": ["layer.tar"]}]
    with gzip.open(out, "wb", compresslevel=6) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in ((f"{image}.json", config), ("manifest.json", json.dumps(manifest).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        archive.add(layer, arcname="layer.tar")
    return f"sha256:{image}"
