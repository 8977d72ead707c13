"""What the tests of role shepherd have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "shepherd"
PLAN: dict[str, Any] = {
    "central_manager": {"host": "submit"},
    "lease_seconds": 900,
    "nodes": {"p220": {"flock": "f220", "regular": "p220"}, "p221": {"flock": "f221", "regular": "p221"}},
}
ASKED: dict[str, Any] = {
    "parameters": {
        "CONDOR_VERSION": "23.9.6",
        "LOCAL_CONFIG_DIR": "/usr/share/condor/config.d,/etc/condor/config.d",
        "DAEMON_LIST": "MASTER COLLECTOR NEGOTIATOR SCHEDD",
        "IP_ADDRESS": "10.27.1.1",
        "SHARED_PORT_PORT": "9618",
    }
}


def asked(**values: str) -> dict[str, Any]:
    """What condor_config_info answers, with these values in place of the usual ones."""
    return {"parameters": {**ASKED["parameters"], **values}}


ICINGA = {
    "url": "https://icinga.sips:5665",
    "user": "shepherd",
    "password_file": "/root/icinga",
    "ca_file": "/etc/ssl/icinga.pem",
}
SECRETS = {"rc": 0, "stdout_lines": ["token-of-f220", "token-of-f221", "word"], "stderr_lines": []}
