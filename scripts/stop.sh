#!/usr/bin/env bash
# Stops what scripts/start.sh started, here or in Docker. Jobs, accounts and files stay in data/.
# usage: scripts/stop.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/usage.sh

case "${1:-}" in
    '') ;;
    -h | --help) usage 0 ;;
    *) usage 2 "$1 is no option of this script." ;;
esac
if docker_runs; then
    have_docker
    mapfile -t all < <(services | tac)
    goes_on=()
    for service in "${all[@]}"; do
        if [ -n "$(container "$service")" ] && ! said=$("${compose[@]}" stop "$service" 2>&1); then
            echo "$service could not be stopped: $said" >&2
            goes_on+=("$service")
        fi
    done
    if [ ${#goes_on[@]} -gt 0 ]; then
        echo "Not stopped: ${goes_on[*]}. All else is." >&2
        exit 1
    fi
    echo "Stopped in Docker: the containers are there and keep their logs (docker compose down takes them away). Everything is kept in data/."
    exit 0
fi
# From the outside in: nobody new comes, the worker gives its job back, then the queue-manager and its Redis.
for name in nginx admin; do stop_process "$name" 15; done
# On SIGTERM they would let their jobs run on for a while.
for name in $(numbered worker); do stop_process "$name" 15 INT; done
for name in $(numbered simulated-comfyui); do stop_process "$name" 15; done
stop_process queue-manager 25
# A queue-manager that was killed leaves its Redis: that one is found by its own pid.
redis_pid=$(redis-cli -s data/redis/redis.sock info server 2>/dev/null | tr -d '\r' | sed -n 's/^process_id://p') || true
if [ -n "${redis_pid:-}" ]; then
    redis-cli -s data/redis/redis.sock shutdown >/dev/null 2>&1 || kill -TERM "$redis_pid"
    for ((tenth = 0; tenth < 100; tenth++)); do
        kill -0 "$redis_pid" 2>/dev/null || break
        sleep 0.1
    done
fi
echo "Stopped. Everything is kept in data/."
