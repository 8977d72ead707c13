"""Command line of the lab: `python3 -m lab COMMAND`, from the root of the repository."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lab import collect, image, packages, site, ssh
from lab.say import LabError, note
from lab.topology import BY_NAME


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m lab", description="A whole site in virtual machines.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("packages", "install the host's packages (root)"),
        ("image", "build the guest image unless it is cached"),
        ("up", "bring the lab up; a running one is left as it is"),
        ("reset", "bring the lab back to its prepared state"),
        ("status", "say what runs; exit code 1 unless all guests do"),
        ("clocks", "set the guests' clocks"),
        ("down", "end guests and switches"),
        ("destroy", "down, and delete what the lab keeps in build/"),
    ):
        commands.add_parser(name, help=text)
    for name, text in (("save", "save the running lab"), ("restore", "bring back a saved lab")):
        commands.add_parser(name, help=text).add_argument("name")
    shell = commands.add_parser("ssh", help="a shell or a command in a guest, as root")
    shell.add_argument("host", choices=sorted(BY_NAME))
    shell.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    gather = commands.add_parser("collect", help="write journals, rulesets and logs of all guests to a directory")
    gather.add_argument("directory", type=Path)
    gather.add_argument("--unless", type=Path, metavar="FILE", help="do nothing when this file exists")
    cable = commands.add_parser("link", help="plug a guest's cable in or out")
    cable.add_argument("host", choices=sorted(BY_NAME))
    cable.add_argument("nic", choices=("em1", "wan"))
    cable.add_argument("state", choices=("up", "down"))
    return parser


def main() -> int:
    """Run one command; return the exit code."""
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    arguments = _parser().parse_args()
    if arguments.command == "ssh":
        return subprocess.run(ssh.command(BY_NAME[arguments.host], *arguments.words)).returncode
    if arguments.command == "status":
        return 0 if site.status() else 1
    actions: dict[str, Callable[[], object]] = {
        "packages": packages.ensure,
        "image": image.ensure,
        "up": site.up,
        "reset": site.reset,
        "clocks": site.set_clocks,
        "down": site.down,
        "destroy": site.destroy,
        "save": lambda: site.save(arguments.name),
        "restore": lambda: site.restore(arguments.name),
        "collect": lambda: collect.collect(arguments.directory, arguments.unless),
        "link": lambda: site.link(BY_NAME[arguments.host], arguments.nic, up=arguments.state == "up"),
    }
    actions[arguments.command]()
    return 0


if __name__ == "__main__":
    # An ended command cleans up like an interrupted one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except LabError as error:
        note(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
