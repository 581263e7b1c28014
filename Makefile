# Five verbs, the same for a person and for CI: setup, check, test, demo, bench. ARGS gives a verb more words:
#   make demo ARGS=--once        make test ARGS="tests/inspect -x"        make bench ARGS=inspection
SHELL  := bash
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
# So many files of tests run at a time; WORKERS=0 runs one test after the other, as -s and --pdb want it.
WORKERS ?= logical
# pip draws its progress bars on a terminal; in a log they would only be noise.
QUIET  := $(shell test -t 2 || echo --quiet)

.PHONY: setup setup-dev check test demo bench clean

setup: $(VENV)/.train
setup-dev: $(VENV)/.dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}: make PYTHON=/path/to/python3.12")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "venv is missing: on Debian, apt-get install python3-venv" >&2; exit 1; }

# One stamp for each set of extras: a second call sees that nothing is newer than it, and costs nothing.
$(VENV)/.%: pyproject.toml | $(BIN)/python
	@echo "Installing Trialsight with [$*] into $(VENV) (a minute or two the first time)"
	@$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --editable '.[$*]'
	@touch $@

check: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	scripts/check-viewer.sh

# KServe's client pins older libraries than ours, so it has an environment of its own; its test skips where that can't be.
$(VENV)/kserve/.installed: | $(BIN)/python
	@echo "Installing KServe's client into $(@D), for one test"
	@{ $(BIN)/python -m venv $(@D) && $(@D)/bin/pip install $(QUIET) --disable-pip-version-check kserve==0.21.0 && touch $@; } || \
	  { rm -rf $(@D); echo "KServe's client can't be installed: its test is skipped" >&2; }

test: setup-dev $(VENV)/kserve/.installed
	@scripts/system-packages.sh
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

demo: setup
	@exec $(BIN)/trialsight demo $(ARGS)

bench: setup-dev
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
