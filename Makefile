.DEFAULT_GOAL := help
.PHONY: help install up monitor traffic generate test check lint format typecheck samples clean

VENV ?= .venv
BIN := $(VENV)/bin
# The first interpreter that Triton's Python stub and torch both support.
PYTHON ?= $(shell for p in python3 python3.11 python3.12; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $$p && break; done)
# ONNX Runtime reports its sessions to its maker unless told not to.
export ORT_DISABLE_TELEMETRY := 1
INSTALLED := $(VENV)/.installed
SOURCES := tidegate gateway export embedded samples monitoring helm tests benchmarks

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED) ## Install everything into .venv

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Error: Python 3.11 or 3.12 is needed. On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Error: $(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

up: $(INSTALLED) ## Start the embedded Triton and the gateway with the sample models (Ctrl-C stops)
	@exec $(BIN)/tidegate up

monitor: $(INSTALLED) ## Run a real Prometheus, rules loaded, against the stack of `make up`
	@exec $(BIN)/python -m monitoring run

traffic: $(INSTALLED) ## Send a realistic mix of requests to the stack of `make up`
	@exec $(BIN)/python -m monitoring traffic

generate: $(INSTALLED) ## Write the generated files: rules, dashboards and the chart's copies of them
	$(BIN)/python -m monitoring rules
	$(BIN)/python -m monitoring dashboards
	$(BIN)/python helm/sync_monitoring.py

samples: $(INSTALLED) ## Train and export every sample model
	@$(BIN)/tidegate samples build --all

test: $(INSTALLED) ## Run every test, real Triton included
	$(BIN)/python -m pytest

check: lint typecheck test ## Lint, format check, types, tests

lint: $(INSTALLED) ## Lint and check the format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

typecheck: $(INSTALLED) ## Check the types (mypy strict)
	$(BIN)/mypy

format: $(INSTALLED) ## Format the code and sort the imports
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

clean: ## Remove .venv and caches (models, keys and state stay)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
