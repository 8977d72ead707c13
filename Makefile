# Every target sets up what it needs by itself, says what it does while it does it and how long that took.
# build/ holds what is made in the work tree; ~/.cache/sheepfold (or SHEEPFOLD_CACHE) what is worth keeping between clones.

SHELL := /bin/sh
.DEFAULT_GOAL := help
STEP := tools/step
BIN := build/venv/bin
SHEPHERD := $(addprefix tests/pool/test_,shepherd.py shepherd_faults.py shepherd_many.py)
# What takes longest by itself: first, so that the others run beside it.
LONGEST := $(addprefix tests/pool/test_,role_pool.py shepherd_faults.py startd.py role_shepherd.py shepherd.py switch.py)
EXECUTE := $(addprefix tests/pool/test_,$(addsuffix .py,switch_attacks switch_same switch_payload switch_faults switch_signals switch_disk switch_crash switch_missing switch_credentials \
  role_execute_node))
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help venv packages demo test lint test-unit test-net test-pool test-shepherd test-execute test-site test-site-full bench clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

venv:
	@$(STEP) "virtual environment" tools/venv

packages:
	@$(STEP) "Debian packages for tests" tools/packages iproute2 nftables tcpdump iperf3 mmdebstrap docker.io skopeo procps python3 e2fsprogs
	@command -v docker >/dev/null || $(STEP) "Docker's client, since Debian 13 a package of its own" tools/packages docker-cli

demo: venv ## a whole site in virtual machines, and a foreign pool's job through it; leaves the lab running
	@$(STEP) "the lab's packages" python3 -m lab packages
	@$(STEP) "demo" $(BIN)/python -m lab.demo

test: ## lint, unit, network and pool tests, and the whole site in virtual machines; more: `make test-shepherd`, `make test-execute`
	@$(STEP) "tests" $(MAKE) --no-print-directory lint test-unit test-net test-pool test-site

lint: venv ## style, types and documentation of everything
	@$(STEP) "lint" tools/lint

# Either of Debian's two busybox packages does; they exclude each other.
test-unit: venv ## pure functions, whole modules, templates
	@test -x /bin/busybox || $(STEP) "Debian packages for unit tests" tools/packages busybox-static
	@$(STEP) "unit tests" $(BIN)/python -m pytest tests/unit -q

test-net: venv packages ## the firewalls in network namespaces, and the same with each rule removed
	@$(STEP) "network tests" $(BIN)/python -m pytest tests/net -q -s

test-pool: venv packages ## adapter, modules, role pool, the shepherd, the flocking container and the switch with real HTCondor pools
	@$(STEP) "pool tests" $(BIN)/python -m pytest $(LONGEST) tests/pool -q -n 4 --dist loadscope --no-loadscope-reorder $(EXECUTE:%=--ignore=%)

test-shepherd: venv packages ## the shepherd's part of test-pool, with its faults and its twelve nodes on every version of HTCondor
	@$(STEP) "shepherd tests" env SHEEPFOLD_FULL=1 $(BIN)/python -m pytest $(SHEPHERD) -q -n 3 --dist loadscope

# On their own: attacks, each with a control, faults, fifty jobs with and without the switch, on two versions of HTCondor.
test-execute: venv packages ## the execute node without root with real pools: attacks on the switch, faults, ordinary jobs
	@$(STEP) "execute node tests" $(BIN)/python -m pytest $(EXECUTE) -q -n 2 --dist loadscope

test-site: venv ## the whole site in the lab: converge, jobs, probes, faults, removal
	@$(STEP) "the lab's packages" python3 -m lab packages
	@$(STEP) "site tests" tools/molecule test

test-site-full: venv ## the same with every fault and reboot, and a dated report in docs/
	@$(STEP) "the lab's packages" python3 -m lab packages
	@$(STEP) "site tests, full" env SHEEPFOLD_FULL=1 tools/molecule test

bench: venv packages ## figures as ratios in one run; table and build/bench.json
	@$(STEP) "bench" $(BIN)/python -m tests.bench

clean: ## stop the lab and remove build/; the cache stays
	@$(STEP) "stop the lab" python3 -m lab destroy
	@$(STEP) "remove build" rm -rf build
