# Five verbs, the same for a person and for CI: setup, check, test, demo, bench. Give a command more words with ARGS.
#   make demo ARGS=--once        make test ARGS="tests/inspect -x"        make bench ARGS=inspection
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: setup setup-dev check test demo bench clean

setup: $(VENV)/.train
setup-dev: $(VENV)/.dev

# A stamp per set of extras: the second call sees nothing newer than it and costs nothing.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
$(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

check: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup-dev
	bash scripts/system-packages.sh
	$(BIN)/python -m pytest $(ARGS)

demo: setup
	@exec $(BIN)/trialsight demo $(ARGS)

bench: setup-dev
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
