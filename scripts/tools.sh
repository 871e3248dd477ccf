#!/usr/bin/env bash
# Installs the Go tools of exactly these versions into .tools.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=(
  mvdan.cc/gofumpt@v0.12.0
  honnef.co/go/tools/cmd/staticcheck@v0.8.2
  github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
  golang.org/x/vuln/cmd/govulncheck@v1.8.0
  github.com/versity/versitygw/cmd/versitygw@v1.8.0 # a real S3 server for the tests
)
mkdir -p .tools
for tool in "${tools[@]}"; do
  name=$(basename "${tool%@*}")
  stamp=".tools/.$name-${tool##*@}-$(go env GOVERSION)"
  [ -x ".tools/$name" ] && [ -e "$stamp" ] && continue
  echo "installing $name ${tool##*@}" >&2
  GOBIN="$PWD/.tools" go install "$tool"
  rm -f ".tools/.$name-"*
  touch "$stamp"
done

# The tus client of the tests, of exactly the versions in its lock file.
if ! cmp -s tests/tusjs/package-lock.json tests/tusjs/node_modules/.installed; then
  command -v npm >/dev/null || { echo "Missing: npm. Install Node.js 20 or later and try again." >&2; exit 1; }
  echo "installing tus-js-client" >&2
  npm ci --prefix tests/tusjs --no-audit --no-fund --loglevel=error >/dev/null
  cp tests/tusjs/package-lock.json tests/tusjs/node_modules/.installed
fi

# The WireMock of tests/faultkit, of exactly the version in its lock file.
if ! cmp -s tests/wiremock/package-lock.json tests/wiremock/node_modules/.installed; then
  command -v npm >/dev/null || { echo "Missing: npm. Install Node.js 20 or later and try again." >&2; exit 1; }
  echo "installing wiremock" >&2
  npm ci --prefix tests/wiremock --no-audit --no-fund --loglevel=error >/dev/null
  cp tests/wiremock/package-lock.json tests/wiremock/node_modules/.installed
fi
