#!/usr/bin/env bash
# Runs every fuzz target for the time given (default 10s each).
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
git grep -lE '^func Fuzz' -- '*_test.go' | xargs -r -n1 dirname | sort -u | while read -r dir; do
  grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/func //' | sort -u | while read -r target; do
    echo "fuzz ./$dir $target ($time)"
    go test "./$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 5s
  done
done
