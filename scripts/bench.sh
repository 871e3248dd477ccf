#!/usr/bin/env bash
# Measures intake: allocations and processor time of a request in process, then
# the gateway as a process beside its bare store, on empty tables and on tables of
# ROWS transactions (default 5 million; 0 leaves that out).
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${ROWS:-5000000}
echo "== in process: all of the gateway but the network"
go test ./cmd/holdfast -run '^$' -bench Intake -benchmem | grep -E '^Benchmark'
make -s build
go build -o bin/load ./tests/load
echo "== over loopback, the load beside it; bare store/s is the store alone with the same rows"
bin/load --seconds "${SECONDS_EACH:-4}"
if [ "$rows" -gt 0 ]; then
  echo "== the same on tables of $rows transactions"
  bin/load --seconds "${SECONDS_EACH:-4}" --rows "$rows"
fi
echo "== deliveries: the whole way through an instant consumer, claims from backlogs, and from acceptance to the device"
HOLDFAST_BENCH_ROWS=${BACKLOG:-1000000} go test ./delivery -run '^$' -bench . -benchtime 20000x -timeout 30m | grep -E '^Benchmark'
bin/load --deliveries
echo "== files, in front of a real S3 server and beside it"
bin/load --files
echo "== redaction: clean lines of about 500 bytes, and recall and false alarms on the corpus"
go test ./redact -run '^$' -bench . -benchmem | grep -E '^Benchmark'
