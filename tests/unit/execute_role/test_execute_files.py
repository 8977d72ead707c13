"""What the role writes: settings, first stage, drop-in, snippet, engine; and when a restart is left to do."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.execute.settings import parse
from execute_values import FIRST, HOST, ROOT, asked, host
from role_evaluation import Evaluate

BUSYBOX = "/bin/busybox"


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name.strip(), value.strip()) for name, _, value in (line.partition("=") for line in lines)]


# Settings


def test_settings_without_wishes(template: Evaluate) -> None:
    pairs = _pairs(template("settings.j2"))
    assert pairs == [
        ("mode", "identity"),
        ("driver", "newuidmap"),
        ("daemon_user", "condor"),
        *(("account", f"pool{number + 1:02d} {FIRST + number}") for number in range(4)),
        ("execute", "/var/lib/condor/execute"),
        ("startd_address", "/var/log/condor/.startd_address"),
        ("secret", "/etc/condor/tokens.d"),
        ("secret", "/etc/condor/passwords.d"),
        ("secret", "/run/sheepfold/credentials"),
        ("user_namespaces", "no"),
        ("admission_executables", "any"),
        ("completion_hook_timeout", "60"),
        ("newuidmap", "/usr/bin/newuidmap"),
        ("newgidmap", "/usr/bin/newgidmap"),
        ("run_directory", "/run/sheepfold/execute_node"),
        ("payload_directory", "/run/sheepfold/payload"),
    ]


def test_settings_with_all_wishes(template: Evaluate) -> None:
    text = template(
        "settings.j2",
        execute_node_mode="log-only",
        execute_node_driver="userv",
        execute_node_accounts={"prefix": "job", "count": 2, "first_id": 70000},
        execute_node_tmp_size=1024,
        execute_node_job_root="/srv/root",
        execute_node_hidden=["/root", "/home"],
        execute_node_user_namespaces=True,
        execute_node_admission={
            "executables": "local",
            "patterns": ["/usr/*"],
            "users": ["*@sips"],
            "refused_users": ["mallory@sips"],
            "plugin": "/usr/local/bin/ask",
        },
        execute_node_completion_hooks=["/usr/local/bin/one", "/usr/local/bin/two"],
        execute_node_payload_callers=["pilot@sips"],
        execute_node_payload_preserve=["X509_USER_PROXY"],
    )
    pairs = _pairs(text)
    assert {("mode", "log-only"), ("driver", "userv"), ("tmp_size", "1024"), ("job_root", "/srv/root")} < set(pairs)
    assert [value for name, value in pairs if name == "account"] == ["job01 70000", "job02 70001"]
    assert [value for name, value in pairs if name == "hidden"] == ["/root", "/home"]
    assert [value for name, value in pairs if name == "completion_hook"] == ["/usr/local/bin/one", "/usr/local/bin/two"]
    assert {
        ("user_namespaces", "yes"),
        ("admission_executables", "local"),
        ("admission_pattern", "/usr/*"),
        ("admission_user", "*@sips"),
        ("admission_refused_user", "mallory@sips"),
        ("admission_plugin", "/usr/local/bin/ask"),
        ("admission_plugin_timeout", "5"),
        ("payload_caller", "pilot@sips"),
        ("payload_preserve", "X509_USER_PROXY"),
        ("userv", "/usr/bin/userv"),
    } < set(pairs)
    # And the engine takes all of it; drivers are chosen by preflight and engine each on their own.
    known = parse(text.replace("driver = userv\n", ""))
    assert [(account.name, account.uid) for account in known.account] == [("job01", 70000), ("job02", 70001)]
    assert (known.tmp_size, known.user_namespaces, known.payload_preserve) == (1024, True, ["X509_USER_PROXY"])


def test_the_engine_takes_the_settings_without_wishes(template: Evaluate) -> None:
    known = parse(template("settings.j2"))
    assert (known.mode, known.driver, len(known.account)) == ("identity", "newuidmap", 4)


@pytest.mark.parametrize(
    ("values", "cpus", "count"),
    [
        ({}, 64, 4),
        ({"NUM_CPUS": "0", "DETECTED_CPUS": "12"}, 64, 24),
        ({"NUM_CPUS": "0", "DETECTED_CPUS": "0"}, 64, 128),
        ({"NUM_CPUS": "2", "NUM_SLOTS": "10"}, 64, 20),
        ({"NUM_CPUS": "2", "NUM_SLOTS_TYPE_1": "3", "NUM_SLOTS_TYPE_2": "4"}, 64, 14),
    ],
)
def test_two_accounts_for_each_slot(evaluate: Evaluate, values: dict[str, str], cpus: int, count: int) -> None:
    found = evaluate("{{ execute_node__names }}", execute_node__asked=asked(**values), execute_host=host(cpus=cpus))
    assert len(found) == count
    assert found[0] == "pool01"
    assert len(set(found)) == count


# The first stage


@pytest.fixture
def first_stage(template: Evaluate, tmp_path: Path) -> Path:
    """The first stage, whose second prints its arguments and environment."""
    package = tmp_path / "lib"
    (package / "sheepfold_switch").mkdir(parents=True)
    (package / "switch").write_text(template("switch.j2", execute_node__lib=str(package)))
    (package / "sheepfold_switch" / "cli.py").write_text(
        "import os, sys\n\n\ndef main():\n    print(sys.argv[1:], dict(os.environ), sys.flags.isolated, os.umask(0))\n"
    )
    (tmp_path / "run").mkdir()
    program = tmp_path / "job-switch"
    program.write_text(template("job-switch.j2", execute_node__lib=str(package), execute_node__run=str(tmp_path / "run")))
    program.chmod(0o755)
    return program


needs_busybox = pytest.mark.skipif(not Path(BUSYBOX).exists(), reason="busybox is not there")


@needs_busybox
def test_the_jobs_environment_is_data_to_the_first_stage(first_stage: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap.sh"
    trap.write_text(f"echo caught >{tmp_path}/caught\n")
    # Whatever a shell, ld.so (but for a dynamic busybox) or Python would honour.
    environment = {
        "PATH": str(tmp_path),
        "ENV": str(trap),
        "BASH_ENV": str(trap),
        "IFS": "0123456789/",
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(trap),
        "LINES": "one\ntwo",
        "ODD NAME": "x",
    }
    command = [str(first_stage), "/bin/job", "a b", ""]
    done = subprocess.run(command, env=environment, umask=0o027, capture_output=True, text=True, check=True)
    kept = list((tmp_path / "run").iterdir())
    assert len(kept) == 1
    arguments, _, rest = done.stdout.partition("] ")
    assert arguments + "]" == str(["job", str(kept[0]), "/bin/job", "a b", ""])
    assert rest.strip() == "{'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LANG': 'C.UTF-8'} 1 23", "the job's umask, 027"
    assert kept[0].stat().st_mode & 0o777 == 0o600
    words = dict(word.split("=", 1) for word in kept[0].read_text().split("\0") if word)
    assert words == environment
    assert not (tmp_path / "caught").exists()


@needs_busybox
def test_half_an_engine_is_no_end_of_a_job(first_stage: Path, tmp_path: Path) -> None:
    """Exit code 1, Python's own, would be the job's to the starter: it gets a reason to have it run again."""
    (tmp_path / "lib" / "sheepfold_switch" / "cli.py").write_text("from sheepfold_switch import missing\n")
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    script = f"cd {sandbox}; {first_stage} /bin/job; exit $?"
    assert subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=False).returncode == 202
    assert (sandbox / ".job_wrapper_failure").read_text().startswith("The switch cannot be started: ImportError(")


@needs_busybox
def test_without_a_copy_of_the_environment_nothing_runs(first_stage: Path, tmp_path: Path) -> None:
    (tmp_path / "run").rmdir()
    done = subprocess.run([str(first_stage), "/bin/job"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (202, "")
    assert "nonexistent directory" in (tmp_path / ".job_wrapper_failure").read_text()


_USED = ("[", "busybox", "cat", "condor_starter", "echo", "env", "grep", "kill", "mkfifo", "python3", "read", "rm", "sh", "sleep")
_SHELLS_OWN = ("umask", "exec", "exit", "(umask", "problem=$(", "}", "if", "fi", "echo", "read")


@pytest.mark.parametrize("name", ["job-switch.j2", "account-check.j2", "job-service.j2", "sheepfold-payload.j2"])
def test_every_command_of_the_first_stages_is_an_absolute_path(template: Evaluate, name: str) -> None:
    first, *lines = template(name).splitlines()
    assert first == "#!/bin/busybox sh"
    lines = [line.strip() for line in lines if line and not line.lstrip().startswith("#")]
    lines = [line for line in lines if not re.fullmatch(r'[a-z]+=("[^"$]*\$PPID")?', line)]
    assert all(line.split()[0] in (*_SHELLS_OWN, BUSYBOX) for line in lines)
    assert all(line.endswith("|| {") for line in lines if "||" in line)
    assert all(f"&& {BUSYBOX} " in line or "&& [ -p " in line for line in lines if "&&" in line)
    # A program, or descriptors alone.
    assert all(re.match(r"exec (/|[0-9][<>])", line) for line in lines if line.startswith("exec"))
    assert "-I -S" in lines[-1] + lines[-2 if len(lines) > 1 else -1]


@needs_busybox
def test_no_command_of_the_stages_is_looked_for(template: Evaluate, tmp_path: Path) -> None:
    """With a PATH that has another program for each command that they use; nothing stands by, which costs ten seconds."""
    traps = tmp_path / "traps"
    traps.mkdir()
    for word in _USED:
        (traps / word).write_text(f"#!/bin/sh\necho {word} >>{tmp_path}/caught\n")
        (traps / word).chmod(0o755)
    starter = tmp_path / "condor_starter"
    # As the real one it starts a first stage.
    starter.write_text(f'#!/bin/sh\n/bin/ls {tmp_path}/run >{tmp_path}/pipes\n"{tmp_path}/job-switch" /bin/job a\necho "$0 $*"\n')
    starter.chmod(0o755)
    (tmp_path / "run").mkdir()
    places = {
        "execute_node__run": str(tmp_path / "run"),
        "execute_node__lib": str(tmp_path / "lib"),
        "execute_node__libexec": str(tmp_path),
        "execute_node__python": "/bin/echo",
        "execute_node__starter": str(starter),
    }
    for name in ("job-switch", "job-starter", "job-follow"):
        (tmp_path / name).write_text(template(f"{name}.j2", **places))
        (tmp_path / name).chmod(0o755)
    command = [str(tmp_path / "job-starter"), "-f", "-a", "slot1_1", "host"]
    done = subprocess.run(command, env={"PATH": str(traps)}, capture_output=True, text=True, check=True)
    started, itself = done.stdout.splitlines()
    assert started.startswith(f"-I -S {tmp_path}/lib/switch job {tmp_path}/run/") and started.endswith(".environ /bin/job a")
    assert itself == f"{starter} -f -a slot1_1 host"
    assert len((tmp_path / "pipes").read_text().split()) == 2
    assert not (tmp_path / "caught").exists()


# The service


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not there")
def test_systemd_takes_the_drop_in(evaluate: Evaluate, tmp_path: Path) -> None:
    unit = tmp_path / "condor.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    drop_in = tmp_path / "condor.service.d" / "x.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(
        evaluate("{{ execute_node__drop_in_text }}", execute_node__libexec="/bin").replace("start-unprivileged", "true")
    )
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]

    def said() -> list[str]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # Older ones do not know it and say so.
        return [line for line in done.stderr.splitlines() if str(tmp_path) in line and "DelegateSubgroup" not in line]

    assert said() == []
    drop_in.write_text(drop_in.read_text().replace("Delegate=yes", "Delegate=perhaps"))
    assert said() != [], "the check sees mistakes"


def test_the_service_has_no_root_and_keeps_what_newuidmap_needs(evaluate: Evaluate) -> None:
    text = evaluate("{{ execute_node__drop_in_text }}")
    pairs = _pairs(text)
    sets = [value for name, value in pairs if name == "CapabilityBoundingSet"]
    assert sets == ["", "CAP_SETUID CAP_SETGID CAP_DAC_OVERRIDE CAP_SYS_ADMIN"]
    assert {("User", "condor"), ("Group", "condor"), ("AmbientCapabilities", ""), ("NoNewPrivileges", "no")} < set(pairs)
    assert {("Delegate", "yes"), ("DelegateSubgroup", "leaf")} < set(pairs)
    # Directories that are not there would keep the service from starting.
    assert [value for name, value in pairs if name == "LoadCredential"] == ["tokens.d:/etc/condor/tokens.d"]
    *rest, last = text.splitlines(keepends=True)
    digest = hashlib.sha1("".join(rest).encode()).hexdigest()
    assert last == f"Environment=SHEEPFOLD_EXECUTE_NODE_UNIT={digest}\n"


@pytest.mark.parametrize(
    ("variables", "sets"),
    [
        ({"execute_host": host(privilege="capability")}, ["", "CAP_SETUID CAP_SETGID"]),
        ({"execute_node_driver": "userv"}, [""]),
    ],
)
def test_the_bounding_set_has_no_more_than_the_driver_needs(
    evaluate: Evaluate, variables: dict[str, Any], sets: list[str]
) -> None:
    pairs = _pairs(evaluate("{{ execute_node__drop_in_text }}", **variables))
    assert [value for name, value in pairs if name == "CapabilityBoundingSet"] == sets


def _start(template: Evaluate, tmp_path: Path, user: str = "") -> dict[str, str]:
    places = {name: str(tmp_path / name.lower()) for name in ("LOG", "LOCK", "RUN")}
    program = tmp_path / "start"
    program.write_text(
        template(
            "start-unprivileged.j2", execute_node__credentials_run=str(tmp_path / "out"), execute_node__asked=asked(**places)
        )
    )
    command = ["sh", str(program)]
    if user:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    subprocess.run(command, env={**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path / "in")}, check=True)
    return places


def test_tokens_become_files_that_htcondor_takes(template: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("tokens.d_site", "tokens.d_with_bar", "passwords.d_POOL", "other"):
        (tmp_path / "in" / name).write_text(name)
        (tmp_path / "in" / name).chmod(0o440)
    _start(template, tmp_path)
    found = {str(path.relative_to(tmp_path / "out")): path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {name: path.read_text() for name, path in found.items()} == {
        "tokens.d/site": "tokens.d_site",
        "tokens.d/with_bar": "tokens.d_with_bar",
        "passwords.d/POOL": "passwords.d_POOL",
    }
    assert {path.stat().st_mode & 0o077 for path in found.values()} == {0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of somebody else's")
def test_files_of_roots_daemons_are_set_aside(template: Evaluate, tmp_path: Path) -> None:
    for place in (tmp_path, *tmp_path.parents):
        if place == tmp_path or place.name.startswith(("pytest-", "popen-")):
            place.chmod(0o755)
    for name in ("log", "lock", "run", "out"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 65534, 65534)
    for name, owner in (("log/ProcLog", 0), ("log/MasterLog", 65534)):
        (tmp_path / name).write_text(name)
        os.chown(tmp_path / name, owner, owner)
    os.mkfifo(tmp_path / "run" / "procd_pipe")
    for _ in range(2):
        _start(template, tmp_path, "65534")
        found = {str(path.relative_to(tmp_path)) for name in ("log", "run") for path in (tmp_path / name).iterdir()}
        assert found == {"log/ProcLog.of-root", "log/MasterLog", "run/procd_pipe.of-root"}


# HTCondor's snippet


def test_the_snippet_is_inert_without_the_drop_in(template: Evaluate) -> None:
    lines = [
        line for line in template("63-sheepfold-execute-node.conf.j2").splitlines() if line and not line.lstrip().startswith("#")
    ]
    assert lines[0] == "if $ENV(SHEEPFOLD_EXECUTE_NODE:false)"
    assert lines[-1] == "endif"
    values = dict(_pairs("\n".join(line.strip() for line in lines[1:-1])))
    assert values["USER_JOB_WRAPPER"] == "/usr/local/libexec/sheepfold/job-switch"
    assert values["STARTER"] == "/usr/local/libexec/sheepfold/job-starter"
    assert "STARTER = " not in template("63-sheepfold-execute-node.conf.j2", execute_node_driver="userv")
    assert values["SEC_PASSWORD_FILE"] == "/run/sheepfold/credentials/passwords.d/POOL"
    assert values["ENABLE_SSH_TO_JOB"] == "False"
    assert values["STARTD_CRON_JOBLIST"].startswith("$(STARTD_CRON_JOBLIST) "), "the list is extended"


def test_keys_in_other_places_stay_there(template: Evaluate) -> None:
    text = template("63-sheepfold-execute-node.conf.j2", execute_node__asked=asked(SEC_PASSWORD_FILE="/srv/key"))
    assert "SEC_PASSWORD_FILE" not in text
    assert "SEC_TOKEN_POOL_SIGNING_KEY_FILE" in text


def test_the_sites_own_starter_is_what_job_starter_becomes(template: Evaluate) -> None:
    text = template("job-starter.j2", execute_node__asked=asked(STARTER="/opt/site/starter"))
    assert text.splitlines()[-1] == 'exec -a condor_starter /opt/site/starter "$@"'


# All files


def test_the_engine_is_the_collections_code_to_the_letter(evaluate: Evaluate) -> None:
    files = {each["path"]: each for each in evaluate("{{ execute_node__files.files }}")}
    package = "/usr/local/lib/sheepfold/execute_node/sheepfold_switch/"
    there = {path.removeprefix(package): each["content"] for path, each in files.items() if path.startswith(package)}
    source = ROOT / "plugins" / "module_utils" / "execute"
    assert there == {str(path.relative_to(source)): path.read_text() for path in source.rglob("*.py")}
    assert list(files)[-1].startswith("/etc/systemd/system/condor.service.d/"), "the drop-in comes last"
    programs = {path for path, each in files.items() if each.get("mode") == "0755"}
    libexec = "/usr/local/libexec/sheepfold/"
    assert programs == {
        "/usr/local/bin/sheepfold-payload",
        *(libexec + name for name in ("job-switch", "job-starter", "job-follow", "account-check", "start-unprivileged")),
    }
    assert not [path for path in files if path.startswith("/etc/userv")]


def test_userv_has_its_services(evaluate: Evaluate) -> None:
    files = {each["path"]: each for each in evaluate("{{ execute_node__files.files }}", execute_node_driver="userv")}
    for name in ("job", "return", "clean"):
        text = files[f"/etc/userv/services.d/sheepfold-{name}"]["content"]
        assert "glob calling-user condor\n" in text
        assert "glob service-user pool01 pool02 pool03 pool04\n" in text
        assert text.rstrip().endswith("quit")
        assert ("require-fd 4 write" in text) == (name == "job")
    assert "/usr/local/libexec/sheepfold/job-service" in files


# What is left to do


@pytest.mark.parametrize(
    ("service", "state", "pending"),
    [
        ({"uid": 0, "mark": ""}, "present", True),
        ({"uid": 100, "mark": "of an older drop-in"}, "present", True),
        ({"uid": 100, "mark": "this"}, "present", False),
        ({"uid": -1, "mark": ""}, "present", False),
        ({"uid": 100, "mark": "this"}, "absent", True),
        ({"uid": 0, "mark": ""}, "absent", False),
    ],
)
def test_a_restart_is_left_to_do(evaluate: Evaluate, service: dict[str, Any], state: str, pending: bool) -> None:
    mark = evaluate("{{ execute_node__unit_hash }}") if service["mark"] == "this" else service["mark"]
    facts = {**HOST, "service": {**service, "mark": mark, "starters": 0}}
    assert evaluate("{{ execute_node__pending }}", execute_host=facts, execute_node_state=state) is pending
