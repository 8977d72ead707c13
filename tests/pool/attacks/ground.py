"""Where attacks are made: an execute point with the switch, or the same one with wrappers as one would write them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import switch_site
from condor_harness import Root
from execute_point import ACCOUNTS, EXECUTE, FIRST_ID, RUN, SETTINGS, SWITCH, ExecutePoint

from .answer import Answer
from .drivers import INSTALL

HERE = Path(__file__).parent
EVIL = "/srv/evil"
"""Where attacks leave their marks: everybody may write there."""
SECRET = "/srv/condor/p220/tokens.d/site"
WRAPPER = "/usr/local/libexec/attacked-wrapper"
SLOTS = 8

_CONFIG = f"""
USER_JOB_WRAPPER = {WRAPPER}
NUM_CPUS = {SLOTS}
"""

# It leaks a descriptor of the daemons' to what comes next. Static, as the switch's own first stage.
_LEAKY = f'#!/bin/busybox sh\nexec 9<{SECRET}\nexec {SWITCH} "$@"\n'

# Wrappers as one would write them. The job's environment says which of them it meets.
_NAIVE = f"""#!/bin/sh
exec 9<{SECRET}
sed -n 's/^Owner = /forged-ad /p' .job.ad >>{EVIL}/log
case $CONTROL in
  uid) exec sudo -n -E /usr/local/libexec/naive-switch "pool0${{_CONDOR_SLOT##*_}}" "$@" ;;
  bash) exec /usr/local/libexec/wrapper.bash "$@" ;;
  python) exec /usr/local/libexec/wrapper.py "$@" ;;
  interactive) exec /bin/dash -i -c 'exec "$@"' dash "$@" ;;
  iconv) echo x | iconv -t EVIL >/dev/null 2>&1; exec "$@" ;;
  path) id >/dev/null; exec "$@" ;;
  waiting) "$@"; exit ;;
  knowing) read -r known <{SECRET}; "$@"; exit ;;
  eval) eval "$@"; exit ;;
esac
exec "$@"
"""

# As root: another uid, nothing else. It goes through the files of the job's directory one by one.
_NAIVE_SWITCH = """#!/bin/sh
account=$1
shift
find . -exec chown "$account" {} +
setpriv --reuid="$account" --regid="$account" --keep-groups "$@"
status=$?
case $HAND_BACK in
  none) ;;
  careful) find . ! -type l | while read -r file; do [ -L "$file" ] || chown -h condor: "$file"; done ;;
  *) find . -exec chown condor: {} + ;;
esac
exit $status
"""

_FILES = {
    "/usr/local/libexec/naive-switch": _NAIVE_SWITCH,
    "/usr/local/libexec/wrapper.bash": '#!/bin/bash\nexec "$@"\n',
    "/usr/local/libexec/wrapper.py": "#!/usr/bin/python3\nimport subprocess, sys\nsys.exit(subprocess.call(sys.argv[1:]))\n",
}

# What makes a host an easy victim: nothing of it may matter.
_MISCONFIGURATION = f"""
install -m 4755 /usr/bin/id /usr/local/bin/suid-id
echo 'ALL ALL=(ALL) NOPASSWD:SETENV: ALL' >/etc/sudoers.d/everybody
pwconv
passwd -qd root
mkdir -p /dev/mqueue && mount -t mqueue mqueue /dev/mqueue && chmod 1777 /dev/mqueue
install -d -m 1777 {EVIL} /run/lock
touch /tmp/of-the-host
"""

# A key in the keyring that all sessions of the daemons' user have.
_ADD_KEY = """
import ctypes
libc = ctypes.CDLL(None)
keyctl = {"x86_64": 248, "aarch64": 217}[__import__("os").uname().machine]
assert libc.syscall(keyctl, b"user", b"sheepfold-attack", b"secret of the daemons", 21, -5) > 0
"""


class _Process(NamedTuple):
    """What /proc says of a process: real uid, parent, words of its command line."""

    uid: int
    parent: int
    words: list[str]


_NOBODY = _Process(0, 0, [])


class Ground:
    """An execute point under attack. Use as a context manager."""

    def __init__(self, root: Root, *, protected: bool, driver: str = "newuidmap") -> None:
        """Start the site, with the switch or with the wrappers of above, and victims for the attacks."""
        self.protected = protected
        self.notes: dict[str, str] = {}
        """What an attack saw while it ran, by its name."""
        self.site = ExecutePoint(root, _CONFIG)
        self.world = self.site.world
        try:
            INSTALL[driver](self.site)
            self._settings = self.world.read(SETTINGS)
            self.world.write(WRAPPER, _LEAKY if protected else _NAIVE, mode=0o755)
            for path, text in _FILES.items():
                self.world.write(path, text, mode=0o755)
            self.world.run(["sh", "-ec", _MISCONFIGURATION])
            self.site.as_condor(["python3", "-c", _ADD_KEY])
            # Jobs that were started in vain leave the queue soon.
            self.site.cm.configure("PERIODIC_EXPR_INTERVAL = 3")
            self.site.cm.reconfig()
        except BaseException:
            self.site.close()
            raise

    def __enter__(self) -> Ground:
        return self

    def __exit__(self, *exc: object) -> None:
        self.site.close()

    def set(self, rules: Iterable[tuple[str, object]]) -> None:
        """Give the switch these settings besides its usual ones, for jobs from now on."""
        self.world.write(SETTINGS, self._settings + "".join(f"{name} = {value}\n" for name, value in rules))

    def submit(
        self,
        name: str,
        script: str,
        *lines: str,
        control: str = "",
        environment: Mapping[str, str] | None = None,
        user: str = "alice",
    ) -> str:
        """Submit a job with a directory of its own at the access point, :meth:`home`; the cluster."""
        home = self.home(name, user)
        self.world.run(["rm", "-rf", home])
        self.world.run(["install", "-d", "-o", user, "-g", user, home])
        self.world.write(f"{home}/{name}", script, mode=0o755)
        values = {"CONTROL": control, "SECRET": SECRET, "EXECUTE": EXECUTE, "RUN": RUN, **(environment or {})}
        words = " ".join(f"{key}='{value}'" for key, value in values.items())
        # Once is enough: a job whose wrapper is said to have failed goes back to the queue.
        once = "requirements = (NumShadowStarts ?: 0) == 0"
        given = (once, "transfer_executable = true", f"initialdir = {home}", f'environment = "{words}"', *lines)
        return self.site.submit(f"{home}/{name}", *given, user=user)

    def home(self, name: str, user: str = "alice") -> str:
        """The directory of a job at its access point."""
        return f"/home/{user}/{name}"

    def output(self, name: str, file: str = "out", user: str = "alice") -> str:
        """What a job's file holds that came back; empty when none did."""
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            return self.world.read(f"{self.home(name, user)}/{file}")
        return ""

    def ended(self, cluster: str) -> bool:
        """Whether a job is completed, held or removed, or back in the queue, from where it does not start again."""
        job = self.site.pool.job(self.site.cm, cluster)
        return job.get("JobStatus") in (3, 4, 5) or (job.get("JobStatus") == 1 and job.get("NumShadowStarts", 0) > 0)

    def fate(self, cluster: str) -> str:
        """What became of a job, for those who look for its answer in vain: its state in the queue, its records."""
        job = self.site.pool.job(self.site.cm, cluster)
        told = switch_site.records(self.site, cluster) if self.protected else []
        messages = [record["MESSAGE"] for record in told]
        return f"JobStatus {job.get('JobStatus')}, {job.get('NumShadowStarts', 0)} starts; {'; '.join(messages) or 'no records'}"

    def started(self, cluster: str) -> bool:
        """Whether a job runs."""
        return self.site.pool.job(self.site.cm, cluster).get("JobStatus") == 2

    def exists(self, path: str) -> bool:
        """Whether there is a file, a directory or a link on the host."""
        return self.world.run(["test", "-e", path, "-o", "-L", path], check=False).rc == 0

    def owner(self, path: str) -> int:
        """Whose a file is, links not followed."""
        return int(self.world.run(["stat", "-c", "%u", path]).stdout)

    def daemons_id(self) -> int:
        """The uid of the daemons' user."""
        return int(self.world.run(["id", "-u", "condor"]).stdout)

    def is_account(self, uid: int) -> bool:
        """Whether an id is a pool account's."""
        return FIRST_ID <= uid < FIRST_ID + len(ACCOUNTS)

    def processes(self, name: str) -> dict[str, int]:
        """The processes of a running job by their part.

        These are ``starter``, ``monitor``, ``keeper``, ``init`` and ``job``; with driver userv also ``client``,
        ``server`` and ``service``. With the control ``uid`` the monitor is root's shell, and there is no keeper and no init.
        """
        table = dict(self._table())
        found: dict[str, int] = {}
        for pid, (uid, parent, words) in table.items():
            if not any(word.endswith(f"/{name}") for word in words):
                continue
            begun = table.get(parent, _NOBODY).words[:1] == ["condor_starter"]
            if begun:
                found["starter"] = parent
            if words[0] == "sudo":
                continue
            if "/usr/local/libexec/naive-switch" in words or begun:
                found["monitor"] = pid
            elif not words[0].startswith("/usr/bin/python3"):
                found |= {"job": pid, "init": parent}
            elif not self.is_account(uid):
                found["keeper"] = pid
        above = table.get(found.get("init", 0), _NOBODY).parent
        if "stand-by" in table.get(above, _NOBODY).words:
            found["keeper"] = above
        if table.get(found.get("init", 0), _NOBODY).words[-1:] == ["service"]:
            found["service"] = table[found["init"]].parent
            # Of uservd's, for this one call.
            found["server"] = table.get(found["service"], _NOBODY).parent
        for pid, (_, parent, words) in table.items():
            if words[:1] == ["/usr/bin/userv"] and parent == found.get("keeper"):
                found["client"] = pid
        return found

    def _table(self) -> Iterator[tuple[int, _Process]]:
        """All processes, by their pid."""
        for status in self.world.statuses():
            with contextlib.suppress(OSError):
                line = (self.world.root / f"proc/{status['Pid']}/cmdline").read_bytes().decode(errors="replace")
                yield int(status["Pid"]), _Process(int(status["Uid"].split()[0]), int(status["PPid"]), line.split("\0")[:-1])

    def stays(self, question: Callable[[], str], seconds: float = 5) -> Answer:
        """Whether something is still the case after some seconds: the question answers in words, or with nothing.

        Without the switch nobody is expected to change it: a short look is enough.
        """
        end = time.monotonic() + (seconds if self.protected else 1)
        while True:
            words = question()
            if not words or time.monotonic() > end:
                return Answer(bool(words), words)
            time.sleep(0.2)

    def kill(self, pid: int, number: int) -> None:
        """Send a signal to a process, as the host's root; one that is gone is no error."""
        self.world.run(["kill", f"-{number}", str(pid)], check=False)

    def marks(self) -> str:
        """What attacks wrote down."""
        with contextlib.suppress(FileNotFoundError):
            return self.world.read(f"{EVIL}/log")
        return ""

    def records(self) -> list[dict[str, object]]:
        """The audit's records, in their order."""
        with contextlib.suppress(FileNotFoundError):
            return [json.loads(line) for line in self.world.read(switch_site.AUDIT).splitlines()]
        return []
