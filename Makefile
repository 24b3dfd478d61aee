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

# What proves that nothing acknowledged is lost, and where its results are kept.
PROVE := $(dir $(OTLP_BINARY))loadtest
KEPT = --ledger proofs/ledger.csv --commit "$$(git rev-parse --short HEAD)$$(git diff --quiet HEAD -- . ':!proofs' || echo -dirty)"
KILLS ?= 1000
CUTS ?= 20
SIM_SEEDS ?= 100000
SIM_FIRST ?= 0
# The modes of acknowledgement that promise to lose nothing.
SAFE ?= delivered stored

.PHONY: help test lint bench instructions tools rust-test interop-test proof-test kills simulate power-cuts clean

help: ## Lists what there is.
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

test: tools rust-test interop-test proof-test ## Sets up what the tests need and runs every test.

lint: ## Format, clippy and documentation, with every warning an error.
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

bench: ## Measures the pure rooms: the walk, the batcher, the counters, framing, compression.
	$(CARGO) bench --locked

instructions: ## Counts the instructions of each pure step: the same figure on every machine.
	benches/instructions.sh

rust-test: ## Unit, property and integration tests, and the example.
	$(CARGO) build --locked
	$(CARGO) test --locked --workspace
	$(CARGO) run --locked --example resilience_usage -- --quick

interop-test: $(PYTHON_READY) $(NODE_READY) ## Real SDKs and curl through the built binary.
	$(CARGO) build --locked
	.venv/bin/pytest tests/interop

proof-test: ## Thirty kills in each safe mode and a few power cuts, and that the judge finds a loss.
	$(CARGO) build --locked --workspace
	for mode in $(SAFE); do $(PROVE) kill --kills 30 --acknowledge "$$mode"; done
	$(PROVE) power-cut --cuts 5 --acknowledge $(lastword $(SAFE)) || [[ $$? == 3 ]]
	@# What is acknowledged in memory alone is lost by a kill that comes while a collector is away: a judge that
	@# does not see it is none. Few kills may all come at another time.
	dir=$$(mktemp -d); trap 'rm -r "$$dir"' EXIT; \
	found=$$($(PROVE) kill --kills 30 --acknowledge queued --dir "$$dir" 2>&1 || [[ $$? == 1 ]]); \
	[[ $$found == *"acknowledged items were lost"* ]] || { echo "the judge found no loss: $$found"; exit 1; }

kills: ## A thousand kills under load in each safe mode (KILLS=1000); kept in proofs/ledger.csv.
	$(CARGO) build --locked --workspace
	for mode in $(SAFE); do $(PROVE) kill --kills $(KILLS) --acknowledge "$$mode" $(KEPT); done

simulate: ## The deliveries through a hundred thousand orders of events (SIM_SEEDS=100000, SIM_FIRST=0).
	SIM_SEEDS=$(SIM_SEEDS) SIM_FIRST=$(SIM_FIRST) \
		$(CARGO) test --locked --profile simulation --test sim the_laws -- --nocapture

power-cuts: ## Twenty power cuts (CUTS=20), as root; kept in proofs/ledger.csv.
	$(CARGO) build --locked --workspace
	$(PROVE) power-cut --cuts $(CUTS) --acknowledge $(lastword $(SAFE)) $(KEPT)

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
