"""Credentials: a job's own are its account's alone, expired ones are HTCondor's to judge, open ones are told of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import left_behind
import pytest
import switch_site
from condor_harness import Root
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from execute_point import EXECUTE, FIRST_ID, ExecutePoint

from tests.certificates import of_itself

_COMPLETED = 4
_PROXY = "/home/alice/proxy"
_TOKENS = "/srv/condor/submit/oauth"
_OF_DAEMONS = "/srv/condor/p220/tokens.d"
_SECONDS = 2
_CENTRAL = f"""
SEC_CREDENTIAL_DIRECTORY_OAUTH = {_TOKENS}
DELEGATE_JOB_GSI_CREDENTIALS = False
"""
_LOOK = """#!/bin/sh
for file in "$X509_USER_PROXY" "$_CONDOR_CREDS"/*; do
  [ -f "$file" ] && stat -c '%u %a' "$file" && cat "$file"
done
"""


@pytest.fixture(scope="module")
def site(execute_root: Root) -> Iterator[ExecutePoint]:
    with ExecutePoint(execute_root, f"{left_behind.CRON}SEC_CREDENTIAL_REFRESH = {_SECONDS}\n") as made:
        switch_site.install(made, [("secret", _OF_DAEMONS)])
        made.cm.configure(_CENTRAL)
        made.cm.reconfig()
        yield made


def _proxy(site: ExecutePoint, days: int) -> str:
    """A certificate with its key, as a proxy is, that ends in so many days; its text."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = of_itself(key, "alice", since_days=9, days=days).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    text = (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()
    site.world.write(_PROXY, text, mode=0o600, owner=(50001, 50001))
    return text


def _token(site: ExecutePoint, text: str) -> None:
    site.world.run(["install", "-d", "-m", "0700", _TOKENS, f"{_TOKENS}/alice"])
    site.world.write(f"{_TOKENS}/alice/scitokens.use", text, mode=0o600)


def _modes(site: ExecutePoint, name: str) -> set[tuple[int, int]]:
    """Who has the files of this name in sandboxes, and their modes, as the host sees them."""
    found = [path.lstat() for path in (site.world.root / EXECUTE.lstrip("/")).rglob(name)]
    return {(status.st_uid, status.st_mode & 0o777) for status in found}


def test_a_proxy_is_its_accounts_alone(site: ExecutePoint) -> None:
    text = _proxy(site, 1)
    cluster = site.shell(_LOOK + "sleep 2\n", f"x509userproxy = {_PROXY}")
    switch_site.record(site, cluster, "start")
    seen = _modes(site, "proxy")
    site.pool.wait_job(site.cm, cluster, _COMPLETED)
    whose, *rest = site.world.read("/home/alice/out").splitlines()
    assert whose == f"{FIRST_ID} 600"
    assert rest == text.splitlines()
    assert seen == {(FIRST_ID, 0o600)}
    left_behind.nothing(site)


def test_an_expired_proxy_is_htcondors_to_judge(site: ExecutePoint, plain: ExecutePoint) -> None:
    def submitted(where: ExecutePoint) -> Any:
        _proxy(where, -1)
        where.world.write("/home/alice/job.sh", _LOOK, mode=0o755)
        text = f"executable = job.sh\nx509userproxy = {_PROXY}\noutput = out\nlog = log\nshould_transfer_files = yes\nqueue\n"
        done = where.cm.run(["condor_submit", "-terse", "-"], user="alice", input=text, cwd="/home/alice", check=False)
        return done.rc, done.stderr

    assert submitted(site) == submitted(plain)


def test_a_token_is_its_accounts_alone_and_comes_anew(site: ExecutePoint) -> None:
    _token(site, "token one\n")
    script = f"""#!/bin/sh
umask 022
echo >"$_CONDOR_CREDS/mine" && echo may write there
{_LOOK.partition(chr(10))[2]}
for n in $(seq 150); do grep -q two "$_CONDOR_CREDS"/* && break; sleep 0.2; done
{_LOOK.partition(chr(10))[2]}
"""
    cluster = site.shell(script, '+OAuthServicesNeeded = "scitokens"')
    switch_site.record(site, cluster, "start")
    site.pool.wait(lambda: _modes(site, "scitokens.use") == {(FIRST_ID, 0o600)}, "the account's token")
    _token(site, "token two\n")
    site.pool.wait_job(site.cm, cluster, _COMPLETED)
    mine = f"{FIRST_ID} 600"
    assert site.world.read("/home/alice/out").splitlines() == [mine, "token one", mine, "token two"]
    assert "SHEEPFOLD_TOKENS" not in switch_site.record(site, cluster, "end")
    left_behind.nothing(site)


def test_open_secrets_of_the_daemons_are_told(site: ExecutePoint) -> None:
    assert switch_site.check(site)["SheepfoldExposed"] == '""'
    try:
        site.world.run(["chmod", "755", _OF_DAEMONS])
        assert switch_site.check(site)["SheepfoldExposed"] == '""'
        site.world.run(["chmod", "644", f"{_OF_DAEMONS}/site"])
        assert switch_site.check(site)["SheepfoldExposed"] == f'"{_OF_DAEMONS}/site is readable by everybody"'
        site.world.run(["chmod", "700", _OF_DAEMONS])
        assert switch_site.check(site)["SheepfoldExposed"] == '""'
    finally:
        site.world.run(["chmod", "700", _OF_DAEMONS])
        site.world.run(["chmod", "600", f"{_OF_DAEMONS}/site"])
