#!/usr/bin/env bash
# Asks every route of the API that OpenAPI describes with requests that schemathesis makes from it, right ones and wrong ones,
# in a workshop of its own: no server error, no status that is not documented, no answer of another shape.
# usage: scripts/contract.sh [EXAMPLES]
#   EXAMPLES   for each route and caller; 50 if nothing is said
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/usage.sh

case "${1:-}" in
    -h | --help) usage 0 ;;
    *[!0-9]*) usage 2 "EXAMPLES is a number, not '$1'." ;;
esac
examples=${1:-50}
have_cargo
have_packages redis-server=redis-server curl=curl jq=jq python3=python3-venv

folder=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap stop EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet schemathesis==4.32.5
cargo build --locked --quiet -p queue-manager
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
link=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export ATELIER_DATA=$folder/data ATELIER_BIND=127.0.0.1:$port ATELIER_WORKER_BIND=127.0.0.1:$link
target/debug/queue-manager serve >"$folder/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    ! curl -fsS "http://127.0.0.1:$port/readyz" >/dev/null 2>&1 || break
    sleep 0.1
done
api=http://127.0.0.1:$port/api/v1
for role in participant instructor; do
    name=$([ "$role" = participant ] && echo user001 || echo instructor)
    password=$(target/debug/queue-manager user add "$name" --role "$role" --json | jq -r '.[0].password')
    token=$(curl -fsS --json "{\"name\": \"$name\", \"password\": \"$password\"}" "$api/session" | jq -r .token)
    echo "== as $role"
    # Not its own session, whose end would make everything after it 401; not the two that never end.
    "$folder/venv/bin/schemathesis" run "$api/openapi.json" --url "http://127.0.0.1:$port" -H "Authorization: Bearer $token" \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
        --phases examples,coverage,fuzzing --mode all --max-examples "$examples" --rate-limit 40/s --request-timeout 10 \
        --exclude-path /api/v1/events --exclude-path /api/v1/feed --exclude-path-regex '/api/v1/(session|account/sessions/.*)$' \
        --continue-on-failure --no-color
done
if grep -i panicked "$folder/log"; then exit 1; fi
echo "contract.sh: every answer was as described"
