"""Pools of real HTCondor daemons: several masters side by side in one world."""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import subprocess
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import ansible

from .cgroups import LEAF
from .roots import Root
from .world import CommandResult, World, kill, wait_for

_T = TypeVar("_T")

TRUST_DOMAIN = "site.test"
# Seconds to wait for what takes a few on an idle machine: a loaded one is no failure of the code.
PATIENCE = 300
CENTRAL_MANAGER = "10.27.1.1"
_NOT_LET_IN = "Failed to connect to local queue manager"

# What every master of the tests starts from. FS authentication would win over IDTOKENS among hosts that share a file
# system, and map to the wrong identity: it is allowed to nobody but the schedd's own users.
_BASE = """\
LOCAL_DIR = /srv/condor/{name}
LOCAL_CONFIG_DIR = $(LOCAL_DIR)/config.d
RELEASE_DIR = /usr
LIB = /usr/lib/condor
LIBEXEC = /usr/libexec/condor
SBIN = /usr/sbin
BIN = /usr/bin
RUN = $(LOCAL_DIR)/run
LOG = $(LOCAL_DIR)/log
LOCK = $(LOCAL_DIR)/lock
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
SEC_PASSWORD_DIRECTORY = $(LOCAL_DIR)/passwords.d
SEC_TOKEN_SYSTEM_DIRECTORY = $(LOCAL_DIR)/tokens.d
SEC_TOKEN_POOL_SIGNING_KEY_FILE = $(SEC_PASSWORD_DIRECTORY)/POOL
DAEMON_LIST = MASTER
CONDOR_HOST = {collector}
COLLECTOR_HOST = {collector}:9618
USE_SHARED_PORT = True
SHARED_PORT_PORT = 9618
DAEMON_SOCKET_DIR = $(LOCAL_DIR)/run/sockets
NETWORK_INTERFACE = {address}
NETWORK_HOSTNAME = {name}.{domain}
NO_DNS = True
DEFAULT_DOMAIN_NAME = {domain}
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
TRUST_DOMAIN = {domain}
UID_DOMAIN = {domain}
FILESYSTEM_DOMAIN = {name}
USE_PROCD = False
# Every master of the world sees the others' processes: without this they take each other for their own family.
SEC_USE_FAMILY_SESSION = False
ENABLE_KERNEL_TUNING = False
use security : recommended_v9_0
SEC_DEFAULT_AUTHENTICATION_METHODS = IDTOKENS
SEC_CLIENT_AUTHENTICATION_METHODS = FS, IDTOKENS
SCHEDD.SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
SCHEDD.SEC_WRITE_AUTHENTICATION_METHODS = FS, IDTOKENS
SCHEDD.SEC_READ_AUTHENTICATION_METHODS = FS, IDTOKENS
ALLOW_DAEMON = condor@{domain}
ALLOW_NEGOTIATOR = condor@{domain}
MAX_DEFAULT_LOG = 50 Mb
# Tests do not wait for what a site waits for.
UPDATE_INTERVAL = 5
MASTER_UPDATE_INTERVAL = 5
NEGOTIATOR_INTERVAL = 3
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_MIN_INTERVAL = 1
SCHEDD_INTERVAL = 5
SCHEDD_MIN_INTERVAL = 1
POLLING_INTERVAL = 2
MASTER_BACKOFF_CONSTANT = 1
MASTER_BACKOFF_CEILING = 3
RUNBENCHMARKS = False
STARTD_NOCLAIM_SHUTDOWN = 0
# Each startd would start every transfer plugin to ask what it can do: three Pythons, 0.7 s of processor.
ENABLE_URL_TRANSFERS = False
# Sizes of its own, so that nothing depends on the machine under test.
NUM_CPUS = 4
MEMORY = 4096
NUM_SLOTS = 1
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
"""

_COLLECTION = Path(__file__).resolve().parents[3]
_LIBRARY = "/opt/sheepfold"
_MODULE = """
import runpy, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""
"""Runs a module as a target host does: with that host's Python, the arguments as JSON."""

# As systemd starts a unit with User=, Delegate= and DelegateSubgroup=leaf: the bounding set stays whole.
_AS_USER = """
echo $$ >"$1/cgroup.procs"
user=$2
shift 2
exec setpriv --reuid "$user" --regid "$user" --clear-groups --inh-caps=-all --ambient-caps=-all "$@"
"""

POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()
"""The pools that run, for what a failure tells of them."""

CM = "DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR"
CM_AND_AP = "DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD"
EP = "DAEMON_LIST = MASTER, STARTD"


class Master:
    """One condor_master and what hangs on it."""

    def __init__(self, pool: Pool, name: str, address: str, netns: str, user: str = "root") -> None:
        self.pool = pool
        self.user = user
        self.name = name
        self.address = address
        self.netns = netns
        self.dir = f"/srv/condor/{name}"
        self.env = {"CONDOR_CONFIG": f"{self.dir}/condor_config"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemons."""
        command = ["condor_master", "-f"]
        if self.user != "root":
            command = ["sh", "-ec", _AS_USER, "sh", f"/sys/fs/cgroup/{LEAF}", self.user, *command]
        self._process = self.pool.world.popen(command, env=self.env, netns=self.netns)

    def pids(self, daemon: str = "") -> list[int]:
        """Pids of this master's processes, all or those of one name (``condor_startd``)."""
        return self.pool.world.processes(daemon, f"CONDOR_CONFIG={self.env['CONDOR_CONFIG']}")

    def signal(self, daemon: str, number: int) -> None:
        """Send a signal to a daemon. Raises AssertionError when it does not run."""
        pids = self.pids(daemon)
        assert pids, f"{daemon} of {self.name} does not run"
        kill(pids, number)

    def kill(self) -> None:
        """End the master and all of its processes the hard way."""
        kill(self.pids("condor_master"))
        kill(self.pids())
        self.forget()

    def forget(self) -> None:
        """Collect the process that brought the master into the world."""
        if self._process is not None:
            # It stopped itself if the master was ever stopped, and would not notice the end.
            self._process.kill()
            self._process.wait()
            self._process = None

    def run(self, args: Sequence[str], **options: Any) -> CommandResult:
        """Run a command as on this host: its configuration, its tokens, its network."""
        env = {**self.env, **options.pop("env", {})}
        return self.pool.world.run(args, env=env, netns=self.netns, **options)

    def configure(self, snippet: str, name: str = "50-test.conf") -> None:
        """Write a snippet of configuration; :meth:`reconfig` makes the daemons read it."""
        self.pool.world.write(f"{self.dir}/config.d/{name}", snippet + "\n")

    def reconfig(self) -> None:
        """Have every daemon read its configuration again."""
        self.signal("condor_master", signal.SIGHUP)

    def log(self, daemon: str) -> str:
        """A daemon's log (``StartLog``), empty when there is none yet."""
        with contextlib.suppress(FileNotFoundError):
            return self.pool.world.read(f"{self.dir}/log/{daemon}")
        return ""


class Pool:
    """A world with one or more HTCondor pools in it. Use as a context manager, or call :meth:`close`."""

    def __init__(self, root: Root, label: str = "pool", world: World | None = None, *, like_host: bool = False) -> None:
        """A pool without hosts yet, in a world of its own or in ``world``; ``like_host``: see :class:`World`."""
        self.root = root
        self.world = world or World(root.path, label, like_host=like_host)
        self.masters: dict[str, Master] = {}
        self.keys: dict[str, str] = {"POOL": secrets.token_hex(32)}
        self._next_address = 2
        POOLS.add(self)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything. Safe to call twice."""
        POOLS.discard(self)
        self.world.close()
        for master in self.masters.values():
            master.forget()

    def add_master(
        self,
        name: str,
        config: str = EP,
        *,
        address: str = "",
        netns: str = "",
        collector: str = CENTRAL_MANAGER,
        domain: str = TRUST_DOMAIN,
        keys: Mapping[str, str] | None = None,
        token: bool = True,
        user: str = "root",
    ) -> Master:
        """Prepare a host of its own: directories, configuration, the pool's signing key or those of ``keys``, a token.

        ``token``: whether it gets one of ``condor@domain`` without limits, as a site's own hosts have. An address is
        put on ``lo``, except in a ``netns``, whose addresses are the caller's. ``user``: whose the daemons are; with
        another than root they have no capabilities, and the world's control groups are delegated to them (one such host
        in a pool that is ``like_host``).
        """
        if not address:
            address = CENTRAL_MANAGER
            if self.masters:
                address = f"10.27.1.{self._next_address}"
                self._next_address += 1
        if not netns:
            self.world.address(f"{address}/32")
        master = Master(self, name, address, netns, user)
        self.masters[name] = master
        base = _BASE.format(name=name, address=address, collector=collector, domain=domain)
        self.world.write(f"{master.dir}/condor_config", base)
        for directory in ("run", "log", "lock", "spool", "execute", "passwords.d", "tokens.d", "config.d"):
            self.world.run(["install", "-d", "-o", "condor", "-g", "condor", f"{master.dir}/{directory}"])
        for directory in ("passwords.d", "tokens.d"):
            self.world.run(["install", "-d", "-o", user, "-g", user, "-m", "0700", f"{master.dir}/{directory}"])
        self.world.write(f"{master.dir}/config.d/10-site.conf", config + "\n")
        for key, secret in (self.keys if keys is None else keys).items():
            self.world.write(f"{master.dir}/passwords.d/{key}", secret, mode=0o600)
        if token:
            self.put_token(master, "site", self.token(master, f"condor@{domain}"))
        if user != "root":
            self._give(master, user)
        return master

    def _give(self, master: Master, user: str) -> None:
        """Make a host's secrets its daemons' own, and delegate them a control group."""
        assert self.world.cgroups, "a master without privileges needs a pool that is like_host"
        uid, gid = (int(self.world.run(["id", option, user]).stdout) for option in ("-u", "-g"))
        self.world.cgroups.delegate(uid, gid)
        self.world.run(["chown", "-R", f"{user}:", f"{master.dir}/passwords.d"])

    def start_master(self, name: str, config: str = EP, **options: Any) -> Master:
        """:meth:`add_master`, and start it."""
        master = self.add_master(name, config, **options)
        master.start()
        return master

    def token(self, issuer: Master, identity: str, authz: Sequence[str] = (), key: str = "POOL") -> str:
        """An IDTOKEN signed by a key that ``issuer`` holds."""
        args = ["condor_token_create", "-identity", identity, "-key", key]
        for authorization in authz:
            args += ["-authz", authorization]
        return issuer.run(args).stdout.strip()

    def put_token(self, master: Master, name: str, token: str) -> None:
        """Give a host's daemons and its root a token."""
        path = f"{master.dir}/tokens.d/{name}"
        self.world.write(path, token + "\n", mode=0o600)
        self.world.run(["chown", f"{master.user}:", path])

    # What a test asks a pool

    def ads(
        self, kind: str = "-startd", constraint: str = "", attributes: Sequence[str] = (), via: str = ""
    ) -> list[dict[str, Any]]:
        """Ads of the collector, as ``via`` (default: the first host) sees them; none when it does not answer."""
        master = self.masters[via] if via else next(iter(self.masters.values()))
        args = ["condor_status", kind, "-json"]
        if constraint:
            args += ["-constraint", constraint]
        if attributes:
            args += ["-attributes", ",".join(attributes)]
        answer = master.run(args, check=False)
        return json.loads(answer.stdout) if answer.rc == 0 and answer.stdout.strip() else []

    def wait(self, question: Callable[[], _T], what: str, timeout: float = PATIENCE) -> _T:
        """Ask until the answer is true; the answer. Raises AssertionError naming ``what`` and the ends of the logs."""
        try:
            return wait_for(question, what, timeout)  # type: ignore[return-value]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tails()}") from None

    def wait_startds(self, *names: str, timeout: float = PATIENCE) -> None:
        """Until the startds of these hosts are in the collector."""
        wanted = set(names)
        self.wait(
            lambda: wanted <= {ad["Machine"].split(".")[0] for ad in self.ads(attributes=["Machine"])},
            f"startds {', '.join(sorted(names))} in the collector",
            timeout,
        )

    def submit(self, ap: Master, description: str, user: str = "alice") -> str:
        """Submit jobs as a user of ``ap``; the cluster's number."""

        def tried() -> CommandResult | None:
            answer = ap.run(["condor_submit", "-terse", "-"], user=user, input=description, cwd=f"/home/{user}", check=False)
            # It has 20 s to be let in, and has queued nothing by then: a busy access point is no failure of the code.
            return None if _NOT_LET_IN in answer.stderr else answer

        answer = self.wait(tried, f"condor_submit at {ap.name}")
        assert answer is not None and answer.rc == 0, answer
        return answer.stdout.split(".")[0]

    def job(self, ap: Master, cluster: str) -> dict[str, Any]:
        """The first job ad of a cluster, from the queue or else the history; empty when in neither."""
        for tool in ("condor_q", "condor_history"):
            answer = ap.run([tool, cluster, "-json"], check=False)
            if answer.rc == 0 and answer.stdout.strip():
                jobs = json.loads(answer.stdout)
                if jobs:
                    return dict(jobs[0])
        return {}

    def wait_job(self, ap: Master, cluster: str, status: int, timeout: float = PATIENCE) -> dict[str, Any]:
        """Until a job has a ``JobStatus`` (2 runs, 4 completed); its ad."""

        def there() -> dict[str, Any]:
            job = self.job(ap, cluster)
            return job if job.get("JobStatus") == status else {}

        return self.wait(there, f"job {cluster} in status {status}", timeout)

    def bind_collection(self) -> str:
        """Show the collection and Ansible's library to the world; the directory to import them from."""
        if not (self.world.root / _LIBRARY.lstrip("/")).exists():
            self.world.bind(Path(ansible.__file__).parent, f"{_LIBRARY}/ansible")
            self.world.bind(_COLLECTION, f"{_LIBRARY}/ansible_collections/sheepfold/htcondor")
        return _LIBRARY

    def module(self, master: Master, module: str, **arguments: Any) -> dict[str, Any]:
        """Run one of the collection's modules on a host of the pool; what it returned. ``_ansible_*`` are allowed."""
        answer = master.run(
            ["python3", "-B", "-c", _MODULE, f"ansible_collections.sheepfold.htcondor.plugins.modules.{module}"],
            env={"PYTHONPATH": self.bind_collection()},
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            check=False,
            timeout=300,
        )
        assert answer.stdout.lstrip().startswith("{"), f"{module}: {answer.stdout}\n{answer.stderr}"
        return dict(json.loads(answer.stdout))

    def tails(self, lines: int = 12) -> str:
        """The last lines of every log, for a failure's message."""
        parts = []
        for name in self.masters:
            directory = Path(self.world.root / f"srv/condor/{name}/log")
            for path in sorted(directory.glob("*Log*")) if directory.is_dir() else []:
                with contextlib.suppress(OSError):
                    text = path.read_text(errors="replace").splitlines()[-lines:]
                    parts.append("\n".join([f"--- {name}/{path.name}", *text]))
        return "\n".join(parts)
