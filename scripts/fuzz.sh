#!/usr/bin/env bash
# Runs every fuzz target for the time given (default 10s each).
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz PACKAGE TARGET: go test sometimes reports its own deadline as a failure
# of the target ("context deadline exceeded", golang/go#75804): no input is
# written then. That alone, and nothing else, is tried again, twice at most.
fuzz() {
  local attempt
  for attempt in 1 2 3; do
    echo "fuzz $1 $2 ($time)"
    if go test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 5s 2>&1 </dev/null | tee "$log"; then
      return 0
    fi
    if ! grep -q '^ *context deadline exceeded$' "$log" || grep -qE 'Failing input|panic|fatal error|_test\.go' "$log"; then
      return 1
    fi
    echo "fuzz $1 $2: the deadline of go test itself, attempt $attempt of 3"
  done
  return 1
}

while read -r dir; do
  while read -r target; do
    fuzz "./$dir" "$target"
  done < <(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/func //' | sort -u)
done < <(git grep -lE '^func Fuzz' -- '*_test.go' | xargs -r -n1 dirname | sort -u)
