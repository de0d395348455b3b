# `make help` lists what there is. Needs Python 3.11 or newer; everything else goes into .venv.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := platform/botyard tasks bots db tests benchmarks celeryconfig.py
.DEFAULT_GOAL := help
# Botyard is a dozen processes: what each of them would compile again and again is compiled once.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup setup-dev run dev test test-rabbitmq coverage test-live check bench openapi fuzz figures faults model screenshot clean lock

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(VENV)/.runtime  ## Make the environment in .venv and install what Botyard runs on

setup-dev: $(VENV)/.tests

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Botyard needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "No virtual environment could be made here. On Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8 2>/dev/null || true

# uv installs the pinned set in seconds; pip does the same where uv cannot.
define install
	@echo "Installing $(1) into $(VENV) …"
	@if [ -x $(BIN)/uv ] && $(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python $(foreach f,$(1),-r $(f)) 2>/dev/null; then :; \
	  else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(foreach f,$(1),-r $(f)); fi
endef

$(VENV)/.runtime: requirements.txt pyproject.toml | $(BIN)/python
	$(call install,requirements.txt)
	@touch $@

$(VENV)/.tests: $(VENV)/.runtime requirements-dev.txt
	$(call install,requirements-dev.txt)
	@touch $@

run: setup  ## Start everything, with a demo bot to chat with in the browser; Ctrl-C stops it
	@exec $(BIN)/botyard run

dev: setup  ## As run, and changes of the code take effect a moment later; nothing is lost
	@exec $(BIN)/botyard run --dev

test: setup-dev  ## Run all tests; at most 15 minutes
	@$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder -q --durations=15

coverage: setup-dev  ## The same, and which lines they reach; some minutes longer
	@$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered -q

# As Debian packs it, with the Erlang that it needs. Only the tests start it.
define install_rabbitmq
	@[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || { echo "Installing RabbitMQ with apt …"; [ "$$(id -u)" = 0 ] || root=sudo; \
	  $$root apt-get update -qq && \
	  $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rabbitmq-server >/dev/null; }
endef

test-rabbitmq: setup-dev  ## As test, with RabbitMQ as Celery's broker; TESTS=… runs only some
	$(install_rabbitmq)
	@$(BIN)/python -m tests.rabbitmq $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -q --durations=15 $(TESTS)

test-live: setup  ## Ask the Bot API with LIVE_BOT_TOKEN (and LIVE_API_URL, LIVE_CHAT); without a token it only says so
	@$(BIN)/python -m tests.live

check: setup-dev  ## Format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup-dev  ## Measure beside other software, which it installs in .venv-peers; needs wrk; writes docs/figures/bench.json
	@$(BIN)/python -m benchmarks

openapi: setup-dev  ## Write docs/openapi.json and docs/rights.md anew, from the routes
	@$(BIN)/python -m tests.api_contract.write

fuzz: setup-dev  ## Send the API what Schemathesis makes up, for five minutes as each of five people
	@$(BIN)/python -m tests.api_contract.fuzzing 300

figures: setup-dev  ## Measure what people wait beside floods and bulk sends; about 15 minutes; writes docs/figures
	@$(BIN)/python -m benchmarks.fairness
	@$(BIN)/python -m benchmarks.bulk
	@$(BIN)/python -m benchmarks.occurrences
	@$(BIN)/python -m benchmarks.api

faults: setup-dev  ## Everything that can go wrong, under load, five times each; 100 minutes; writes docs/figures
	@$(BIN)/python -m tests.faults

model:  ## Go through every order of the protocol's steps, with faults between them; some ten minutes
	@$$(command -v pypy3 || command -v $(BIN)/python || echo $(PYTHON)) -m tests.model

screenshot: setup-dev  ## Take the picture of the chat page that the README shows
	@$(BIN)/python -m tests.e2e.screenshot

clean:  ## Remove the environment and caches; the state in .botyard stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov dist

lock: setup  ## Compile the pins of requirements*.in anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate requirements.in -o requirements.txt
	@echo "-e ." >> requirements.txt
	@grep -v '^-e' requirements.txt > $(VENV)/constraints.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate -c $(VENV)/constraints.txt \
	  requirements-dev.in -o requirements-dev.txt
