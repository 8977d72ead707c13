"""What the site's rules are to stop. The control is the same job on the same host without the rule."""

from __future__ import annotations

from collections.abc import Callable

from .answer import Answer
from .attack import Attack
from .ground import HERE, Ground

_HANGS = "/usr/local/libexec/hangs"
_ADMISSION = "admission"
_PAYLOAD = "payloads"
_PILOT = (HERE / "payload_caller.py").read_text()
_JOB = "#!/bin/sh\necho BREACH the job ran\n"
# A refused job goes back to the queue.
_ONCE = "periodic_remove = NumJobStarts >= 1 && JobStatus == 1"

PREPARATION = f"""
printf '#!/bin/sh\\ntrap "" TERM\\nsetsid sleep 98721 &\\nsleep 98721\\n' >{_HANGS}
chmod 755 {_HANGS}
install -m 755 /dev/null /srv/forged/evil
printf '#!/bin/sh\\necho BREACH the job ran\\n' >/srv/forged/evil
ln -sf /srv/forged/evil /usr/local/bin/looks-installed
install -d /srv/forged/bob
printf 'Owner = "bob"\\nUser = "bob@site.test"\\n' >/srv/forged/bob/.job.ad
"""


def _ran(name: str, user: str = "alice") -> Callable[[Ground, str], Answer]:
    """Whether the job, or its payload, ran."""

    def judge(ground: Ground, cluster: str) -> Answer:
        output = ground.output(name, user=user)
        breach = next((line for line in output.splitlines() if line.startswith("BREACH")), "")
        words = breach.partition(" ")[2] or output or ground.output(name, "log", user).partition("execute the job: ")[2]
        return Answer(bool(breach), words)

    return judge


def _another_pilot(ground: Ground, cluster: str) -> None:
    """Have another user's job run meanwhile: its monitor listens for calls."""
    ground.submit("pilot", "#!/bin/sh\nsleep 15\n", user="bob")


def _undecided(ground: Ground, cluster: str) -> Answer:
    """Whether the job holds its slot while nothing decides."""
    ground.site.pool.wait(lambda: ground.site.pool.job(ground.site.cm, cluster).get("NumJobStarts"), "a start of the job", 60)
    return ground.stays(lambda: "nobody decides" if ground.started(cluster) or ground.site.commands("sleep 98721") else "", 8)


def _refused(
    name: str, *lines: str, rules: tuple[tuple[str, object], ...], control_rules: tuple[tuple[str, object], ...] = ()
) -> Attack:
    return Attack(name, _ADMISSION, _JOB, lines=(*lines, _ONCE), rules=rules, control_rules=control_rules, judge=_ran(name))


def _pilot(
    name: str, arguments: str, *rules: tuple[str, object], control_rules: tuple[tuple[str, object], ...], user: str = "alice"
) -> Attack:
    return Attack(
        name,
        _PAYLOAD,
        _PILOT,
        lines=(f"arguments = {arguments}", _ONCE),
        rules=rules,
        control_rules=control_rules,
        judge=_ran(name, user),
        user=user,
    )


_ALL_MAY_CALL = (("payload_caller", "*@site.test"),)
_LOCAL_PYTHON = (("admission_pattern", "/usr/bin/python3*"),)

ATTACKS = [
    _refused(
        "pattern-by-traversal",
        "executable = /usr/bin/../../srv/forged/evil",
        "transfer_executable = false",
        rules=(("admission_pattern", "/usr/bin/*"),),
    ),
    _refused(
        "pattern-by-link",
        "executable = /usr/local/bin/looks-installed",
        "transfer_executable = false",
        rules=(("admission_pattern", "/usr/local/bin/*"),),
    ),
    _refused("sent-along", rules=(("admission_executables", "local"),)),
    _refused(
        "banned-with-forged-ad", "transfer_input_files = /srv/forged/bob/.job.ad", rules=(("admission_refused_user", "alice@*"),)
    ),
    Attack(
        "plugin-that-hangs",
        _ADMISSION,
        _JOB,
        lines=(_ONCE,),
        rules=(("admission_plugin", _HANGS), ("admission_plugin_timeout", 1)),
        control_rules=(("admission_plugin", _HANGS), ("admission_plugin_timeout", 300)),
        judge=_undecided,
        endless=True,
    ),
    _pilot("payload-by-no-caller", "own", ("payload_caller", "bob@*"), control_rules=_ALL_MAY_CALL),
    Attack(
        "payload-by-other-account",
        _PAYLOAD,
        _PILOT,
        lines=("arguments = others", _ONCE),
        rules=_ALL_MAY_CALL,
        control_rules=_ALL_MAY_CALL,
        during=_another_pilot,
        judge=_ran("payload-by-other-account"),
    ),
    Attack(
        "payload-with-another-path",
        _PAYLOAD,
        _PILOT,
        lines=(
            "executable = /usr/bin/python3",
            "transfer_executable = false",
            "transfer_input_files = /home/alice/payload-with-another-path/payload-with-another-path",
            'arguments = "payload-with-another-path claims-to-be /usr/bin/python3"',
            _ONCE,
        ),
        rules=(*_ALL_MAY_CALL, *_LOCAL_PYTHON),
        control_rules=_ALL_MAY_CALL,
        judge=_ran("payload-with-another-path"),
    ),
    Attack(
        "payload-sent-along",
        _PAYLOAD,
        _PILOT,
        lines=(
            "executable = /usr/bin/python3",
            "transfer_executable = false",
            "transfer_input_files = /home/alice/payload-sent-along/payload-sent-along",
            'arguments = "payload-sent-along own"',
            _ONCE,
        ),
        rules=(*_ALL_MAY_CALL, ("admission_executables", "local")),
        control_rules=_ALL_MAY_CALL,
        judge=_ran("payload-sent-along"),
    ),
]
