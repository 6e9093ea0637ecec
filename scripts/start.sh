#!/usr/bin/env bash
# Starts a whole workshop on this machine: queue-manager with its own Redis, workers, dashboard, nginx in front.
# usage: scripts/start.sh [--participants N] [--workers N]
#        scripts/start.sh --docker [--participants N]     in containers, after scripts/setup.sh; the rest is for without
#   ATELIER_NUM_USERS=4                   how many accounts user001, user002, … there should be; also NUM_USERS
#   ATELIER_NUM_WORKERS=1                 how many workers, each with a ComfyUI of its own; 0 when all are on other machines; also NUM_WORKERS
#   ATELIER_INFERENCE_PROVIDER=simulated  "simulated" needs no GPU, "comfyui" is a real one, as is one with an URL; also INFERENCE_PROVIDER
#   ATELIER_COMFYUI_URL=                  the real ComfyUI, http://127.0.0.1:8188; one per worker, commas between; also COMFYUI_URL
#   ATELIER_LISTEN=127.0.0.1              where nginx listens; on a network only with TLS
#   ATELIER_PORT=8080                     nginx's port for seats and API; 8443 with TLS
#   ATELIER_ADMIN_PORT=8081               nginx's port for the dashboard
#   ATELIER_TLS_CERTIFICATE=, ATELIER_TLS_KEY=, ATELIER_SERVER_NAME=, ATELIER_ADMIN_NAME=, ATELIER_HTTP_PORT=
#                                         serve https: see scripts/render-nginx.sh --help
#   ATELIER_PROFILE=release               what cargo builds; any other word means debug
#   ATELIER_PROGRAMS=                     a folder with programs that are built already; then nothing is built
#   CARGO_TARGET_DIR=target               where cargo builds, and where the programs are started from
# Safe to run again: what runs goes on, accounts and passwords stay. scripts/stop.sh stops it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/processes.sh
. scripts/programs.sh
. scripts/accounts.sh
. scripts/docker.sh
. scripts/usage.sh

if [ "${1:-}" = --docker ]; then
    shift
    exec scripts/start-docker.sh "$@"
fi
if is_for_docker; then
    echo "This folder's workshop is set up for Docker (COMPOSE_PROJECT_NAME in .env), and what is in data/ is the containers'." >&2
    echo "scripts/start.sh --docker starts it." >&2
    exit 1
fi

refuse() {
    echo "$1" >&2
    exit "${2:-2}"
}

participants=${ATELIER_NUM_USERS:-${NUM_USERS:-4}}
workers=${ATELIER_NUM_WORKERS:-${NUM_WORKERS:-}}
while [ $# -gt 0 ]; do
    case "$1" in
        --participants)
            need_value "$@"
            participants=$2
            shift
            ;;
        --workers)
            need_value "$@"
            workers=$2
            shift
            ;;
        -h | --help) usage 0 ;;
        *) usage 2 "$1 is no option of this script." ;;
    esac
    shift
done
for number in "$participants" "${workers:-1}"; do
    case "$number" in
        '' | *[!0-9]* | 0?* | ????*) refuse "Participants and workers are numbers up to 999, not '$number'." ;;
    esac
done
if [ "$participants" = 0 ]; then refuse "Participants are a number from 1 to 999, not '0'."; fi

comfyui_url=${ATELIER_COMFYUI_URL:-${COMFYUI_URL:-}}
provider=${ATELIER_INFERENCE_PROVIDER:-${INFERENCE_PROVIDER:-}}
case "$provider" in
    '') if [ -n "$comfyui_url" ]; then provider=comfyui; else provider=simulated; fi ;;
    simulated)
        if [ -n "$comfyui_url" ]; then
            refuse "INFERENCE_PROVIDER=simulated would leave COMFYUI_URL=$comfyui_url unused. Set only one of them."
        fi
        ;;
    comfyui) comfyui_url=${comfyui_url:-http://127.0.0.1:8188} ;;
    *) refuse "INFERENCE_PROVIDER=$provider is not supported: 'simulated' needs no GPU, 'comfyui' is a ComfyUI that you started (COMFYUI_URL)." ;;
esac
read -ra comfyuis <<<"${comfyui_url//,/ }"
if [ "$provider" = comfyui ]; then
    workers=${workers:-${#comfyuis[@]}}
    if [ "$workers" -ne "${#comfyuis[@]}" ]; then
        refuse "$workers workers need as many ComfyUIs, one each, and COMFYUI_URL names ${#comfyuis[@]}."
    fi
fi
workers=${workers:-1}

scheme=http
if [ -n "${ATELIER_TLS_CERTIFICATE:-}${ATELIER_TLS_KEY:-}" ]; then
    scheme=https
    export ATELIER_HTTPS=true
fi
case "${ATELIER_LISTEN:-127.0.0.1}" in
    127.* | ::1 | localhost) ;;
    *)
        if [ $scheme = http ]; then
            echo "ATELIER_LISTEN=$ATELIER_LISTEN would serve sign-ins in plain HTTP to the network. Give a certificate as well" >&2
            echo "(ATELIER_TLS_CERTIFICATE and ATELIER_TLS_KEY; scripts/make-certificate.sh makes one), or leave it on loopback." >&2
            exit 1
        fi
        ;;
esac
port=${ATELIER_PORT:-$([ $scheme = https ] && echo 8443 || echo 8080)}
admin_port=${ATELIER_ADMIN_PORT:-$([ -n "${ATELIER_ADMIN_NAME:-}" ] && echo "$port" || echo 8081)}
export ATELIER_PORT=$port ATELIER_ADMIN_PORT=$admin_port
read -r name _ <<<"${ATELIER_SERVER_NAME:-localhost}"
host=$scheme://$name:$port
admin_host=$scheme://${ATELIER_ADMIN_NAME:-$name}:$admin_port
export ATELIER_SEATS_URL=${ATELIER_SEATS_URL:-$host}
# Only we must reach it at its name already; what its certificate is worth to browsers is checked when nginx starts.
ask() { curl -fsSk --connect-to "::${ATELIER_LISTEN:-127.0.0.1}:$port" "$@"; }
# What a first visit opens runs on every worker; ComfyUI's own default names models that few have.
export ATELIER_DEFAULT_WORKFLOW=${ATELIER_DEFAULT_WORKFLOW-black-and-white.json}
export ATELIER_BIND=${ATELIER_BIND:-127.0.0.1:3000}
export ATELIER_WORKER_BIND=${ATELIER_WORKER_BIND:-127.0.0.1:3443}
export ATELIER_ADMIN_BIND=${ATELIER_ADMIN_BIND:-127.0.0.1:3001}
simulated_port=${ATELIER_SIMULATED_PORT:-8188}

step() { echo "[$1/6] $2"; }

mkdir -p data/run data/log
exec 9>data/run/start.lock
if ! flock -n 9; then
    echo "Another start is under way in this folder." >&2
    exit 1
fi

step 1 "Looking for what is needed"
have_cargo
if [ $scheme = https ]; then have_packages openssl=openssl; fi
have_packages redis-server=redis-server nginx=nginx-light curl=curl jq=jq c++=build-essential setsid=util-linux
version=$(redis-server --version | sed -n 's/.*v=\([0-9]*\).*/\1/p')
if [ -n "$version" ] && [ "$version" -lt 7 ]; then
    refuse "redis-server is version $version here, and 7.0 or newer is needed. Debian 12 and Ubuntu 24.04 have one; else scripts/start.sh --docker brings its own." 1
fi
if ! scripts/fetch-frontend.sh; then
    echo "ComfyUI's frontend could not be fetched: seats will be the plain page. Run this again to try once more." >&2
fi

step 2 "Building (some minutes the first time)"
build_programs --workspace --exclude testkit --bins

step 3 "Starting the queue-manager with its own Redis"
start_process queue-manager "$bin/queue-manager" serve
wait_for 60 queue-manager curl -fsS "http://$ATELIER_BIND/healthz"

step 4 "Making accounts"
umask 077
manage() { "$bin/queue-manager" "$@"; }
if [ "$(manage user list --json)" = "[]" ]; then rm -f data/gpu-*.token; fi
make_accounts "$participants"
for ((n = 1; n <= workers; n++)); do
    if [ ! -s "data/gpu-$n.token" ]; then
        manage token issue "gpu-$n" >"data/gpu-$n.token.new" 2>/dev/null
        mv "data/gpu-$n.token.new" "data/gpu-$n.token"
    fi
done
write_sign_ins "$host" "$admin_host"
umask 022

step 5 "Starting the workers, the dashboard and nginx"
for ((n = 1; n <= workers; n++)); do
    comfyui_folder=${ATELIER_COMFYUI_FOLDER:-}
    wanted_comfyui=${comfyuis[n - 1]:-simulated}
    if [ "$(cat "data/run/comfyui-$n" 2>/dev/null)" != "$wanted_comfyui" ]; then
        # Another ComfyUI than the last time: the worker gives its job back and starts anew.
        stop_process "worker-$n" 15 INT
        stop_process "simulated-comfyui-$n" 15
        echo "$wanted_comfyui" >"data/run/comfyui-$n"
    fi
    if [ "$provider" = simulated ]; then
        at=$((simulated_port + n - 1))
        start_process "simulated-comfyui-$n" "$bin/simulated-comfyui" --port "$at" --folder "data/simulated-comfyui/gpu-$n"
        wanted_comfyui=http://127.0.0.1:$at comfyui_folder=data/simulated-comfyui/gpu-$n
        wait_for 20 "simulated-comfyui-$n" curl -fsS "$wanted_comfyui/system_stats"
    elif ! curl -fsS --max-time 5 "$wanted_comfyui/system_stats" >/dev/null; then
        echo "No ComfyUI answers at COMFYUI_URL=$wanted_comfyui. Start it, or leave COMFYUI_URL out for the simulated one." >&2
        exit 1
    fi
    ATELIER_QUEUE_MANAGER=http://$ATELIER_WORKER_BIND ATELIER_COMFYUI_URL=$wanted_comfyui ATELIER_COMFYUI_FOLDER=$comfyui_folder \
        ATELIER_INFERENCE_PROVIDER=$provider ATELIER_WORKER_TOKEN_FILE=data/gpu-$n.token \
        start_process "worker-$n" "$bin/worker"
done
ATELIER_API=http://$ATELIER_BIND start_process admin "$bin/admin"
wait_for 20 admin curl -fsS "http://$ATELIER_ADMIN_BIND/healthz"
scripts/render-nginx.sh data/nginx
echo "::${ATELIER_LISTEN:-127.0.0.1}:$port" >data/run/connect-to
if is_running nginx; then kill -HUP "$(cat data/run/nginx.pid)"; fi
start_process nginx nginx -c "$PWD/data/nginx/nginx.conf" -e "$PWD/data/nginx/error.log" -g 'daemon off;'

step 6 "Waiting until everything answers"
wait_for 20 nginx ask "$host/healthz"
workers_are_here() { ask "$host/health" | jq -e --argjson n "$workers" '(.status == "ok" or $n == 0) and .active_workers >= $n'; }
wait_for 60 "$([ "$workers" -gt 0 ] && echo worker-1 || echo queue-manager)" workers_are_here

echo
if [ "$workers" -eq 0 ]; then
    echo "Running without a worker of its own: jobs wait until one joins. scripts/join-token.sh NAME says how."
elif [ "$provider" = simulated ]; then
    echo "Running with the SIMULATED ComfyUI: pictures are patterns. COMFYUI_URL=… uses a real one."
fi
show_sign_ins
echo
echo "scripts/status.sh says how it is, scripts/stop.sh stops it."
