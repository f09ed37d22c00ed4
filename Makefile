# Everything a person or CI does here. `make` alone lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := $(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header --no-annotate
N ?= 200
NAME ?= cold_apps

.PHONY: help
help: ## What can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@echo "==> Python packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(VENV)/.installed ## Python packages into .venv

.PHONY: binaries
binaries: setup ## Build and cache the control plane, the renderer, helm and kustomize (about 8 minutes the first time)
	@$(BIN)/pierhead-sandbox build

.PHONY: demo
demo: binaries ## See it work: three custom resources become Ready on a real control plane
	@$(BIN)/python -m pierhead_sandbox.demo

.PHONY: sandbox
sandbox: binaries ## As the demo, and leave it up to play with
	@$(BIN)/python -m pierhead_sandbox.demo --keep

.PHONY: lint
lint: setup ## Style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: test
test: lint binaries ## Everything CI runs
	@$(BIN)/pytest -n 4 --dist loadgroup

.PHONY: bench
bench: binaries ## One benchmark: make bench NAME=cold_apps N=200
	@$(BIN)/python -m bench.$(NAME) -n $(N)

.PHONY: manifests
manifests: binaries ## Write crds/, the chart's copies and deploy/ from the models and the chart
	@$(BIN)/python tools/manifests.py

.PHONY: lock
lock: setup ## Resolve the dependencies again
	@$(LOCK) --all-extras --group dev pyproject.toml -o requirements/dev.txt
	@$(LOCK) pyproject.toml -o requirements/operator.txt
	@$(LOCK) requirements/go.in -o requirements/go.txt
