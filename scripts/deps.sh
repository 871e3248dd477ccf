#!/usr/bin/env bash
# Installs the servers that the tests start for themselves. Does nothing when they are there.
set -euo pipefail

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  missing+=(postgresql)
fi
command -v curl >/dev/null || missing+=(curl)
command -v java >/dev/null || missing+=(default-jre-headless) # runs WireMock
[ -x /usr/sbin/sshd ] || command -v sshd >/dev/null || missing+=(openssh-server)
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "Missing: ${missing[*]}. Install them (apt-get install ${missing[*]}) and try again." >&2
    exit 1
  }
  as_root=(sudo)
fi
echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
