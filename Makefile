# A fresh machine needs Python 3.11 or newer with pip; the rest comes with `make setup`, but for what the tests need
# beside it: PostgreSQL's programs and strace, which root gets by itself.
PYTHON ?= python3
# More for pytest, the simulation or the benchmark: make test ARGS="-k fence"
ARGS ?=
BIN := .venv/bin
# How many histories to simulate
SEEDS ?= 20000
# How many programs of each class to compare with torch, and of each in every mode but plain stepping; in how many processes
COUNT ?= 3000
REST ?= 500
JOBS ?= 2
export PYTHON

.PHONY: help setup demo test check parity simulate soak generate bench pins clean

help: ## List what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: .venv/complete ## Make .venv with the project and all it needs, pinned

.venv/complete: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "there is no $(PYTHON): say which Python to use, as in make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "lrkeeper needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1): say which to use, as in make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev]'
	@touch $@

demo: setup ## Train a real model with its lr from a server, kill both, resume, edit
	$(BIN)/lrkeeper demo

test: setup ## Run all tests but the long ones
	$(BIN)/pytest -n 2 --dist worksteal -m "not long" $(ARGS)

soak: setup ## Run the long tests: the server killed 100 times, and more of what happens to jobs of several ranks
	$(BIN)/pytest -m long $(ARGS)

check: setup ## Lint, types, import boundaries, generated code, container files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/python scripts/lint_imports.py
	scripts/generate.sh --check
	$(BIN)/hadolint Dockerfile

parity: setup ## Compare every scheduler with torch's, an hour or two: make parity COUNT=3000 REST=500 JOBS=2
	$(BIN)/python -m tests.parity --count $(COUNT) --jobs $(JOBS)
	$(BIN)/python -m tests.parity.evaluators --count $(COUNT) --rest $(REST) --jobs $(JOBS)
	$(BIN)/python -m tests.parity.drop_ins --count $(COUNT) --rest $(REST) --jobs $(JOBS)

simulate: setup ## Run the protocol in a simulation that goes wrong in every way: make simulate SEEDS=20000
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

generate: ## Generate the code beside the protos
	scripts/generate.sh

bench: setup ## Measure NextLr against an echo method of the same server, and composable schedules
	$(BIN)/python -m benchmarks.schedules
	$(BIN)/python -m benchmarks.next_lr $(ARGS)

pins: setup ## Write constraints.txt anew from what .venv has
	{ sed -n '/^#/p' constraints.txt; $(BIN)/pip freeze --all --exclude pip --exclude-editable | sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f; } > constraints.new
	mv constraints.new constraints.txt
	touch .venv/complete

clean: ## Remove the environments and caches
	rm -rf .venv .venv-generate .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
