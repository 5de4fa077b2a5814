#!/bin/sh
# Makes the secrets of compose.yaml that are missing; ChatKitty's own is read from standard input.
set -eu
umask 077
mkdir -p "${1:-$(dirname "$0")/secrets}"
cd "${1:-$(dirname "$0")/secrets}"

fresh() { head -c 32 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_'; }
keep() { [ -s "$1" ] || cat > "$1"; }

fresh | keep secret_key
fresh | tr -d '=' | keep s3_secret_access_key
fresh | tr -d '=' | keep .valkey_password
keep redis_url <<URL
redis://:$(cat .valkey_password)@valkey:6379/0
URL
keep valkey_acl <<ACL
user default on >$(cat .valkey_password) ~* &* +@all
ACL
keep s3_identities <<JSON
{"identities": [{"name": "gateway", "actions": ["Read:uploads", "Write:uploads", "List:uploads"],
  "credentials": [{"accessKey": "gateway", "secretKey": "$(cat s3_secret_access_key)"}]}]}
JSON
if [ ! -s upstream_client_secret ]; then
    echo "ChatKitty's client secret:" >&2
    IFS= read -r secret
    printf '%s\n' "$secret" | keep upstream_client_secret
fi
# Compose mounts each file as it is, for containers with users of their own; the directory keeps
# everybody else out.
chmod 700 . && chmod 444 -- *
