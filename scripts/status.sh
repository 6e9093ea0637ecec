#!/usr/bin/env bash
# Says what runs and whether it is well. Exit status 0 only when everything is.
# usage: scripts/status.sh
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
well=0
if docker_runs; then
    have_docker
    echo "In Docker (project $(in_env COMPOSE_PROJECT_NAME)):"
    while read -r service; do
        now=$(condition "$service")
        echo "$service: $now"
        [ "$now" = healthy ] || well=1
    done < <(services)
else
    workers=$(numbered worker)
    for name in queue-manager $workers admin nginx; do
        if is_running "$name"; then
            echo "$name: running (pid $(cat "$run_folder/$name.pid"), log $log_folder/$name.log)"
        else
            echo "$name: not running"
            well=1
        fi
    done
    for name in $(numbered simulated-comfyui); do
        if is_running "$name"; then echo "$name: running, so pictures are patterns"; fi
    done
fi
if [ -f data/sign-ins.json ] && health=$(curl -sSk --max-time 5 --connect-to "$(cat data/run/connect-to)" "$(jq -r .urls.health data/sign-ins.json)" 2>/dev/null); then
    jq -r '"health: " + .status, (.checks | to_entries[] | "  " + .key + ": " + .value),
        (if .queue_depth == null then empty else
        "jobs: \(.pending_jobs) waiting, \(.running_jobs) running, \(.completed_jobs) done, \(.failed_jobs) failed; workers: \(.active_workers) of \(.total_workers)" end)' \
        <<<"$health" || well=1
    [ "$(jq -r .status <<<"$health")" = ok ] || well=1
else
    echo "health: no answer"
    well=1
fi
exit $well
