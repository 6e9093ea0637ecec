#!/usr/bin/env bash
# Gives people new passwords, prints them, and ends their sessions: open tabs close.
# usage: scripts/reset-passwords.sh NAME…
#        scripts/reset-passwords.sh --all     every participant; the instructor only by name
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh

names=() all=
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        --all) all=yes ;;
        -*) usage 2 "$argument is no option of this script." ;;
        *)
            plain_name "$argument"
            names+=("$argument")
            ;;
    esac
done
if [ ${#names[@]} -eq 0 ] && [ -z "$all" ]; then usage 2 "Say who, or --all."; fi
need jq curl
need_workshop
lock_accounts
if [ -n "$all" ]; then
    mapfile -t names < <(queue_manager user list --json | jq -r '.[] | select(.role == "participant" and (.disabled | not)).name')
    [ ${#names[@]} -gt 0 ] || refuse "There are no participants. scripts/add-user.sh adds some."
fi
made=$(queue_manager user password --json "${names[@]}")
tell "$made"
echo "${#names[@]} new passwords, those of participants also in data/sign-ins.json. The old ones and the cards' passwords are worth nothing now."
