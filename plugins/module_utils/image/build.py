# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the flocking image from Debian packages, once per definition."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .archive import write_archive
from .layer import CONDOR_ID, write_layer
from .packages import JOB_PACKAGES

# Raised when the same packages would give another image than before.
RECIPE = 2
TIMEOUT_SECONDS = 1800
# Fixes file times, so that the same packages give the same image id wherever it is built.
EPOCH = "1735689600"
ARCHITECTURES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le"}


class BuildError(RuntimeError):
    """The image cannot be built; `details` holds the tool's last words."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class ImageDefinition:
    """What the image is made from.

    `mirror` is empty for mmdebstrap's own choice; `edition` is any word: another word builds anew from today's packages.
    """

    suite: str
    extra_packages: tuple[str, ...]
    mirror: str
    edition: str
    machine: str

    def key(self) -> str:
        """Return what names this definition's directory in the cache."""
        text = json.dumps([RECIPE, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class BuiltImage:
    """A built image. Sizes in MiB: unpacked, and of the archive."""

    id: str
    archive: str
    unpacked_mib: float
    archive_mib: float
    packages: tuple[str, ...]


def cached(definition: ImageDefinition, cache: Path) -> BuiltImage | None:
    """Return the image if the cache has it, whole."""
    directory = cache / f"flock-image-{definition.key()}"
    try:
        facts = json.loads((directory / "image.json").read_text())
    except (OSError, ValueError):
        return None
    archive = directory / "image.tar.gz"
    if not archive.is_file():
        return None
    return BuiltImage(
        id=facts["id"],
        archive=str(archive),
        unpacked_mib=facts["unpacked_mib"],
        archive_mib=facts["archive_mib"],
        packages=tuple(facts["packages"]),
    )


def mmdebstrap_command(definition: ImageDefinition, out: Path) -> list[str]:
    """Return the command that installs the packages into the tar file `out`."""
    include = ",".join(["condor", *(name for name in JOB_PACKAGES), *definition.extra_packages])
    # The user's id is given before the package makes the user: adduser then leaves it as it is.
    users = (
        f"echo 'condor:x:{CONDOR_ID}:{CONDOR_ID}:HTCondor:/var/lib/condor:/usr/sbin/nologin' >> \"$1/etc/passwd\";"
        f"echo 'condor:x:{CONDOR_ID}:' >> \"$1/etc/group\""
    )
    excludes = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/i18n/*")
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        "--format=tar",
        f"--include={include}",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={path}" for path in excludes),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--essential-hook={users}",
        definition.suite,
        str(out),
        *([definition.mirror] if definition.mirror else []),
    ]


def _run(command: Sequence[str]) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not installed on the host that builds the image") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[0]} did not end within {TIMEOUT_SECONDS} s") from error
    if done.returncode:
        raise BuildError(f"{command[0]} ended with status {done.returncode}", done.stderr[-4000:])


def check(cache: Path) -> None:
    """See that an image could be built here, as far as that can be known without doing it.

    Raises:
        BuildError: mmdebstrap is missing, or the cache cannot be written.
    """
    if shutil.which("mmdebstrap") is None:
        raise BuildError("mmdebstrap is not installed on the host that builds the image")
    there = next(path for path in (cache, *cache.parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise BuildError(f"the cache {cache} cannot be written, because of {there}")


def build(definition: ImageDefinition, cache: Path) -> BuiltImage:
    """Build the image, put it into the cache and return it.

    Raises:
        BuildError: mmdebstrap is missing or fails, or a package is not there.
        OSError: the cache cannot be written.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="flock-image-tmp-") as name:
        work = Path(name)
        work.chmod(0o755)
        root, layer, archive = work / "root.tar", work / "layer.tar", work / "image.tar.gz"
        _run(mmdebstrap_command(definition, root))
        try:
            with layer.open("wb") as stream:
                contents = write_layer(root, stream, definition.extra_packages)
        except KeyError as error:
            raise BuildError(f"package {error} is not in {definition.suite}") from error
        image = write_archive(layer, archive, ARCHITECTURES[definition.machine], definition.key())
        facts = {
            "id": image,
            "unpacked_mib": round(contents.unpacked / 2**20, 1),
            "archive_mib": round(archive.stat().st_size / 2**20, 1),
            "packages": list(contents.packages),
        }
        (work / "image.json").write_text(json.dumps(facts, indent=1))
        root.unlink()
        layer.unlink()
        final = cache / f"flock-image-{definition.key()}"
        # A broken earlier one has no image.json or no archive; nobody uses it.
        shutil.rmtree(final, ignore_errors=True)
        work.rename(final)
        work.mkdir()  # for TemporaryDirectory to remove
    result = cached(definition, cache)
    if result is None:
        raise BuildError(f"the image is not in {cache} after its build")
    return result
