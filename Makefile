# Every target is one plain go command or a script: nothing here is needed to
# use the module. `make help` lists the targets.

include .ci/versions

GO       ?= go
BIN      := $(CURDIR)/.bin
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help quickstart check test real race vet lint fmt fuzz tidy cover bench-verify bench-peers bench-sync chaos crash node tools ci lambdas rds-ca

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

quickstart: ## run the whole story on this machine, for a browser
	$(GO) run ./examples/quickstart

check: ## run the quickstart's own checks, without a browser, and exit
	$(GO) run ./examples/quickstart -check

test: ## run every test; tests of missing real components are skipped
	$(GO) test ./...

real: ## run every test, and fail where a real component is missing
	SSO_REQUIRE_REAL=1 $(GO) test -count=1 ./...

race: ## run every test under the race detector, in random order
	$(GO) test -race -shuffle=on ./...

vet: ## run go vet
	$(GO) vet ./...

fmt: ## rewrite the Go files with gofmt
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

lint: tools ## run staticcheck and golangci-lint at the pinned versions
	$(BIN)/staticcheck ./...
	$(BIN)/golangci-lint run ./...

fuzz: ## run every fuzz target for FUZZTIME (10s) each
	FUZZTIME=$(FUZZTIME) .ci/run fuzz

tidy: ## make go.mod and go.sum match the code
	$(GO) mod tidy

cover: ## run every test with coverage of the whole module; writes coverage.out
	$(GO) test -coverpkg=./... -coverprofile=coverage.out ./...
	$(GO) tool cover -func=coverage.out | tail -n 1

bench-verify: ## measure the verifier against the least it could cost (1 minute)
	@$(GO) test -run '^$$' -bench '^BenchmarkRatios$$' -benchtime 1x ./sso | \
		awk '/^VERIFY / { last = $$0; next } { print } END { if (last == "") exit 1; print last }'

bench-peers: ## measure the verifier beside other libraries, and what each asks of a broken key server
	@[ -d benchmarks/node/node_modules ] || ! command -v npm >/dev/null || \
		(cd benchmarks/node && npm ci --ignore-scripts --no-audit --no-fund)
	cd benchmarks && $(GO) run .

crash: ## kill the functions and the database in the middle of their work: SEED=any KILLS=500
	@CRASH_KILLS=$(or $(KILLS),500) CRASH_SEED=$(SEED) \
		$(GO) test -count=1 -timeout=2h -v -run '^TestCommand$$' ./internal/crash | \
		awk '/^(=== |PASS$$|ok | *--- PASS)/ { next } /^CRASH / { last = $$0; next } /^FAIL|--- FAIL|^panic/ { bad = 1 } { print } \
			END { print last; exit bad || last !~ / lost=0 doubled=0 wrong=0 moved_back=0 undelivered=0$$/ }'

bench-sync: ## measure sign-up, sign-in, the consumer, starts and the first day of term; writes docs/img/sync-latency.svg
	@[ -d internal/realtest/node/node_modules ] || $(MAKE) node
	cd benchmarks && $(GO) run ./sync $(if $(QUICK),-quick)

node: ## install the SQS server that tests of the queue need (Node 20 or later)
	cd internal/realtest/node && npm ci --ignore-scripts --no-audit --no-fund

chaos: ## sign-ups with everything broken: SEED=any COUNT=2000 STORE=all (or sqlite, postgres, mariadb, remote)
	@CHAOS_COUNT=$(or $(COUNT),2000) CHAOS_SEED=$(SEED) CHAOS_STORE=$(or $(STORE),all) \
		$(GO) test -count=1 -timeout=2h -v -run '^TestCommand$$' ./internal/chaos | \
		awk '/^(=== |PASS$$|ok | *--- PASS)/ { next } /^CHAOS / { last = $$0; next } /^FAIL|--- FAIL|^panic/ { bad = 1 } { print } \
			END { print last; exit bad || last !~ / lost=0 doubled=0 wrong=0 moved_back=0 drift=0$$/ }'

lambdas: ## build the Lambda functions for both machines, as archives in dist, and print their sizes
	$(GO) run ./internal/lambdazip

rds-ca: ## download the authorities of RDS from AWS into dist, for the archives, and check them
	$(GO) run ./internal/rdsca

tools: ## install the pinned linters into .bin
	.ci/run tools

ci: ## run what CI runs (installs Debian packages as root)
	CI=true .ci/run
