#!/usr/bin/env bash
# The end of a workshop: report, everybody's files, no token opens anything any more, backup. Asks before it begins.
# usage: scripts/end-workshop.sh [--yes] [--wait MINUTES] FOLDER [PLACE]
#   FOLDER           gets report.json, people.csv, jobs.json, audit.json and outputs/NAME.zip
#   PLACE            where scripts/backup.sh puts the backup; FOLDER when not given
#   --wait MINUTES   how long running jobs may take to end; 30 when not given
#   --yes            do not ask
# People can still sign in and fetch their files until scripts/stop.sh. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh
. scripts/places.sh

folder='' place='' yes='' wait=(--wait 30)
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage 0 ;;
        --yes) yes=yes ;;
        --wait)
            [[ ${2:-} =~ ^[0-9]{1,4}$ ]] || usage 2 "--wait needs a number of minutes, not '${2:-}'."
            wait=(--wait "$2")
            shift
            ;;
        -*) usage 2 "$1 is no option of this script." ;;
        *)
            if [ -z "$folder" ]; then
                folder=$1
            elif [ -z "$place" ]; then
                place=$1
            else
                usage 2 "A folder and a place, and no $1 beside them."
            fi
            ;;
    esac
    shift
done
[ -n "$folder" ] || usage 2 "Say which folder gets the report."
place=${place:-$folder}
need jq curl zip
kind_of "$place" >/dev/null
need_workshop
sign_in_file >/dev/null
if [ -z "$yes" ]; then
    [ -t 0 ] || refuse "This ends the workshop: workers' tokens are revoked. Say --yes if nobody can be asked."
    read -r -p "End the workshop: workers take no more jobs, and their tokens are revoked. Go on? [y/N] " reply
    case "$reply" in y | Y | yes) ;; *) refuse "Nothing was changed." ;; esac
fi
umask 077
make_folder "$folder"

echo "== Letting running jobs end"
scripts/end-day.sh --only-drain "${wait[@]}"
echo "== Report"
api GET /report >"$folder/report.json"
jq -r '(.people[0] // {} | keys_unsorted) as $k | $k, (.people[] | [.[$k[]]]) | @csv' "$folder/report.json" >"$folder/people.csv"
pages() { # PATH LIST: all pages of a list
    local cursor='' answer
    while :; do
        answer=$(api GET "$1?limit=500${cursor:+&cursor=$cursor}")
        jq -c ".$2[]" <<<"$answer"
        cursor=$(jq -r '.cursor // empty' <<<"$answer")
        [ -n "$cursor" ] || break
    done | jq -s .
}
pages /jobs jobs >"$folder/jobs.json"
pages /audit entries >"$folder/audit.json"
jq -r '"\(length) jobs, in jobs.json"' "$folder/jobs.json"
echo "== Everybody's files"
if [ -d data/files/outputs ]; then scripts/collect-outputs.sh "$folder/outputs"; else echo "nothing was made"; fi
echo "== Tokens"
# Before the backup, so that none comes back with it.
queue_manager token revoke --all
# Emptied and not deleted: a container may hold the file. The next start issues others.
for file in data/gpu-*.token; do if [ -e "$file" ]; then : >"$file"; fi; done
echo "== Backup"
scripts/backup.sh "$place"
echo
echo "Ended. Give back the GPU boxes. scripts/stop.sh stops the server; data/README.md says what may be deleted, and when."
