# Two commands matter: `make run` and `make test`. `make help` lists the rest.

GO        ?= go
TOOLS     := $(CURDIR)/.tools
VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS   := -X main.version=$(VERSION)
FUZZTIME  ?= 10s
PACKAGES  ?= ./...

.DEFAULT_GOAL := help
.PHONY: help run build test check lint bench fuzz generate deps tools vuln clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

build: ## build bin/holdfast
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/holdfast ./cmd/holdfast

run: build ## build and start the gateway on one file; prints a curl line that works
	@exec bin/holdfast serve --output text

test: deps tools ## everything: installs what is missing, starts its own servers, runs all checks
	@scripts/test.sh

check: ## the fast subset for every edit: build, vet, and tests without servers
	@$(GO) build ./... && $(GO) vet ./...
	@$(GO) test -short . ./internal/jsonscan/... ./sync/... ./api/... ./middleware/... ./auth/... ./schemas/... ./client/... ./internal/settings/...

lint: tools ## format, vet, staticcheck, golangci-lint with the architecture's arrows
	@scripts/lint.sh

bench: deps ## measure intake on both stores beside the bare store; prints ratios
	@scripts/bench.sh

fuzz: ## fuzz every parser for FUZZTIME each (default 10s)
	@scripts/fuzz.sh $(FUZZTIME)

generate: ## make the generated files again (OpenAPI bundle, routes, settings page)
	@$(GO) generate ./...

vuln: tools ## look the dependencies up in the Go vulnerability database (needs vuln.go.dev)
	@$(TOOLS)/govulncheck ./...

deps: ## install missing Debian packages (PostgreSQL, Redis, OpenSSH, Java) for the tests
	@scripts/deps.sh

tools: ## install the pinned Go tools into .tools
	@scripts/tools.sh

clean: ## remove what was built; keeps holdfast-data
	@rm -rf bin .tools coverage
