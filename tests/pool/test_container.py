"""The flocking container with a real central manager and real jobs: the fold around a job, and what it withstands.

Image, arguments, seccomp profile and start script are the roles' own (tests/bench/container_rig.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.bench.container_rig import NODE, Rig

# Run as a job. One line per question: its name, and "yes" or the error's number.
QUESTIONS = r"""
import ctypes, os, platform, socket, threading
libc = ctypes.CDLL(None, use_errno=True)
numbers = {"x86_64": {"io_uring_setup": 425, "keyctl": 250, "bpf": 321, "unshare": 272, "ptrace": 101, "mount": 165,
                      "userfaultfd": 323, "perf_event_open": 298, "setns": 308, "process_vm_readv": 310},
           "aarch64": {"io_uring_setup": 425, "keyctl": 219, "bpf": 280, "unshare": 97, "ptrace": 117, "mount": 40,
                       "userfaultfd": 282, "perf_event_open": 241, "setns": 268, "process_vm_readv": 270}}[platform.machine()]
def ask(name, call):
    try:
        call()
        print(name, "yes")
    except OSError as error:
        print(name, error.errno)
def syscall(number, *arguments):
    def call():
        if libc.syscall(number, *arguments) < 0:
            raise OSError(ctypes.get_errno(), "")
    return call
ask("io_uring_setup", syscall(numbers["io_uring_setup"], 1, ctypes.byref(ctypes.create_string_buffer(120))))
ask("keyctl", syscall(numbers["keyctl"], 0, -3, 1))
ask("bpf", syscall(numbers["bpf"], 0, ctypes.byref(ctypes.create_string_buffer(120)), 120))
ask("user namespace", syscall(numbers["unshare"], 0x10000000))
ask("ptrace", syscall(numbers["ptrace"], 0, 0, 0, 0))
ask("mount", syscall(numbers["mount"], b"none", b"/tmp", b"tmpfs", 0, 0))
ask("userfaultfd", syscall(numbers["userfaultfd"], 1))
ask("perf_event_open", syscall(numbers["perf_event_open"], ctypes.byref(ctypes.create_string_buffer(120)), 0, -1, -1, 0))
ask("setns", syscall(numbers["setns"], 0, 0))
ask("process_vm_readv", syscall(numbers["process_vm_readv"], 1, 0, 0, 0, 0, 0))
for name, family, kind, protocol in [
    ("AF_VSOCK", 40, 1, 0), ("AF_ALG", 38, 5, 0), ("AF_PACKET", 17, 3, 0), ("AF_XDP", 44, 3, 0), ("raw", 2, 3, 1),
    ("SCTP", 2, 1, 132), ("ping", 2, 2, 1), ("netfilter", 16, 3, 12), ("TCP", 2, 1, 0), ("UDP", 2, 2, 17), ("routes", 16, 3, 0),
    ("unix", 1, 1, 0),
]:
    ask(name, lambda: socket.socket(family, kind, protocol).close())
def thread():
    worker = threading.Thread(target=print, args=("thread yes",))
    worker.start()
    worker.join()
thread()
def opened(path, flags):
    return lambda: os.close(os.open(path, flags))
ask("the pool's token", opened("/etc/condor/tokens.d/flock", os.O_RDONLY))
ask("the signing key", opened("/etc/condor/passwords.d/f220", os.O_RDONLY))
ask("the master's environment", opened("/proc/1/environ", os.O_RDONLY))
ask("signal to the master", lambda: os.kill(1, 0))
ask("root's file system", opened("/usr/new", os.O_WRONLY | os.O_CREAT))
ask("HTCondor's log", opened("/var/log/condor/new", os.O_WRONLY | os.O_CREAT))
ask("the history", opened("/var/lib/condor/history/new", os.O_WRONLY | os.O_CREAT))
ask("root again", lambda: os.setuid(0))
ask("scratch", opened("new", os.O_WRONLY | os.O_CREAT))
print("user", os.getuid())
print("groups", os.getgroups())
print("host", socket.gethostname())
status = dict(line.rstrip("\n").split(":\t", 1) for line in open("/proc/self/status"))
print("capabilities", int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapAmb"], 16))
print("seccomp", status["Seccomp"])
print("no_new_privs", status["NoNewPrivs"])
print("interfaces", sorted(name for _, name in socket.if_nameindex()))
print("IPv6", os.path.exists("/proc/net/if_inet6") and open("/proc/net/if_inet6").read().strip() or "none")
print("resolver", [line.split() for line in open("/etc/resolv.conf") if line.startswith("search")])
"""

DESCRIPTION = """\
executable = {executable}
transfer_executable = {transfer}
arguments = {arguments}
should_transfer_files = YES
output = /tmp/out.$(ClusterId)
error = /tmp/err.$(ClusterId)
request_memory = 100
request_cpus = 1
queue
"""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(packages=("python3",)) as made:
        yield made


@pytest.fixture
def running(rig: Rig) -> Iterator[Rig]:
    """A fresh container, its slot in the collector."""
    rig.start()
    yield rig
    rig.cm.run(["condor_rm", "-all"], check=False)
    rig.script("stop")
    rig.script("clean")
    rig.forget()


def submit(rig: Rig, executable: str, arguments: str = "", transfer: bool = False) -> str:
    return rig.pool.submit(
        rig.cm, DESCRIPTION.format(executable=executable, arguments=f'"{arguments}"', transfer="YES" if transfer else "NO")
    )


def shell(rig: Rig, script: str) -> str:
    return submit(rig, "/bin/sh", f"-c '{script}'")


def processes(rig: Rig) -> list[list[str]]:
    """User, name and pid of each process in the container, without those that end while they are asked."""
    asked = "for each in /proc/[0-9]*; do echo $(stat -c %U $each) $(cat $each/comm) ${each#/proc/}; done 2>/dev/null"
    found = [line.split() for line in rig.docker("exec", "flock_startd", "sh", "-c", asked).stdout.splitlines()]
    return [words for words in found if len(words) == 3]


def slot_users(rig: Rig) -> set[str]:
    return {words[0] for words in processes(rig) if words[0].startswith("flockslot")}


def output(rig: Rig, cluster: str) -> str:
    rig.pool.wait_job(rig.cm, cluster, 4)
    return rig.world.read(f"/tmp/out.{cluster}")


def test_a_job_sees_the_inside_of_the_fold(running: Rig) -> None:
    running.world.write("/home/alice/questions.py", QUESTIONS, mode=0o755)
    description = DESCRIPTION.format(executable="/usr/bin/python3", arguments='"questions.py"', transfer="NO")
    cluster = running.pool.submit(running.cm, description.replace("queue\n", "transfer_input_files = questions.py\nqueue\n"))
    text = output(running, cluster)
    answers = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith(("groups", "interfaces", "resolver")))
    allowed = {name for name, answer in answers.items() if answer == "yes"}
    # The positive controls: a fold in which nothing works would refuse everything, too.
    assert allowed == {"TCP", "UDP", "routes", "unix", "thread", "scratch"}, text + running.world.read(f"/tmp/err.{cluster}")
    assert answers["user"] == "60001" and answers["host"] == "f220.sips"
    assert answers["capabilities"] == "0" and answers["seccomp"] == "2" and answers["no_new_privs"] == "1"
    assert "groups [60001]" in text and "interfaces ['eth0', 'lo']" in text
    assert answers["IPv6"] == "none"
    assert "resolver []" in text or "resolver [['search', '.']]" in text


def test_the_start_is_confirmed_and_a_wrong_mac_is_refused(running: Rig) -> None:
    assert "runs as confirmed" in running.script("confirm").stderr
    settings = "/etc/sheepfold/flock_startd/settings"
    for old, new, complaint in (
        ("FLOCK_MAC=02:42:0a:1b:02:dc", "FLOCK_MAC=02:42:0a:1b:02:dd", "MAC address"),
        ("FLOCK_ADDRESS=10.27.2.220", "FLOCK_ADDRESS=10.27.2.221", "address"),
        ("FLOCK_ROOT=1879048192", "FLOCK_ROOT=0", "first id"),
    ):
        text = running.host("cat", settings).stdout
        try:
            running.write(settings, text.replace(old, new))
            answer = running.script("confirm", check=False)
        finally:
            running.write(settings, text)
        assert answer.rc == 1 and complaint in answer.stderr and "expected" in answer.stderr


def test_the_sites_bridge_is_left_alone(rig: Rig) -> None:
    links = rig.host("ip", "-o", "link", "show", "type", "bridge", netns=NODE).stdout
    assert "docker0" in links and "flock0" in links


def test_jobs_of_two_slots_are_two_users(running: Rig) -> None:
    clusters = [shell(running, "id -un; sleep 600") for _ in range(2)]
    for cluster in clusters:
        running.pool.wait_job(running.cm, cluster, 2)
    running.pool.wait(lambda: slot_users(running) == {"flockslot1", "flockslot2"}, "two users")
    # How the roles see that a restart would end a job.
    assert "condor_starter" in running.docker("top", "flock_startd", "-eo", "pid,comm").stdout


def test_condor_rm_ends_a_job_at_once(running: Rig) -> None:
    cluster = shell(running, "trap : TERM; while :; do sleep 1; done")
    running.pool.wait_job(running.cm, cluster, 2)
    running.cm.run(["condor_rm", cluster])
    running.pool.wait(lambda: not slot_users(running), "the job's processes gone", 15)


def test_the_container_stops_in_seconds_with_a_job_in_it(rig: Rig) -> None:
    rig.start()
    cluster = shell(rig, "trap : TERM QUIT; while :; do sleep 1; done")
    rig.pool.wait_job(rig.cm, cluster, 2)
    begin = time.monotonic()
    rig.script("stop")
    assert time.monotonic() - begin < 10
    rig.script("clean")
    assert rig.docker("ps", "--all", "--quiet").stdout == ""
    assert rig.host("mountpoint", "-q", "/var/lib/sheepfold/flock_startd/scratch", check=False).rc != 0
    rig.cm.run(["condor_rm", "-all"])
    rig.forget()


def test_one_jobs_hunger_spares_neighbour_and_startd(running: Rig) -> None:
    neighbour = shell(running, "sleep 600")
    running.pool.wait_job(running.cm, neighbour, 2)
    before = _startd_pid(running)
    assert before
    hungry = submit(running, "/usr/bin/python3", "-c 'x=bytes([1])*2**30'")
    running.pool.wait(lambda: _ended(running, hungry), "the hungry job's end")
    assert _startd_pid(running) == before, "the startd goes on"
    assert running.pool.job(running.cm, neighbour)["JobStatus"] == 2, "the neighbour goes on"


def _ended(rig: Rig, cluster: str) -> bool:
    job = rig.pool.job(rig.cm, cluster)
    ended = job.get("ExitBySignal") is True and job.get("ExitSignal") == 9
    return bool(job) and (ended or job.get("JobStatus") == 5 or job.get("NumJobStarts", 0) > 1)


def _startd_pid(rig: Rig) -> str:
    return next((words[2] for words in processes(rig) if words[1] == "condor_startd"), "")


def test_scratch_has_an_end_and_the_next_start_is_clean(running: Rig) -> None:
    # Its output lies in the same place: with room again it can be written.
    cluster = shell(running, "head -c 400M /dev/zero >big || { full=`df -m . | tail -n 1`; rm big; echo $full; }")
    text = output(running, cluster)
    assert "100%" in text, text
    running.docker("exec", "flock_startd", "touch", "/var/lib/condor/execute/left-behind", "/tmp/left-behind")
    running.script("stop")
    running.script("clean")
    running.forget()
    running.start()
    left = running.docker("exec", "flock_startd", "find", "/var/lib/condor/execute", "/tmp", "-name", "left-behind").stdout
    assert left == ""


def test_an_image_with_a_tag_alone_is_refused(rig: Rig) -> None:
    identity = rig.host("cat", "/etc/sheepfold/image/id").stdout
    try:
        rig.write("/etc/sheepfold/image/id", "registry.example.org/flock:latest\n")
        answer = rig.script("prepare", check=False)
    finally:
        rig.write("/etc/sheepfold/image/id", identity)
    assert answer.rc == 1 and "expected sha256:" in answer.stderr


def test_a_network_in_use_is_not_replaced(running: Rig) -> None:
    network = ("/usr/local/lib/sheepfold/flock-network", "macvlan2512", "em1.2512", "10.27.3.0/24", "10.27.3.1")
    answer = running.host("env", "PATH=/usr/bin:/usr/sbin", *network, check=False)
    assert answer.rc == 1 and "in use by flock_startd" in answer.stderr
