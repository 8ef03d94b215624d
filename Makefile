# make run    install into .venv and start a server on 127.0.0.1:8080, its data in ./var
# make test   install what the tests need and run all of them; the last line is pytest's
# More: make check (lint, types, import order), make model (the long model-based test), make fuzz (hostile texts, a few
# minutes; DOCUMENTS=, FRAMES=, SEED=), make conformance (every WebSocket case in every chunking), make hostile (what
# hostile peers cost the others, under 5 minutes), make bench (what it costs, under 15), make bench-quick (under 2),
# make bench-memory, make bench-start, make config, make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
CHECKED := chatsrv twisted tests bench docs setup.py
# Each test once, to be done in five minutes: these with trial, those in tests/integration with pytest. Plain `pytest`
# runs all of them, trial all but the plain functions in test_packaging, test_bench and test_hostile.
TRIAL_SUITES := tests.unit tests.acceptance tests.model tests.fuzz tests.conformance
PYTEST_SUITES := tests/integration
# Many a test waits for a process it started, so two cores have time for three.
JOBS := 3

# How long `make model` runs, and which runs: a number repeats them.
RUNS := 200
STEPS := 50
SEED := random

# How much `make fuzz` does; the same SEED makes the same texts. The full target: DOCUMENTS=1000000 FRAMES=100000.
DOCUMENTS := 100000
FRAMES := 10000

# Where `make bench` writes; bench/RESULTS.md, the reference, is made from it by hand.
BENCH_OUT := var/bench

export PYTHON

.PHONY: run test check lint types imports trial model fuzz conformance hostile bench bench-quick bench-memory \
	bench-start config clean debian-packages

run: $(VENV)/.runtime
	@exec $(BIN)/twistd -n --pidfile= chatsrv --data-dir ./var

test: debian-packages $(VENV)/.test
	@failed=0; \
	$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target lint types imports || failed=1; \
	$(MAKE) --no-print-directory trial || failed=1; \
	echo "== pytest"; \
	$(BIN)/pytest --numprocesses=$(JOBS) $(PYTEST_SUITES) || failed=1; \
	exit $$failed

check: $(VENV)/.test
	@$(MAKE) --no-print-directory lint types imports

lint: $(VENV)/.test
	@echo "== ruff"
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/ruff format --check $(CHECKED)

types: $(VENV)/.test
	@echo "== mypy"
	@$(BIN)/mypy

imports: $(VENV)/.test
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo

trial: $(VENV)/.test
	@echo "== trial"
	@$(BIN)/trial --jobs=$(JOBS) --reporter=text $(TRIAL_SUITES)

model: $(VENV)/.test
	@CHATSRV_MODEL_RUNS=$(RUNS) CHATSRV_MODEL_STEPS=$(STEPS) CHATSRV_MODEL_SEED=$(SEED) \
		$(BIN)/trial --reporter=text tests.model

fuzz: $(VENV)/.test
	@CHATSRV_FUZZ_DOCUMENTS=$(DOCUMENTS) CHATSRV_FUZZ_FRAMES=$(FRAMES) CHATSRV_FUZZ_SEED=$(SEED) \
		$(BIN)/trial --reporter=text tests.fuzz

conformance: $(VENV)/.test
	@$(BIN)/python -m tests.conformance

bench: $(VENV)/.bench
	@$(BIN)/python -m bench --out $(BENCH_OUT)

bench-quick: $(VENV)/.bench
	@$(BIN)/python -m bench --quick --out $(BENCH_OUT)/quick

hostile: $(VENV)/.bench
	@$(BIN)/python -m bench.hostile --out $(BENCH_OUT)

bench-memory: $(VENV)/.runtime
	@$(BIN)/python bench/memory.py

bench-start: $(VENV)/.runtime
	@$(BIN)/python bench/start.py

config: $(VENV)/.runtime
	$(BIN)/chatsrv config > etc/chatsrv.toml

clean:
	rm -rf $(VENV) build dist *.egg-info _trial_temp* tests.*/ .pytest_cache .mypy_cache .ruff_cache
	rm -rf .import_linter_cache .hypothesis twisted/plugins/dropin.cache
	find chatsrv tests twisted bench -name __pycache__ -prune -exec rm -rf {} +

debian-packages:
	@.ci/install-debian-packages $$(cat .ci/debian-packages.txt)

$(VENV)/.runtime: setup.py chatsrv/_version.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=..." >&2; exit 1; }
	@.ci/install-debian-packages python3-venv
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "Installing chatsrv and the libraries it runs on (about 30 packages) ..."
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.runtime setup.py
	@echo "Installing what the tests and checks need (about 30 packages more) ..."
	@$(PIP) install --editable '.[test]'
	@touch $@

$(VENV)/.bench: $(VENV)/.runtime setup.py
	@echo "Installing what the load generator needs (2 packages more) ..."
	@$(PIP) install --editable '.[bench]'
	@touch $@
