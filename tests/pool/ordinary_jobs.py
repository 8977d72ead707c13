"""Fifty ordinary jobs, that have to end the same way with the switch and without it.

What is inherently another with it, the uid above all, no job tells of. A job that has something done to it makes the
file :data:`READY` in its sandbox and waits until somebody puts :data:`GO` beside it, in each of its runs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

READY = "ready-"
"""Followed by the job's name: it waits in this sandbox."""
GO = "go"

SUSPEND, HOLD, REMOVE, VACATE = "suspend", "hold", "remove", "vacate"

_TO_BE_GONE_ON = f"""\
: >'{READY}@NAME@'
until [ -e {GO} ]; do sleep 0.05; done
rm -f {GO} '{READY}@NAME@'
"""
_TO_BE_ENDED = f": >'{READY}@NAME@'\nwhile :; do sleep 0.05; done\n"


@dataclass(frozen=True)
class Ordinary:
    """A job. ``@NAME@`` in its script stands for its name.

    ``script``: its executable's text, sent along; else ``executable`` is one of the host. ``lines``: of its submit
    description. ``files``: further files beside it. ``act``: what is done to it as soon as it waits. ``ends``: whether it
    is to be ``completed``, ``removed`` or ``held``.
    """

    name: str
    script: str = ""
    lines: tuple[str, ...] = ()
    executable: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    act: str = ""
    ends: str = "completed"

    @property
    def text(self) -> str:
        """The executable's text."""
        return self.script.replace("@NAME@", self.name)

    @property
    def description(self) -> str:
        """The submit description; what it names is in the directory from which it is submitted."""
        lines = [
            f"executable = {self.executable or 'job.sh'}",
            f"transfer_executable = {'false' if self.executable else 'true'}",
            "should_transfer_files = yes",
            "request_memory = 64",
            "request_disk = 1024",
            "output = out",
            "error = err",
            "log = log",
            *self.lines,
            "queue",
        ]
        return "\n".join(lines) + "\n"


def _shell(
    name: str, body: str, *lines: str, files: Mapping[str, str] | None = None, act: str = "", ends: str = "completed"
) -> Ordinary:
    return Ordinary(name, f"#!/bin/sh\n{body}", lines, files=files or {}, act=act, ends=ends)


def _numbers(count: int) -> str:
    """Lines that no two of are in order, the same in every run."""
    return "".join(f"{number:012}\n" for number in random.Random(4).sample(range(10**12), count))


def _ends_with(code: int) -> Ordinary:
    return _shell(f"exit code {code}", f"echo out of {code}\necho err of {code} >&2\nexit {code}\n")


def _killed_by(signal: str) -> Ordinary:
    return _shell(f"killed by {signal}", f"echo before\nkill -{signal} $$\nsleep 60\n")


JOBS: tuple[Ordinary, ...] = (
    *(_ends_with(code) for code in (0, 1, 7, 126, 127, 201, 202, 203, 204, 255)),
    *(_killed_by(signal) for signal in ("TERM", "KILL", "SEGV", "ABRT")),
    _shell("much output", "seq 700000\nseq 300000 >&2\n"),
    Ordinary("input of some MB", executable="/usr/bin/sort", lines=("input = numbers",), files={"numbers": _numbers(300000)}),
    _shell("no input", "readlink /proc/self/fd/0\ncat\nls /proc/self/fd\n"),
    _shell("output and error in one file", "for n in 1 2 3 4; do echo $n; echo e$n >&2; done\n", "error = out"),
    _shell(
        "streamed output",
        "for n in 1 2 3; do echo $n; echo e$n >&2; sleep 0.1; done\n",
        "stream_output = true",
        "stream_error = true",
    ),
    _shell("many files", "for n in $(seq 400); do echo $n >file$n; done\n"),
    _shell(
        "files with odd names",
        """\
for name in 'a b' ' ' '-dash' '--help' "it's" 'quo"te' 'back\\slash' 'schön' '日本' '$HOME' '*' ';' 'a,b' 'a=b' '.hidden'; do
    echo "$name" >"./$name"
done
""",
    ),
    # Not among what is sent: HTCondor 25 waits for ever when it has to send a file of such a name.
    _shell("a file with a line break in its name", "echo x >'one\ntwo'\nls\necho y >sent\n", "transfer_output_files = sent"),
    _shell(
        "directories in directories",
        "mkdir -p a/b/c/d 'e f/g'\necho 1 >a/b/c/d/file\necho 2 >'e f/g/file'\necho 3 >a/file\n",
        "transfer_output_files = a, e f",
    ),
    _shell(
        "empty files and directories",
        "mkdir empty full\n: >full/nothing\n: >nothing\n",
        "transfer_output_files = empty, full, nothing",
    ),
    _shell(
        "modes of files",
        """\
umask
for mode in 0400 0440 0600 0644 0755 0777 1644 2755 4755; do echo $mode >mode$mode; chmod $mode mode$mode; done
umask 077
echo x >private
mkdir readable setgid
echo y >readable/file
chmod 2775 setgid
echo z >setgid/file
""",
        "transfer_output_files = mode0400, mode0440, mode0600, mode0644, mode0755, mode0777, mode1644, mode2755, mode4755, "
        "private, readable, setgid",
    ),
    _shell("an output nobody may read", "echo x >secret\nchmod 0000 secret\n", "transfer_output_files = secret", ends="held"),
    _shell("an output that is not there", "echo x >other\n", "transfer_output_files = missing", ends="held"),
    _shell(
        "links in its directory",
        """\
echo content >target
mkdir directory
echo inside >directory/file
ln -s target link
ln -s directory link_to_directory
ln -s nowhere dangling
ln target hard
cat link link_to_directory/file hard
readlink dangling
""",
    ),
    _shell(
        "its environment",
        """\
env -0 | sort -z | grep -zv ^_CONDOR_WRAPPER_ERROR_FILE= | tr '\\0' '\\n' |
sed -E 's/dir_[0-9]+/dir_N/g; s/slot1_[0-9]+/slot1_N/g; s/_[0-9]+=[0-9]+:.*/_N/;
s/(PIDS?)=[0-9]+/\\1=N/'
""",
        "environment = \"EMPTY= SPACE='a b' EQUAL=a=b=c QUOTE='it''s' DOUBLE=\"\"x\"\" FAIR=schön LD_LIBRARY_PATH=/nonexistent "
        'PATH=/usr/local/bin:/usr/bin:/bin"',
    ),
    _shell(
        "line breaks in environment and arguments",
        'printf \'[%s]\\n\' "$LINES_OF" "$@"\n',
        "+Environment = \"'LINES_OF=one\\ntwo' OTHER=x\"",
        "+Arguments = \"'one\\ntwo' three\"",
    ),
    Ordinary(
        "odd arguments and interpreter",
        "#!/usr/bin/env -S dash -u\nprintf '[%s]\\n' $# \"$@\"\n",
        ("arguments = \"plain 'two words' '' 'it''s' \"\"double\"\" -dash -- * $HOME ; 'schön'\"",),
    ),
    _shell(
        "limits and signals",
        """\
cat /proc/self/limits
grep -E '^(Sig(Ign|Blk|Cgt)|Threads|Cpus_allowed_list):' /proc/self/status
nice
cat /proc/self/oom_score_adj
ulimit -n 100
ulimit -f 8
ulimit -a
head -c 100000 /dev/zero >too_long
echo $?
stat -c %s too_long
""",
    ),
    _shell("a core limit of its own", "ulimit -c\nulimit -S -c\nkill -SEGV $$\nsleep 60\n", "coresize = 1048576"),
    _shell("another directory", 'cd /\npwd\ncd /usr/bin\npwd\ncd "$_CONDOR_SCRATCH_DIR"\necho here >here\n'),
    _shell(
        "many processes",
        """\
for n in $(seq 30); do (echo $n >part$n) & done
wait
cat part* | sort -n | tr '\\n' ' '
rm part*
seq 1000 | grep 7 | wc -l
yes | head -n 3
(exit 5); echo $?
sh -c 'kill -9 $$'; echo $?
""",
    ),
    _shell("processes left in the background", "sleep 3600 &\nsetsid sleep 3601 >/dev/null 2>&1 &\necho done\n"),
    Ordinary(
        "Python with threads",
        """\
#!/usr/bin/env -S python3 -I
import os, sys, threading, tempfile
found = []
threads = [threading.Thread(target=found.append, args=(n,)) for n in range(20)]
[each.start() for each in threads]
[each.join() for each in threads]
print(sorted(found), os.path.isdir(tempfile.gettempdir()), sys.stdin.isatty(), os.getpid() == os.getsid(0) == os.getpgid(0))
with tempfile.NamedTemporaryFile(dir="/tmp") as file:
    file.write(b"x")
os.mkfifo("/tmp/fifo")
""",
    ),
    _shell(
        "talk with the access point",
        """\
PATH=$PATH:/usr/libexec/condor
condor_chirp ulog 'from the job'; echo $?
condor_chirp get_job_attr ProcId; echo $?
condor_chirp set_job_attr Greeting '"good day"'; echo $?
condor_chirp fetch job.sh copy; echo $?
cat copy
""",
        "want_io_proxy = true",
    ),
    _shell(
        "inputs that it changes",
        "cat data\necho more >>data\nrm other\nchmod 600 data\n",
        "transfer_input_files = data, other",
        files={"data": "first\n", "other": "other\n"},
    ),
    _shell("its own files removed", "rm -rf ./* .job.ad .machine.ad\nls\necho still here\n"),
    _shell(
        "outputs under other names",
        "echo 1 >one\nmkdir two\necho 2 >two/file\n",
        "transfer_output_files = one, two/file",
        'transfer_output_remaps = "one=first; file=second"',
    ),
    _shell("suspended and continued", f"echo before\n{_TO_BE_GONE_ON}echo after\n", act=SUSPEND),
    _shell("held and released", f"{_TO_BE_GONE_ON}echo ended\n", act=HOLD),
    _shell("removed", f"trap 'exit 0' TERM\n{_TO_BE_ENDED}", act=REMOVE, ends="removed"),
    _shell("removed without listening", f"trap '' TERM INT HUP\n{_TO_BE_ENDED}", act=REMOVE, ends="removed"),
    _shell(
        "vacated with its files",
        f"trap 'echo kept >kept; rm {READY}*; exit 0' TERM\n[ -e kept ] && exec cat kept\n{_TO_BE_ENDED}",
        "when_to_transfer_output = ON_EXIT_OR_EVICT",
        act=VACATE,
    ),
    _shell(
        "checkpoints of its own",
        "echo run >>runs\n[ $(wc -l <runs) -ge 3 ] && exec cat runs\nexit 85\n",
        "checkpoint_exit_code = 85",
        "transfer_checkpoint_files = runs",
    ),
    _shell("removed by its own rule", "sleep 600\n", "periodic_remove = JobStatus == 2 && NumJobStarts > 0", ends="removed"),
    _shell("held for its exit code", "exit 9\n", "on_exit_hold = ExitCode =?= 9", ends="held"),
    _shell("held for taking too long", "sleep 600\n", "allowed_execute_duration = 3", ends="held"),
)
