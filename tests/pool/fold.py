"""The flocking container with jobs in it, and commands beside them (tests/pool/test_container_attacks.py)."""

from __future__ import annotations

from pathlib import Path

from tests.bench.container_rig import REMAP_START, Rig

SECRET = "/etc/condor/tokens.d/flock"
SLOT_USER = "60001:60001"

# What makes a container an easy victim: nothing of it may matter.
_SETUID = "--mount=type=bind,source=/srv/suid-id,target=/usr/local/bin/suid-id,readonly"
_MISCONFIGURATION = f"""
mkdir -p /srv
cp /usr/bin/id /srv/suid-id
chown {REMAP_START}:{REMAP_START} /srv/suid-id
chmod 4755 /srv/suid-id
"""

_DESCRIPTION = """\
executable = {path}
transfer_executable = true
arguments = {arguments}
environment = "{environment}"
should_transfer_files = YES
when_to_transfer_output = ON_EXIT
initialdir = {home}
output = out
error = err
log = log
request_memory = 64
request_cpus = 1
requirements = (NumShadowStarts ?: 0) == 0
{lines}
queue
"""


class Fold:
    """The container. Use as a context manager."""

    def __init__(self) -> None:
        self.rig = Rig(packages=("python3",), flock_startd_extra_arguments=[_SETUID])
        self._asked = {"SECRET": SECRET, "RUN": "/etc/condor/passwords.d", "EXECUTE": "/var/lib/condor/execute"}

    def __enter__(self) -> Fold:
        self.rig.__enter__()
        try:
            self.rig.host("sh", "-ec", _MISCONFIGURATION)
            self.rig.start()
            found = self.beside("sh", "-c", "find /sys/fs/cgroup -name cgroup.procs | head -n 1")
            self._asked["LEAF"] = found.rpartition("/")[0]
        except BaseException:
            self.rig.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.rig.script("stop", check=False)
        self.rig.close()

    def submit(self, name: str, script: str, arguments: str = "", lines: str = "", user: str = "alice", **more: str) -> str:
        """Submit a job with a directory of its own at the access point, ``more`` in its environment; the cluster."""
        home = f"/home/{user}/{name}"
        path = f"{home}/{name}"
        self.rig.world.run(["install", "-d", "-o", user, "-g", user, home])
        self.rig.world.write(path, script, mode=0o755)
        environment = " ".join(f"{key}='{value}'" for key, value in {**self._asked, **more}.items())
        text = _DESCRIPTION.format(path=path, arguments=arguments, environment=environment, home=home, lines=lines)
        return self.rig.pool.submit(self.rig.cm, text, user=user)

    def run(self, name: str, script: str, arguments: str = "", lines: str = "") -> str:
        """Run a job to its end, completed or held; its output."""
        cluster = self.submit(name, script, arguments, lines)
        self.rig.pool.wait(lambda: self.status(cluster) in (4, 5), f"the end of {name}")
        self.rig.cm.run(["condor_rm", cluster], check=False)
        return self.output(name)

    def status(self, cluster: str) -> int:
        """The job's ``JobStatus``."""
        return int(self.rig.pool.job(self.rig.cm, cluster).get("JobStatus", 0))

    def output(self, name: str, file: str = "out") -> str:
        """A file of a job's that came back; empty when none did."""
        path = Path(self.rig.world.root / f"home/alice/{name}/{file}")
        return path.read_text() if path.is_file() and not path.is_symlink() else ""

    def beside(self, *words: str, user: str = "0:0", stdin: str = "") -> str:
        """What a command prints beside the jobs, in their container."""
        engine = ("exec", "-i", f"--user={user}", *self._environment, "flock_startd")
        return self._docker(*engine, *words, stdin=stdin)

    def apart(self, *words: str, options: tuple[str, ...], stdin: str = "") -> str:
        """What a command prints in another container of the same image, without the role's arguments."""
        engine = ("run", "--rm", "-i", "--network=none", "--security-opt=seccomp=unconfined", _SETUID, *options)
        return self._docker(*engine, *self._environment, "--entrypoint", words[0], self.rig.image.id, *words[1:], stdin=stdin)

    def on_the_node(self, *words: str, stdin: str = "") -> str:
        """What a command prints on the node, as root."""
        environment = [f"{key}={value}" for key, value in self._asked.items()]
        return self.rig.host("env", *environment, *words, stdin=stdin, check=False).stdout

    def sleepers(self, seconds: str) -> int:
        """How many processes of the container sleep so long."""
        words = self.beside("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        return words.count(f"sleep {seconds} ")

    @property
    def _environment(self) -> list[str]:
        return [f"--env={key}={value}" for key, value in self._asked.items()]

    def _docker(self, *words: str, stdin: str) -> str:
        # PATH: not a newer client than the engine understands.
        return self.rig.host(
            "/usr/bin/docker", "--host", "unix:///run/flock-docker/docker.sock", *words, stdin=stdin, check=False
        ).stdout
