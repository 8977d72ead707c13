"""Check that every role's defaults and argument specification speak of the same variables and the same values."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[1] / "roles"
#: What the site's description gives to the other roles is no variable of theirs.
SITE_WIDE = {"flock", "flock_parent"}


def load(path: Path) -> Any:
    """Return the file's content; an absent file has none."""
    return yaml.safe_load(path.read_text()) if path.exists() else None


def problems(role: Path) -> list[str]:
    """Return what disagrees in one role."""
    defaults = load(role / "defaults" / "main.yml") or {}
    spec = load(role / "meta" / "argument_specs.yml")
    if spec is None:
        return [f"{role.name}: no meta/argument_specs.yml"]
    options = spec["argument_specs"]["main"].get("options", {})
    found = [f"{role.name}: {name} has a default and no specification" for name in defaults if name not in options]
    for name, option in options.items():
        if name in SITE_WIDE:
            continue
        if not name.startswith(f"{role.name}_"):
            found.append(f"{role.name}: {name} does not bear the role's name")
        if "default" in option and defaults.get(name) != option["default"]:
            found.append(
                f"{role.name}: {name} is {defaults.get(name)!r} in defaults and {option['default']!r} in the specification"
            )
        if "description" not in option:
            found.append(f"{role.name}: {name} has no description")
    if spec["argument_specs"].get("preflight", {}).get("options", {}) != options:
        found.append(f"{role.name}: the entry point preflight has other options than main, so that a mistake is told too late")
    found += [f"{role.name}: no {name}" for name in ("README.md", "meta/main.yml") if not (role / name).exists()]
    return found


def main() -> int:
    """Print every disagreement; return how many there are, as an exit code."""
    found = [problem for role in sorted(ROLES.iterdir()) if role.is_dir() for problem in problems(role)]
    print("\n".join(found) or f"{len(list(ROLES.iterdir()))} roles agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
