.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
PIP_ARGS ?=
N ?= 4
DIR ?= shared
ARGS ?= -p 16 -g 75 --migrate-every 25
WORKERS ?= 3
BENCH ?=
OUT ?= report.html
TIER ?= small
ARMS ?= sequential,optuna_threads,optuna_processes,process_pool,ray_tasks,islands
BLOCKS ?= 3
ROWS ?= bench/compare-$(TIER)
COMPARE ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup islands team tmux status tail stop report libraries test-fast test test-lab chaos check pages bench compare clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv and install everything (PIP_ARGS="--extra-index-url URL" for another torch)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1 | tail -n 1);" \
	    "try make setup PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	@touch $(READY)

islands: $(READY) ## Evolve N islands to the end, with live progress (N=4 DIR=shared ARGS="-p 16 -g 75 ...")
	@scripts/launch_islands.sh --background --wait --dir "$(DIR)" "$(N)" $(ARGS)

team: $(READY) ## Evolve one island with a team of N processes that share its evaluation (N=4 DIR=shared ARGS="-p 1000 ...")
	@scripts/launch_islands.sh --background --wait --team --dir "$(DIR)" "$(N)" $(ARGS)

tmux: $(READY) ## The same in tmux: a pane per island and one with the status
	@scripts/launch_islands.sh --tmux --dir "$(DIR)" "$(N)" $(ARGS)

status: $(READY) ## Show all islands
	@$(BIN)/python cli.py status --migration-dir "$(DIR)"

tail: $(READY) ## Follow the migration logs of all islands
	@scripts/tail_migrations.sh --migration-dir "$(DIR)"

stop: ## Stop the islands that were launched, after their generation
	@scripts/stop_islands.sh --dir "$(DIR)"

report: $(READY) ## Write the story of the islands as one page (DIR=shared OUT=report.html)
	@$(BIN)/python cli.py report "$(DIR)" -o "$(OUT)"

libraries: ## Make the libraries of the report's page anew, from the npm registry
	@scripts/report/vendor/make.sh

test-fast: $(READY) ## Run the tests without the slow ones, with few examples of each property
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow" --hypothesis-profile few

test: $(READY) ## Run the tests of the product: islands, pool, tasks, commands, report
	$(BIN)/python -m pytest -q -n $(WORKERS) --ignore=tests/lab

test-lab: $(READY) ## Run the tests of the laboratory: comparison, experiments, benchmarks
	$(BIN)/python -m pytest -q -n $(WORKERS) tests/lab

chaos: $(READY) ## Run the tests of faults in their full sizes, and print what they went through
	$(BIN)/python -m pytest -q -n $(WORKERS) --chaos tests/faults tests/scripts/run/test_take_over.py \
	  tests/scripts/run/test_accounts.py tests/scripts/launch/test_launching_at_once.py tests/test_cli_streams.py

check: $(READY) ## Lint, check types, check the shell scripts and build the site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/shellcheck -x scripts/*.sh scripts/*.bash scripts/report/vendor/*.sh scripts/lab/gpu/*.sh scripts/islands.sbatch .ci/run
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

pages: $(READY) ## Write the generated pages: commands, settings, exit codes, the index of decisions
	@$(BIN)/python docs/pages.py

bench: $(READY) ## Measure everything, in ten minutes (raw rows in bench/; BENCH="evaluator island" for some)
	@$(BIN)/python -m scripts.lab bench $(BENCH)

compare: $(READY) ## Compare parallel backends, or go on (TIER=tiny BLOCKS=3 ARMS=a,b ROWS=DIR COMPARE="--workers 1,2 ...")
	@if [ -e "$(ROWS)/plan.json" ]; then $(BIN)/python -m scripts.lab compare resume --out "$(ROWS)"; \
	else $(BIN)/python -m scripts.lab compare run --tier $(TIER) --arms $(ARMS) --blocks $(BLOCKS) --out "$(ROWS)" $(COMPARE); fi

clean: ## Remove the environment and caches; shared/ stays
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
