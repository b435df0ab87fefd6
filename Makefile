# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help test check fmt clippy purity docs

PURE := cargo tree -p stella --no-default-features --edges normal --prefix none

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## Unit and property tests
	cargo test --release --workspace

check: fmt clippy test purity docs ## Everything that must hold before a change lands

fmt: ## The code is formatted
	cargo fmt --all --check

clippy: ## The lints hold
	cargo clippy --release --workspace --all-targets -- -D warnings

purity: ## The rules build and pass without AWS, a runtime or HTTP
	cargo test --package stella --no-default-features --target-dir target/purity
	@if $(PURE) | grep -E '^(aws|tokio|axum|hyper)'; then echo 'the pure part depends on these'; exit 1; fi

docs: ## Every public item is documented, and every link leads somewhere
	RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps
