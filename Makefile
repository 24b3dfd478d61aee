# Every check and measurement of the project by name; `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
export OTLP_BINARY := $(abspath $(or $(CARGO_TARGET_DIR),target))/debug/otlp

PYTHON_READY := .venv/ready
NODE_READY := tests/interop/node/node_modules/.package-lock.json

.PHONY: help test lint bench instructions tools rust-test interop-test clean

help: ## Lists what there is.
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

test: tools rust-test interop-test ## Sets up what the tests need and runs every test.

lint: ## Format, clippy and documentation, with every warning an error.
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

bench: ## Measures the pure rooms: the walk, the batcher, the counters, framing, compression.
	$(CARGO) bench --locked

instructions: ## Counts the instructions of each pure step: the same figure on every machine.
	benches/instructions.sh

rust-test: ## Unit, property and integration tests.
	$(CARGO) build --locked
	$(CARGO) test --locked --workspace

interop-test: $(PYTHON_READY) $(NODE_READY) ## Real SDKs and curl through the built binary.
	$(CARGO) build --locked
	.venv/bin/pytest tests/interop

tools: ## Installs the tools of the host that the tests use, where they are missing.
	tests/tools.sh

clean: ## Removes everything that was built or set up.
	$(CARGO) clean
	rm -rf .venv tests/interop/node/node_modules

$(PYTHON_READY): tests/interop/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --requirement $<
	touch $@

$(NODE_READY): tests/interop/node/package.json tests/interop/node/package-lock.json
	cd tests/interop/node && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	touch $@
