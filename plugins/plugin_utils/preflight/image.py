# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the image's description."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import values
from .seen import Seen

KINDS = {
    "suite": values.matching(r"[a-z][a-z0-9-]*", "the name of a Debian release, as trixie"),
    # What begins with a hyphen would be an option of mmdebstrap's.
    "mirror": values.matching(r"[^-\s].*", "a URL, a file's path or a line as in sources.list"),
    "extra_packages": values.matching(r"[a-z0-9][a-z0-9.+-]*", "the name of a Debian package"),
    "edition": values.matching(r"[A-Za-z0-9._:+-]+", "a word of letters, digits and . _ : + -"),
}
_REFERENCE = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


def problems(seen: Seen) -> Iterator[str]:
    """Yield what is wrong."""
    if seen.options["state"] == "absent":
        return
    yield from values.problems("image", seen.options, KINDS)
    source, reference = seen.options["source"], seen.options["reference"]
    if source == "registry" and not _REFERENCE.fullmatch(reference):
        yield f"image_reference is '{reference}': expected name@sha256:digest, because a tag can change its meaning"
    looked = seen.facts.get("looked", {})
    if "image" not in looked and not looked.get("skipped", not looked):
        said = " ".join(str(looked.get("msg", "")).split())
        yield f"image_build_host is '{seen.options['build_host']}': expected a host where the image can be built ({said})"
    if source == "build" and reference:
        yield f"image_reference is '{reference}': expected nothing, because image_source is build"
