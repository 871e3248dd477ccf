#!/usr/bin/env bash
# Sends one batch of two transactions with curl, reads back what the gateway
# holds, and computes the digest itself. A second run changes nothing.
#
#   examples/curl/send.sh [http://127.0.0.1:8080]
set -euo pipefail

url=${1:-http://127.0.0.1:8080}
stream=0192f3c0-7d3a-7c11-9a52-4d0f5be0c001
correlation=0192f3c1-02b4-7e60-8f1d-93a6c7d2e801

# The octets of each transaction are written once and never again.
first='{"id":"0192f3c0-8a11-7b20-b3c4-d5e6f7a80901","seq":1,"type":"pick.completed","schema":3,"entity":{"type":"order","id":"0042-1120-0017"},"orderKey":"order/0042-1120-0017","occurredAt":"2026-11-20T10:15:00.123Z","payload":{"order":"0042-1120-0017","line":1,"product":{"sku":"4000026150000","name":"Crème fraîche 30 %"},"quantity":2,"unit":"each","location":"D2-04"}}'
second='{"id":"0192f3c0-8f02-7d31-a4b5-c6d7e8f90a12","seq":2,"type":"temperature.checked","schema":1,"entity":{"type":"cabinet","id":"K-03"},"orderKey":"cabinet/K-03","occurredAt":"2026-11-20T10:16:12.400Z","payload":{"cabinet":"K-03","celsius":4.5,"limit":7.0,"ok":true}}'

auth=()
if [ -n "${HOLDFAST_TOKEN:-}" ]; then
  auth=(-H "Authorization: Bearer $HOLDFAST_TOKEN")
fi

echo "sending the batch"
curl -sS --fail-with-body -i "$url/v1/streams/$stream/batches" "${auth[@]}" \
  -H 'Content-Type: application/json' \
  -H "Correlation-Id: $correlation" \
  -H 'X-Store-Id: 0042' -H 'X-Device-Id: ipad-0042-curl' -H 'X-User-Id: a0042011' \
  --data-binary "{\"transactions\":[$first,$second]}"

echo
echo "asking for the stream"
curl -sS --fail-with-body "$url/v1/streams/$stream" "${auth[@]}" -H 'X-Store-Id: 0042' -H 'X-Device-Id: ipad-0042-curl'

echo
echo "reading transaction 1 back"
curl -sS --fail-with-body "$url/v1/streams/$stream/transactions/1" "${auth[@]}" -H 'X-Store-Id: 0042' -H 'X-Device-Id: ipad-0042-curl'

# d(0) is 32 zero bytes, d(n) = SHA-256(d(n-1) followed by SHA-256(transaction n)).
digest=$(printf '%064d' 0)
for transaction in "$first" "$second"; do
  content=$(printf '%s' "$transaction" | sha256sum | cut -d' ' -f1)
  digest=$(printf '%b' "$(printf '%s' "$digest$content" | sed 's/../\\x&/g')" | sha256sum | cut -d' ' -f1)
done
echo
echo "the digest computed here: $digest"
