# The two commands of the README are `make run` and `make test`; the others are daily habits.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= proto.toml
# The fast one needs epoll.
REACTOR ?= $(shell [ "$$(uname)" = Linux ] && echo --reactor=lean)

.PHONY: run test check unit test-reactor fuzz kill kill-log bench bench-quick bench-memory profile format clean help

run: $(VENV)/.installed  ## serve chat, web, logfile and echo as proto.toml says
	@$(BIN)/twistd $(REACTOR) --nodaemon --pidfile= proto --config $(CONFIG)

test: check unit  ## everything the gate asks: lint, types, import rules, tests, installed wheel

check: $(VENV)/.tested  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

unit: $(VENV)/.tested  ## the tests, with branch coverage
	$(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered

test-reactor: $(VENV)/.tested  ## Twisted's own tests on the lean reactor and on epoll, compared; some minutes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'Twisted[test]'
	$(BIN)/python -m tests.reactor.equality

fuzz: $(VENV)/.tested  ## random bytes against every protocol, a minute each
	PROTO_FUZZ_SECONDS=60 $(BIN)/python -m pytest tests/system/test_fuzz.py -s

kill: $(VENV)/.tested  ## the chat is killed a hundred times under load; prints what was lost: nothing
	PROTO_KILLS=100 $(BIN)/python -m pytest tests/system/test_durable_chat.py -s

kill-log: $(VENV)/.tested  ## the log receiver is killed 330 times under load; prints what was lost: nothing
	PROTO_KILLS=200 $(BIN)/python -m pytest tests/system/test_logfile_kills.py -s

bench: $(VENV)/.tested  ## every benchmark against its peers; prints the tables, writes docs/benchmarks.md
	$(BIN)/python -m benchmarks --write docs

bench-quick: $(VENV)/.tested  ## the same with few rounds, in a minute or two
	$(BIN)/python -m benchmarks --quick

bench-memory: $(VENV)/.tested  ## what a client of the chat costs in memory, idle and stalled
	$(BIN)/python -m benchmarks.memory

profile: $(VENV)/.tested  ## where the time of each service goes, by function; needs root, or CAP_SYS_PTRACE
	$(BIN)/python -m benchmarks.profile

format: $(VENV)/.tested  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what was made here, the environment included
	rm -rf $(VENV) build dist *.egg-info .coverage .coverage.* htmlcov .mypy_cache .ruff_cache \
		.pytest_cache .hypothesis .import_linter_cache

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "proto needs Python 3.11 or newer; name one: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "no venv in this Python; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml
	@echo "setting up $(VENV), once ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	@echo "adding what the tests need to $(VENV), once ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	@touch $@
