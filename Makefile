SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# rust-toolchain.toml pins the compiler. Where rustup does not have that one, its default is used rather than the network.
ifndef RUSTUP_TOOLCHAIN
ifneq ($(shell command -v rustup),)
PINNED_TOOLCHAIN := $(shell sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
ifeq ($(shell rustup toolchain list | grep '^$(PINNED_TOOLCHAIN)-'),)
export RUSTUP_TOOLCHAIN := $(shell cd / && rustup default | cut -d' ' -f1)
$(info Rust $(PINNED_TOOLCHAIN) is not installed; using $(RUSTUP_TOOLCHAIN))
endif
endif
endif

.PHONY: help setup build run test miri bench callgrind fuzz check fmt fmt-check lint deps generate generate-check docs deny golden clean

help: ## Shows this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: ## Installs Envoy and the local Lambda service into .tenon/ (needs the network once).
	@scripts/setup

build: ## Builds dist/tenon, dist/libtenon.so and dist/tenon.wasm (release).
	@scripts/build

run: setup build ## Runs the Lambda example on 127.0.0.1:8080 (PORT=, FILTER=so|wasm, ARGS=--once).
	@scripts/run $(ARGS)

test: setup build ## Runs every test that needs no Kubernetes.
	@scripts/setup tests
	@scripts/test

miri: ## Runs the SDK's tests under Miri (needs a nightly compiler; not part of check or test).
	@scripts/miri

bench: setup build ## Prints side-by-side figures and writes them to target/bench/ (ROUNDS=25, ROWS="lambda/ transform/so").
	@scripts/bench $(or $(ROUNDS),25) $(ROWS)

callgrind: ## Counts the instructions of a request in the core alone, beside those of before (ARGS=--update).
	@scripts/callgrind $(ARGS)

fuzz: ## Runs each fuzz target for SECONDS=60 or MINUTES= (TARGETS= for some of them).
	@scripts/fuzz $(or $(SECONDS),$(if $(MINUTES),$$(($(MINUTES) * 60)),60)) $(TARGETS)

check: fmt-check lint deps generate-check docs deny ## Runs every check that is no test.

fmt: ## Formats the code.
	@cargo fmt --all

fmt-check: ## Fails if the code is not formatted.
	@cargo fmt --all --check

lint: ## Runs clippy (and shellcheck, where it is installed) without tolerance.
	@scripts/lint

deps: ## Checks who depends on whom, and that each crate builds alone.
	@scripts/deps

generate: ## Rewrites the generated files from their sources.
	@scripts/generate

generate-check: ## Fails if a generated file (Cargo.lock too) is not what its source says.
	@scripts/generate --check

docs: ## Builds the API documentation; a broken link is an error.
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

deny: ## Checks licences, sources and duplicates of dependencies (builds cargo-deny once).
	@scripts/deny

golden: ## Rewrites the golden files from what the code does now; review the diff.
	@UPDATE_GOLDEN=1 scripts/test -p tenon-core -p tenon-translate

clean: ## Removes what was built and installed.
	@cargo clean && rm -rf dist .tenon
