#!/usr/bin/env bash
# The evening of a day that has a tomorrow: lets running jobs end, takes no new ones, backs up. Then the GPUs may go.
# usage: scripts/end-day.sh [--wait MINUTES] [--now] [PLACE]
#        scripts/end-day.sh --undo
#   PLACE            where scripts/backup.sh puts a backup; none is made without it
#   --wait MINUTES   how long running jobs may take to end; 30 when not given
#   --now            do not wait: what runs goes back to the line and runs tomorrow, when its worker stops
#   --only-drain     stop there: no backup, and no word about tomorrow
#   --undo           the next morning, when GPUs are there again: workers take jobs again
# Jobs that wait stay in line over night; people can go on submitting. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh
. scripts/places.sh

place='' minutes=30 undo='' only_drain=
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage 0 ;;
        --now) minutes=0 ;;
        --only-drain) only_drain=yes ;;
        --undo) undo=yes ;;
        --wait)
            minutes=${2:-}
            [[ $minutes =~ ^[0-9]{1,4}$ ]] || usage 2 "--wait needs a number of minutes, not '$minutes'."
            shift
            ;;
        -*) usage 2 "$1 is no option of this script." ;;
        *)
            [ -z "$place" ] || usage 2 "One place at a time: $place or $1."
            place=$1
            ;;
    esac
    shift
done
need jq curl
if [ -n "$place" ]; then kind_of "$place" >/dev/null; fi
need_workshop
workers() { api GET /workers | jq -r ".workers[] | select($1).name"; }
if [ -n "$undo" ]; then
    mapfile -t draining < <(workers .draining)
    for name in "${draining[@]+"${draining[@]}"}"; do api POST "/workers/$name/resume" >/dev/null; done
    echo "${#draining[@]} workers take jobs again."
    exit
fi

echo "[1/3] No worker takes another job"
mapfile -t taking < <(workers '.draining | not')
for name in "${taking[@]+"${taking[@]}"}"; do api POST "/workers/$name/drain" >/dev/null; done

echo "[2/3] Waiting for what runs"
said=
for ((second = 0; ; second += 5)); do
    busy=$(workers '.active and .job != null' | xargs)
    if [ -z "$busy" ] || [ "$second" -ge $((minutes * 60)) ]; then break; fi
    if [ "$busy" != "$said" ] || [ $((second % 60)) -eq 0 ]; then echo "  still running, after $((second / 60)) min: $busy"; fi
    said=$busy
    sleep 5
done
if [ -n "$busy" ] && [ "$minutes" -gt 0 ]; then
    refuse "$busy did not end within $minutes min. Run this again to wait on, with --now to let it run again tomorrow, or stop the job on the dashboard."
fi

if [ -n "$only_drain" ]; then exit; fi
if [ -n "$place" ]; then
    echo "[3/3] Backup"
    scripts/backup.sh "$place"
else
    echo "[3/3] No backup: no PLACE was given"
fi
echo
echo "The GPUs may go: stop the workers there (join-worker.sh --stop), or give the boxes back."
if [ -n "$busy" ]; then echo "$busy: the job that runs goes back to the front of its line and runs again tomorrow."; fi
api GET /queue | jq -r '"\(.pending_jobs // .pending // 0) jobs wait until tomorrow. Leave the server on, or use scripts/stop.sh: everything is kept."'
echo "Tomorrow, when GPUs are there again: scripts/end-day.sh --undo"
