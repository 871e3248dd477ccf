#!/usr/bin/env bash
# Format, vet, staticcheck, and golangci-lint with depguard's arrows.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.go' | grep -v '\.gen\.go$')
unformatted=$(.tools/gofumpt -l "${sources[@]}")
if [ -n "$unformatted" ]; then
  printf 'not formatted (gofumpt -w):\n%s\n' "$unformatted" >&2
  exit 1
fi
go vet ./...
.tools/staticcheck ./...
.tools/golangci-lint run ./...
