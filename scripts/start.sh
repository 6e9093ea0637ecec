#!/usr/bin/env bash
# Starts a whole workshop on this machine: queue-manager with its own Redis, worker, dashboard, nginx in front.
# usage: scripts/start.sh [--participants N]
#   COMFYUI_URL=http://127.0.0.1:8188   use a real ComfyUI instead of the simulated one
#   ATELIER_PORT=8080 ATELIER_ADMIN_PORT=8081   where nginx listens
# Safe to run again: what runs goes on, accounts and passwords stay. scripts/stop.sh stops it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/processes.sh

participants=4
while [ $# -gt 0 ]; do
    case "$1" in
        --participants)
            participants=${2:?--participants needs a number}
            shift 2
            ;;
        *)
            sed -n '2,6s/^# \{0,1\}//p' "$0"
            exit 2
            ;;
    esac
done
case "$participants" in
    '' | *[!0-9]* | 0)
        echo "--participants needs a number of at least 1, not '$participants'" >&2
        exit 2
        ;;
esac

case "${ATELIER_LISTEN:-127.0.0.1}" in
    127.* | ::1 | localhost) ;;
    *)
        echo "ATELIER_LISTEN=$ATELIER_LISTEN would serve sign-ins in plain HTTP to the network. This start is for one machine;" >&2
        echo "put TLS in front (docs/decisions/0006-https-on-a-venue-network.md) and leave ATELIER_LISTEN on loopback." >&2
        exit 1
        ;;
esac
port=${ATELIER_PORT:-8080}
admin_port=${ATELIER_ADMIN_PORT:-8081}
export ATELIER_BIND=${ATELIER_BIND:-127.0.0.1:3000}
export ATELIER_WORKER_BIND=${ATELIER_WORKER_BIND:-127.0.0.1:3443}
export ATELIER_ADMIN_BIND=${ATELIER_ADMIN_BIND:-127.0.0.1:3001}
simulated_port=${ATELIER_SIMULATED_PORT:-8188}
comfyui_url=${COMFYUI_URL:-}
host=http://localhost:$port

step() { echo "[$1/6] $2"; }

mkdir -p data/run data/log
exec 9>data/run/start.lock
if ! flock -n 9; then
    echo "Another start is under way in this folder." >&2
    exit 1
fi

step 1 "Looking for what is needed"
have_cargo
have_packages redis-server=redis-server nginx=nginx-light curl=curl jq=jq c++=build-essential setsid=util-linux
if ! scripts/fetch-frontend.sh; then
    echo "ComfyUI's frontend could not be fetched: seats will be the plain page. Run this again to try once more." >&2
fi

step 2 "Building (some minutes the first time)"
if [ "${ATELIER_PROFILE:-release}" = release ]; then
    cargo build --locked --release --bins
    bin=${CARGO_TARGET_DIR:-target}/release
else
    cargo build --locked --bins
    bin=${CARGO_TARGET_DIR:-target}/debug
fi

step 3 "Starting the queue-manager with its own Redis"
start_process queue-manager "$bin/queue-manager" serve
wait_for 60 queue-manager curl -fsS "http://$ATELIER_BIND/healthz"

step 4 "Making accounts"
umask 077
# A store that was emptied knows nobody: the old sign-ins are worth nothing.
if [ "$("$bin/queue-manager" user list)" = "[]" ]; then rm -f data/accounts.json data/gpu-1.token; fi
names() { for ((n = 1; n <= participants; n++)); do printf 'user%03d ' "$n"; done; }
wanted=$(names)
if [ ! -f data/accounts.json ]; then
    instructor=$("$bin/queue-manager" user add --role instructor instructor)
    # shellcheck disable=SC2086
    people=$("$bin/queue-manager" user add $wanted)
    jq -n --argjson i "$instructor" --argjson p "$people" '{instructor: $i[0], participants: $p}' >data/accounts.json
fi
for name in $wanted; do
    if ! jq -e --arg n "$name" '.participants[] | select(.name == $n)' data/accounts.json >/dev/null; then
        made=$("$bin/queue-manager" user add "$name")
        jq --argjson p "$made" '.participants += $p' data/accounts.json >data/accounts.new
        mv data/accounts.new data/accounts.json
    fi
done
if [ ! -s data/gpu-1.token ]; then
    "$bin/queue-manager" token issue gpu-1 >data/gpu-1.token.new
    mv data/gpu-1.token.new data/gpu-1.token
fi
jq --arg host "$host" --arg admin "http://localhost:$admin_port" \
    '{urls: {health: ($host + "/health"), api: ($host + "/api"), admin: $admin, seats: $host}} + .' \
    data/accounts.json >data/sign-ins.json
umask 022

step 5 "Starting the worker, the dashboard and nginx"
wanted_comfyui=${comfyui_url:-simulated}
if [ "$(cat data/run/comfyui 2>/dev/null)" != "$wanted_comfyui" ]; then
    # Another ComfyUI than the last time: the worker gives its job back and starts anew.
    stop_process worker 15
    stop_process simulated-comfyui 15
    echo "$wanted_comfyui" >data/run/comfyui
fi
if [ -z "$comfyui_url" ]; then
    start_process simulated-comfyui "$bin/simulated-comfyui" --port "$simulated_port" --folder data/simulated-comfyui
    comfyui_url=http://127.0.0.1:$simulated_port
    wait_for 20 simulated-comfyui curl -fsS "$comfyui_url/system_stats"
elif ! curl -fsS --max-time 5 "$comfyui_url/system_stats" >/dev/null; then
    echo "No ComfyUI answers at COMFYUI_URL=$comfyui_url. Start it, or leave COMFYUI_URL out for the simulated one." >&2
    exit 1
fi
ATELIER_QUEUE_MANAGER=http://$ATELIER_WORKER_BIND ATELIER_COMFYUI_URL=$comfyui_url \
    ATELIER_WORKER_TOKEN_FILE=data/gpu-1.token start_process worker "$bin/worker"
ATELIER_API=http://$ATELIER_BIND start_process admin "$bin/admin"
wait_for 20 admin curl -fsS "http://$ATELIER_ADMIN_BIND/healthz"
scripts/render-nginx.sh data/nginx
if is_running nginx; then kill -HUP "$(cat data/run/nginx.pid)"; fi
start_process nginx nginx -c "$PWD/data/nginx/nginx.conf" -e "$PWD/data/nginx/error.log" -g 'daemon off;'

step 6 "Waiting until everything answers"
wait_for 20 nginx curl -fsS "$host/healthz"
worker_is_here() { curl -fsS "$host/health" | jq -e '.status == "ok"'; }
wait_for 60 worker worker_is_here

echo
if [ -z "${COMFYUI_URL:-}" ]; then
    echo "Running with the SIMULATED ComfyUI: pictures are patterns. COMFYUI_URL=… uses a real one."
fi
jq -r '"Seats      " + .urls.seats + "/   (sign in, then your own ComfyUI)",
       "Dashboard  " + .urls.admin + "/",
       "API        " + .urls.api + "/v1",
       "Health     " + .urls.health, "",
       "Sign-ins (also in data/sign-ins.json):",
       (([.instructor] + .participants)[] | "  " + .name + "   " + .password)' data/sign-ins.json
echo
echo "scripts/status.sh says how it is, scripts/stop.sh stops it."
