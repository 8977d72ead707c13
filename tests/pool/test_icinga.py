"""The shepherd tells a real Icinga 2 of Debian: its own certificate authority, a user of just the rights it needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from condor_harness import World, build_icinga_root

COLLECTIONS = Path(__file__).resolve().parents[2] / "build" / "collections"
SITE = """
object Host "p220.site" {
  check_command = "dummy"
}
object Host "p221.site" {
  check_command = "dummy"
}
apply Service "condor_startd" {
  check_command = "dummy"
  assign where host.name
}
apply Service "ssh" {
  check_command = "dummy"
  assign where host.name
}
object ApiUser "shepherd" {
  password = "secret"
  permissions = [ "actions/schedule-downtime", "actions/remove-downtime", "objects/query/Downtime" ]
}
object ApiUser "watcher" {
  password = "secret"
  permissions = [ "objects/query/*" ]
}
object ApiUser "reader" {
  password = "secret"
  permissions = [ "objects/query/Downtime" ]
}
"""
# Runs in the world's network, under our own Python; what it says is JSON.
CLIENT = """
import json, sys
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import IcingaOptions
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.icinga import Icinga
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.monitoring import MonitoringError
request = json.load(sys.stdin)
icinga = Icinga(IcingaOptions(**request["options"]))
try:
    answer = {"said": getattr(icinga, request["method"])(*request["arguments"])}
except MonitoringError as error:
    answer = {"error": str(error)}
print(json.dumps(answer))
"""


class RealIcinga:
    """Icinga 2 in a world of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.write("/etc/icinga2/conf.d/site.conf", SITE)
        for name in ("hosts", "services", "groups", "notifications", "apt", "downtimes", "satellite"):
            world.run(["rm", "-f", f"/etc/icinga2/conf.d/{name}.conf"])
        world.run(["icinga2", "api", "setup", "--cn", "localhost"])
        world.run(["install", "-d", "-o", "nagios", "-g", "nagios", "/run/icinga2"])
        world.run(["chown", "-R", "nagios:nagios", "/var/lib/icinga2", "/var/log/icinga2", "/var/cache/icinga2"])
        world.write("/srv/password", "secret\n", mode=0o600)
        self.authority = str(world.root / "var/lib/icinga2/ca/ca.crt")
        self.process = world.popen(["icinga2", "daemon", "-x", "warning"])

    def ask(self, method: str, *arguments: str, **options: Any) -> dict[str, Any]:
        values = {
            "url": "https://localhost:5665",
            "user": "shepherd",
            "password_file": str(self.world.root / "srv/password"),
            "ca_file": self.authority,
            "host": "{node}.site",
            "when": ["stop"],
            **options,
        }
        answer = self.world.run(
            ["env", f"PYTHONPATH={COLLECTIONS}", sys.executable, "-c", CLIENT],
            chroot=False,
            input=json.dumps({"options": values, "method": method, "arguments": arguments}),
        )
        return dict(json.loads(answer.stdout))

    def downtimes(self) -> list[tuple[str, str, str]]:
        """Host, service and author of every downtime."""
        script = CLIENT.replace(
            'getattr(icinga, request["method"])(*request["arguments"])', 'icinga._ask("objects/downtimes", {}, "GET")'
        )
        values = {"url": "https://localhost:5665", "user": "watcher", "ca_file": self.authority}
        values["password_file"] = str(self.world.root / "srv/password")
        answer = self.world.run(
            ["env", f"PYTHONPATH={COLLECTIONS}", sys.executable, "-c", script],
            chroot=False,
            input=json.dumps({"options": values, "method": "", "arguments": []}),
        )
        said = json.loads(answer.stdout)["said"]
        return sorted((each["attrs"]["host_name"], each["attrs"]["service_name"], each["attrs"]["author"]) for each in said)


@pytest.fixture(scope="module")
def icinga() -> Iterator[RealIcinga]:
    with World(build_icinga_root().path, "icinga") as world:
        made = RealIcinga(world)
        for _ in range(120):
            if "error" not in made.ask("after_on", "p220", ""):
                break
        yield made
        made.process.kill()
        made.process.wait()


def test_a_downtime_of_the_startds_check_alone(icinga: RealIcinga) -> None:
    first = icinga.ask("before_off", "p220", "demand is low")
    assert first["said"].startswith("p220.site!condor_startd!")
    assert icinga.ask("before_off", "p220", "again") == first
    icinga.ask("before_off", "p221", "demand is low")
    both = [("p220.site", "condor_startd", "shepherd"), ("p221.site", "condor_startd", "shepherd")]
    assert icinga.downtimes() == both
    # The other node's stays.
    assert icinga.ask("after_on", "p220", first["said"]) == {"said": None} and icinga.downtimes() == both[1:]
    assert icinga.ask("after_on", "p220", first["said"]) == {"said": None} and icinga.downtimes() == both[1:]
    assert icinga.ask("after_on", "p221", "") == {"said": None} and icinga.downtimes() == []


def test_what_goes_wrong_is_one_sentence(icinga: RealIcinga) -> None:
    where = "Icinga at https://localhost:5665"
    assert icinga.ask("before_off", "p999", "x") == {"error": f"{where} knows no service p999.site!condor_startd"}
    icinga.world.write("/srv/wrong", "wrong\n")
    refused = icinga.ask("before_off", "p220", "x", password_file=str(icinga.world.root / "srv/wrong"))
    assert refused == {"error": f"{where} answered objects/downtimes with 401 Unauthorized"}
    assert icinga.ask("before_off", "p220", "x", user="reader")["error"].startswith(
        f"{where} answered actions/schedule-downtime with 403"
    )
    system = icinga.ask("before_off", "p220", "x", ca_file="/etc/ssl/certs/ca-certificates.crt")
    assert system["error"].startswith(f"{where} cannot be asked: [SSL: CERTIFICATE_VERIFY_FAILED]")
    assert icinga.downtimes() == []
