# Every target is one plain go command or a script: nothing here is needed to
# use the module. `make help` lists the targets.

include .ci/versions

GO       ?= go
BIN      := $(CURDIR)/.bin
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help quickstart check test real race vet lint fmt fuzz tidy cover bench-verify bench-peers bench-sessions bench-sync chaos crash fleet attacks return-to node tools ci lambdas rds-ca check-deploy deploy

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

attacks: ## run every attack row, counted by class
	@$(GO) run ./internal/attacks

return-to: ## hold where return-to values lead against Node's URL parser: COUNT=1000000 SEED=any
	@RETURN_TO_COUNT=$(or $(COUNT),1000000) RETURN_TO_SEED=$(SEED) SSO_REQUIRE_REAL=1 \
		$(GO) test -count=1 -timeout=30m -v -run '^TestReturnToAgreesWithBrowsers$$' ./middleware

crash: ## kill the functions and the database in the middle of their work: SEED=any KILLS=500
	@CRASH_KILLS=$(or $(KILLS),500) CRASH_SEED=$(SEED) \
		$(GO) test -count=1 -timeout=2h -v -run '^TestCommand$$' ./internal/crash | \
		awk '/^(=== |PASS$$|ok | *--- PASS)/ { next } /^CRASH / { last = $$0; next } /^FAIL|--- FAIL|^panic/ { bad = 1 } { print } \
			END { print last; exit bad || last !~ / lost=0 doubled=0 wrong=0 moved_back=0 undelivered=0$$/ }'

fleet: ## two app processes behind one store with everything broken: SEED=any COUNT=200 STORE=all (or sqlstore, redisstore)
	@for store in $(if $(filter-out all,$(STORE)),$(STORE),sqlstore redisstore); do \
		(cd middleware/$$store && FLEET_COUNT=$(or $(COUNT),200) FLEET_SEED=$(SEED) SSO_REQUIRE_REAL=1 \
			$(GO) test -count=1 -timeout=1h -v -run '^TestFleetCommand$$' .) | \
			awk '/^(=== |PASS$$|ok | *--- PASS)/ { next } /^FLEET / { last = $$0; next } /^FAIL|--- FAIL|^panic/ { bad = 1 } { print } \
				END { print last; exit bad || last !~ / revived=0 doubled=0 wrong=0$$/ }' || exit 1; \
	done

bench-sessions: ## measure sessions beside scs and gorilla/sessions (20 seconds)
	@cd benchmarks && $(GO) test -run '^$$' -bench '^BenchmarkSessions$$' -benchtime 1x ./sessions | \
		awk '/^SESSIONS / { last = $$0; next } /^(goos|goarch|pkg|cpu|Benchmark|PASS|ok)/ { next } { print } END { if (last == "") exit 1; print last }'

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

check-deploy: ## check the templates: rules, who reaches whom, mutations, AWS's validator, cdk-nag, and that the functions start
	@[ -d lambda/deploy/node/node_modules ] || (cd lambda/deploy/node && npm ci --ignore-scripts --no-audit --no-fund)
	@$(GO) test -count=1 ./lambda/deploy/internal/... ./lambda/deploy/guard
	@DEPLOY_REPORT=1 $(GO) test -count=1 -timeout=30m -v -run '^TestCommand$$' ./lambda/deploy | \
		awk '/^(=== |PASS$$|ok | *--- PASS)/ { next } /^DEPLOY / { last = $$0; next } /^FAIL|--- FAIL|^panic/ { bad = 1 } { print } \
			END { print last; split(last, w, /[ =\/]/); \
			exit bad || last !~ /^DEPLOY errors=0 unexplained_suppressions=0 .* reachability=ok$$/ || w[7] < 10 || w[7] != w[8] }'

deploy: ## deploy system, app or group, or rehearse it: ARGS="system parameters.json --bucket BUCKET --dry-run" (docs/deploy.md)
	@lambda/deploy/deploy $(ARGS)

tools: ## install the pinned linters into .bin
	.ci/run tools

ci: ## run what CI runs (installs Debian packages as root)
	CI=true .ci/run
