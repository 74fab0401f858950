# make demo   a warehouse with data, pgveil in front of it, connect lines; Ctrl-C ends it and leaves nothing behind
# make test   formatting, lints, every test
# make bench  the engine's cost per statement, the relay, and direct Postgres / pgbouncer / pgveil side by side
# Each installs what is missing first (Debian's packages; see .ci/install).

SHELL := /bin/bash
DEMO_ARGS ?=

.PHONY: demo test lint bench deny

demo:
	@.ci/install demo
	@echo "Building pgveil (a few minutes the first time) …"
	@cargo build --profile demo --bin pgveil $$(.ci/features)
	@exec "$${CARGO_TARGET_DIR:-target}/demo/pgveil" demo $(DEMO_ARGS)

lint:
	cargo fmt --check
	cargo clippy --all-targets -- --deny warnings

test:
	@.ci/install test
	@start=$$SECONDS; $(MAKE) --no-print-directory lint && echo "lint: $$((SECONDS - start)) s"
	@start=$$SECONDS; cargo test --no-run --quiet && echo "build: $$((SECONDS - start)) s"
	cargo test --no-fail-fast

bench:
	@.ci/install test
	cargo bench

deny:
	cargo deny check bans licenses sources
