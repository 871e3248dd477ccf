#!/usr/bin/env bash
# Everything: generated files, lint, all tests with the race detector, each
# benchmark once, a short fuzz of every parser. The tests start their own
# servers on free ports in temporary folders and stop them.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

step "generated files are current"
go generate ./...
changed=$(git status --porcelain -- '*.gen.go' '*.gen.yaml' docs/operate/settings.md docs/operate/cli.md)
if [ -n "$changed" ] && [ -n "${CI:-}" ]; then
  printf 'go generate changes:\n%s\n' "$changed" >&2
  exit 1
fi
step "lint"
scripts/lint.sh
step "tests, with the race detector"
go test -race -count=1 -timeout 20m -p 2 ./... # -count: go test does not know that tests build the gateway
step "each benchmark once"
go test -run '^$' -bench . -benchtime 1x ./... | grep -vE '^(PASS|ok .*no test files|\?|goos|goarch|pkg|cpu)' || true
step "fuzz, briefly"
scripts/fuzz.sh "${FUZZTIME:-3s}"
step "done"
