#!/bin/sh
# Sends a file to a gateway with nothing but curl: in one request, and as a resumable
# upload (tus 1.0) in two pieces. Reads it back and compares.
#
#   examples/curl/attachments.sh photo.jpg
#
# HOLDFAST_URL is the gateway's address (default http://127.0.0.1:8080), HOLDFAST_TOKEN a token if it asks for one.
set -eu

url=${HOLDFAST_URL:-http://127.0.0.1:8080}
file=$1
sum=$(sha256sum "$file" | cut -d' ' -f1)
size=$(($(wc -c <"$file")))
call() { curl -sS --fail-with-body ${HOLDFAST_TOKEN:+-H "Authorization: Bearer $HOLDFAST_TOKEN"} "$@"; }

echo "in one request:"
call -o /dev/null -w '%{http_code}\n' -T "$file" -H 'Content-Type: image/jpeg' "$url/v1/attachments/$sum"

echo "again, which sends nothing:"
call -o /dev/null -w '%{http_code}, %{size_upload} bytes sent\n' -T "$file" -H 'Expect: 100-continue' "$url/v1/attachments/$sum"

# Another file of the same size, so that there is something to send.
other=$(mktemp)
trap 'rm -f "$other" "$other.half" "$other.back"' EXIT
tr '\000-\377' '\001-\377\000' <"$file" >"$other"
sum=$(sha256sum "$other" | cut -d' ' -f1)
half=$((size / 2))

echo "resumable, begun:"
upload=$(call -i -X POST "$url/v1/attachments" -H 'Tus-Resumable: 1.0.0' -H "Upload-Length: $size" \
  -H "Upload-Metadata: sha256 $(printf %s "$sum" | base64 | tr -d "\n"),filetype $(printf image/jpeg | base64)" |
  tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
echo "$upload"

head -c "$half" "$other" >"$other.half"
call -o /dev/null -w '%{http_code}\n' -X PATCH "$url$upload" -H 'Tus-Resumable: 1.0.0' -H 'Upload-Offset: 0' \
  -H 'Content-Type: application/offset+octet-stream' --data-binary "@$other.half"

echo "the connection broke; how far did it come?"
offset=$(call -I "$url$upload" -H 'Tus-Resumable: 1.0.0' | tr -d '\r' | sed -n 's/^[Uu]pload-[Oo]ffset: //p')
echo "$offset of $size bytes"

tail -c "+$((offset + 1))" "$other" >"$other.half"
call -o /dev/null -D - -X PATCH "$url$upload" -H 'Tus-Resumable: 1.0.0' -H "Upload-Offset: $offset" \
  -H 'Content-Type: application/offset+octet-stream' --data-binary "@$other.half" | tr -d '\r' | grep -i '^repr-digest'

echo "read back:"
call -o "$other.back" "$url/v1/attachments/$sum"
cmp "$other" "$other.back" && echo "the same, $size bytes"
