"""What role shepherd writes on a site with several central managers."""

from __future__ import annotations

from typing import Any

from role_evaluation import Evaluate

TWO: dict[str, Any] = {"groups": {"flock_central_manager": ["submit", "cm2"]}}
PROBLEMS = "{{ query('sheepfold.htcondor.preflight', 'shepherd', plan=flock_plan, facts=shepherd__facts) }}"


def test_each_knows_the_others_and_asks_its_own_collector(evaluate: Evaluate) -> None:
    for host, managers in (
        ("submit", {"name": "submit", "begins": True, "others": ["cm2 10.27.1.2:9618"]}),
        ("cm2", {"name": "cm2", "begins": False, "others": ["submit"]}),
    ):
        written = evaluate("{{ shepherd__written_configuration }}", **TWO, inventory_hostname=host)
        assert written["managers"] == managers
        assert written["pool"]["collector"] == "10.27.1.1:9618"
        assert evaluate(PROBLEMS, **TWO, inventory_hostname=host) == []
    chosen = evaluate("{{ shepherd__written_configuration }}", **TWO, shepherd_pool={"collector": "127.0.0.1"})
    assert chosen["pool"]["collector"] == "127.0.0.1"


def test_one_has_nobody_to_tell(evaluate: Evaluate, template: Evaluate) -> None:
    written = evaluate("{{ shepherd__written_configuration }}")
    assert (written["managers"], "collector" in written["pool"]) == (None, False)
    assert "ALLOW_DAEMON" not in template("62-flock-shepherd.conf.j2")


def test_it_may_say_so_and_reads_the_flocks_collector_where_that_is(template: Evaluate) -> None:
    lines = template("62-flock-shepherd.conf.j2", **TWO)
    assert "COLLECTOR.ALLOW_DAEMON = $(ALLOW_DAEMON) $(FLOCK_SHEPHERD)" in lines
    assert "FLOCK_COLLECTOR.ALLOW_READ" in lines
    assert "FLOCK_COLLECTOR" not in template("62-flock-shepherd.conf.j2", **TWO, inventory_hostname="cm2")
