# Every target sets up what it needs by itself, says what it does while it does it and how long that took.
# build/ holds what is made in the work tree; ~/.cache/sheepfold (or SHEEPFOLD_CACHE) what is worth keeping between clones.

SHELL := /bin/sh
.DEFAULT_GOAL := help
STEP := tools/step
TARGET := tools/target
BIN := build/venv/bin
# More at once than there are cores: most of a pool test is waiting for daemons.
POOL = $(BIN)/python -m pytest -q -n 6 --dist loadscope --no-loadscope-reorder
# Plays note what their tasks take.
MOLECULE := env ANSIBLE_CALLBACK_PLUGINS=$(CURDIR)/tests/support/callback ANSIBLE_CALLBACKS_ENABLED=target_times tools/molecule
SHEPHERD := $(addprefix tests/pool/test_,shepherd.py shepherd_faults.py shepherd_many.py)
# What takes longest by itself: first, so that the others run beside it.
LONGEST := $(addprefix tests/pool/test_,two_managers.py role_pool.py startd_collector.py shepherd_faults.py startd.py role_shepherd.py shepherd.py switch.py)
EXECUTE := $(addprefix tests/pool/test_,$(addsuffix .py,switch_attacks switch_same switch_payload switch_faults switch_signals switch_disk switch_crash switch_missing switch_credentials \
  role_execute_node))
export ANSIBLE_CONFIG := $(CURDIR)/lab/ansible.cfg
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help venv packages demo test test-all lint test-unit test-net test-pool test-shepherd test-execute test-site test-site-full site-shell bench clean

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

# Each of these targets has an end of its own, many times what it takes; so has each test in it (tests/conftest.py).
test: ## the gate: lint, unit, network and pool tests, and the whole site in virtual machines
	@$(TARGET) test 14400 "tests" $(MAKE) --no-print-directory lint test-unit test-net test-pool test-site

test-all: ## everything on every version of HTCondor, every fault and reboot, and a dated report in docs/reports
	@$(TARGET) test-all 43200 "all tests" env SHEEPFOLD_FULL=1 $(MAKE) --no-print-directory --keep-going lint test-unit test-net test-pool test-execute test-site; \
	  status=$$?; $(BIN)/python -m tests.support.report test-all; exit $$status

lint: venv ## style, types and documentation of everything
	@$(TARGET) lint 1800 "lint" tools/lint

# Either of Debian's two busybox packages does; they exclude each other.
test-unit: venv ## pure functions, whole modules, templates
	@test -x /bin/busybox || $(STEP) "Debian packages for unit tests" tools/packages busybox-static
	@$(TARGET) test-unit 3600 "unit tests" $(BIN)/python -m pytest tests/unit -q -n auto

test-net: venv packages ## the firewalls in network namespaces, and the same with each rule removed
	@$(TARGET) test-net 3600 "network tests" $(BIN)/python -m pytest -q -n 4 --dist worksteal tests/net/test_mutation.py tests/net

test-pool: venv packages ## adapter, modules, role pool, the shepherd, the flocking container and the switch with real HTCondor pools
	@$(TARGET) test-pool 5400 "pool tests" $(POOL) $(LONGEST) tests/pool $(EXECUTE:%=--ignore=%)

test-shepherd: venv packages ## the shepherd's part of test-pool, with its faults and its twelve nodes on every version of HTCondor
	@$(TARGET) test-shepherd 5400 "shepherd tests" env SHEEPFOLD_FULL=1 $(POOL) $(SHEPHERD)

# Attacks, each with a control, faults, fifty jobs with and without the switch.
test-execute: venv packages ## the execute node without root with real pools: attacks on the switch, faults, ordinary jobs, on every version
	@$(TARGET) test-execute 7200 "execute node tests" env SHEEPFOLD_FULL=1 $(POOL) $(EXECUTE)

test-site: venv ## the whole site in the lab: converge, jobs, probes, faults, removal
	@$(STEP) "the lab's packages" python3 -m lab packages
	@$(TARGET) test-site 14400 "site tests" $(MOLECULE) test

test-site-full: venv ## the same with every fault and reboot, and a dated report in docs/reports
	@$(STEP) "the lab's packages" python3 -m lab packages
	@$(TARGET) test-site-full 28800 "site tests, full" env SHEEPFOLD_FULL=1 $(MOLECULE) test

site-shell: venv ## the running lab with the collection applied, and a shell for work on a role; leaves the lab running
	@$(STEP) "the lab's packages" python3 -m lab packages
	@tools/site-shell

bench: venv packages ## figures as ratios in one run; table and build/bench.json
	@$(STEP) "bench" $(BIN)/python -m tests.bench

clean: ## stop the lab and remove build/; the cache stays
	@$(STEP) "stop the lab" python3 -m lab destroy
	@$(STEP) "remove build" rm -rf build
