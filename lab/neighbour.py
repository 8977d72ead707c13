"""What the administrator of the other pool does, by hand: `python3 -m lab.neighbour offer|accept`.

offer: issues a token with which the site's access point may flock to the other pool, and brings it to the site.
accept: takes the token and the configuration that the site's role `pool` has laid out for the other pool.
"""

from __future__ import annotations

import base64
import sys

from lab.jobs import on
from lab.say import LabError, step

SITE_IDENTITY = "sips@remote.example"
GRANT_FROM_REMOTE = "/etc/condor/tokens.d/remote"
LAID_OUT = "/etc/sheepfold/pool/out/remote"


def _bring(source: str, path: str, target: str, there: str, mode: str) -> None:
    content = base64.b64encode(on(source, f"cat {path}").encode()).decode()
    on(target, f"install -m {mode} /dev/null {there} && echo {content} | base64 -d > {there}")


def offer() -> None:
    """Let the site's access point flock to the other pool."""
    with step("the other pool issues a token for the site's access point"):
        on(
            "remote",
            f"""set -e
cat > /etc/condor/config.d/50-friends.conf <<'END'
ALLOW_ADVERTISE_SCHEDD = condor@remote.example {SITE_IDENTITY}
ALLOW_READ = $(ALLOW_READ) {SITE_IDENTITY}
END
condor_reconfig >/dev/null
install -m 600 /dev/null /root/token-for-sips
condor_token_create -identity {SITE_IDENTITY} -authz ADVERTISE_SCHEDD -authz READ > /root/token-for-sips""",
        )
        _bring("remote", "/root/token-for-sips", "submit", GRANT_FROM_REMOTE, "600")


def accept() -> None:
    """Let the other pool's access point flock to the site."""
    with step("the other pool takes the site's token and configuration"):
        _bring("submit", f"{LAID_OUT}/token", "remote", "/etc/condor/tokens.d/sips", "600")
        _bring("submit", f"{LAID_OUT}/60-flock.conf", "remote", "/etc/condor/config.d/60-flock.conf", "644")
        on("remote", "condor_reconfig >/dev/null")


if __name__ == "__main__":
    try:
        {"offer": offer, "accept": accept}[sys.argv[1] if len(sys.argv) == 2 else ""]()
    except KeyError:
        sys.exit(__doc__)
    except LabError as error:
        sys.exit(f"error: {error}")
