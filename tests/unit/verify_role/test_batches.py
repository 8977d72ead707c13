"""Role verify over more nodes than fit into one batch: real Ansible, the collection's own judge, and probes that only say who
took part. The probes themselves are tested in tests/net and tests/site.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
NODES = [f"p{number}" for number in range(101, 106)]
#: An action in place of the module, so that nothing is run on the host: it notes who is called, and how.
ACTION = """\
import json, os
from pathlib import Path
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        arguments = dict(self._task.args)
        host = task_vars["inventory_hostname"]
        note = {key: arguments.get(key) for key in ("run", "runs", "state", "container")}
        note |= {"host": host, "looks": sorted(arguments.get("looks") or ())}
        with Path(os.environ["CALLS"], f"{NAME}.{os.getpid()}").open("a") as calls:
            calls.write(json.dumps(note) + "\\n")
        if host in os.environ["LOST"].split():
            return {"unreachable": True, "msg": "no route to host"}
        return {"changed": False, **json.loads(ANSWER)}
"""
ANSWERS = {
    "probe_watch": {
        "look": {"interfaces": [], "vlan": ""},
        "seen": {"sightings": [], "neighbours": {}, "places": [], "counters": {}, "lost": 0},
        "rules": {"node": "aa", "gateway": "bb"},
    },
    "probe_send": {
        "attempts": [],
        "sent": [],
        "skipped_root": "",
        "inside": [{"probe": "canary", "what": "x", "result": "pass", "why": ""}],
    },
}


@pytest.fixture(name="collections")
def fixture_collections(tmp_path: Path) -> Path:
    """Return a path of collections that has this one, with other probes."""
    place = tmp_path / "collections/ansible_collections/sheepfold/htcondor"
    (place / "plugins/action").mkdir(parents=True)
    for entry in ROOT.iterdir():
        if entry.name in ("roles", "playbooks", "meta", "galaxy.yml"):
            (place / entry.name).symlink_to(entry)
    for entry in (ROOT / "plugins").iterdir():
        (place / "plugins" / entry.name).symlink_to(entry)
    for name, answer in ANSWERS.items():
        text = f"NAME = {name!r}\nANSWER = {json.dumps(answer)!r}\n{ACTION}"
        (place / f"plugins/action/{name}.py").write_text(text)
    return tmp_path / "collections"


def _site(tmp_path: Path) -> Path:
    """Write an inventory of a gateway, a target and five nodes, all of them this host."""
    flock = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/flock.yml").read_text())["flock"]
    inventory = {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_become": False,
                "ansible_python_interpreter": sys.executable,
                "flock": flock,
                "verify_publish": False,
                "verify_report_dir": str(tmp_path / "report"),
            },
            "children": {
                "flock_gateway": {"hosts": {"submit": None}},
                "flock_central_manager": {"hosts": {"submit": None}},
                "flock_access_point": {"hosts": {"submit": None}},
                "flock_nodes": {"hosts": dict.fromkeys(NODES)},
                "flock_verify_targets": {"hosts": {"storage": None}},
            },
        }
    }
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump(inventory))
    return path


def _verify(collections: Path, tmp_path: Path, lost: str = "") -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    calls = tmp_path / "calls"
    calls.mkdir()
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {collections}\nforks = 4\n")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "CALLS": str(calls), "LOST": lost}
    playbook = str(ROOT / "playbooks/verify.yml")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(_site(tmp_path)),
            "-e",
            "verify__batch_size=2",
            playbook,
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    notes = [
        {"probe": path.name.split(".")[0], **json.loads(line)}
        for path in sorted(calls.iterdir())
        for line in path.read_text().splitlines()
    ]
    return done, notes


def test_each_node_is_probed_once_with_the_gateway_watching(collections: Path, tmp_path: Path) -> None:
    done, notes = _verify(collections, tmp_path)
    assert done.returncode == 0, done.stdout[:6000] + done.stderr
    sends = [note for note in notes if note["probe"] == "probe_send"]
    assert sorted(note["host"] for note in sends if note["host"] in NODES) == sorted(NODES)
    batches = {tuple(note["looks"]) for note in sends}
    assert sorted(len(looks) for looks in batches) == [3, 4, 4]
    assert all({"submit", "storage"} <= set(looks) for looks in batches)
    # No two senders of a batch share a range of ports, and no two batches a run.
    for looks in batches:
        runs = [int(note["run"]) for note in sends if tuple(note["looks"]) == looks]
        assert len({run % 20 for run in runs}) == len(runs) == len(looks)
    assert len({int(note["run"]) for note in sends}) == len(sends)
    assert all(0 <= int(note["run"]) < 1296 for note in sends)
    report = json.loads((tmp_path / "report/verify.json").read_text())
    assert report["complete"] and report["leaks"] == report["controls_failed"] == 0
    assert {entry["sender"] for entry in report["results"]} >= {f"f{number}" for number in range(101, 106)}
    assert set(report["rules"]) == {"submit", "storage", *NODES}
    assert "5 nodes in 3 batches of at most 2" in done.stdout
    assert "min left" in done.stdout


def test_a_node_that_cannot_be_reached_is_reported_and_the_others_are_probed(collections: Path, tmp_path: Path) -> None:
    done, notes = _verify(collections, tmp_path, lost="p102 p105")
    assert done.returncode != 0
    sent = {note["host"] for note in notes if note["probe"] == "probe_send"}
    assert sent == {"submit", "storage", *NODES} - {"p102", "p105"}
    report = json.loads((tmp_path / "report/verify.json").read_text())
    missing = [entry["why"] for entry in report["results"] if entry["result"] == "control-failed"]
    assert [why.split()[0] for why in missing] == ["p102", "p105"]
    assert report["complete"] and report["controls_failed"] == 2


def test_without_the_gateway_nothing_is_judged(collections: Path, tmp_path: Path) -> None:
    done, notes = _verify(collections, tmp_path, lost="submit")
    assert done.returncode != 0
    assert "gateway submit is lost: expected it up" in done.stdout
    assert not [note for note in notes if note["probe"] == "probe_send"]
    assert not (tmp_path / "report").exists()
