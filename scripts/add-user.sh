#!/usr/bin/env bash
# Adds participants to the workshop that runs, and prints their passwords.
# usage: scripts/add-user.sh [--instructor] NAME…
#   NAME           1 to 32 of a-z 0-9 - _; the next free user001, user002 … when none is given
#   --instructor   may steer the room; their password is printed only, and in no file
# Who is there already keeps their password; who was removed can sign in again, with a new one and the role that is asked for.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh

role=participant names=()
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        --instructor) role=instructor ;;
        -*) usage 2 "$argument is no option of this script." ;;
        *)
            plain_name "$argument"
            names+=("$argument")
            ;;
    esac
done
need jq curl
need_workshop
lock_accounts
known=$(queue_manager user list --json)
if [ ${#names[@]} -eq 0 ]; then
    for ((n = 1; ; n++)); do
        printf -v name 'user%03d' "$n"
        jq -e --arg n "$name" 'all(.[]; .name != $n)' <<<"$known" >/dev/null && break
    done
    names=("$name")
fi
is() { jq -e --arg n "$1" "any(.[]; .name == \$n and $2)" <<<"$known" >/dev/null; }
new=() back=()
for name in "${names[@]}"; do
    if is "$name" .disabled; then
        back+=("$name")
    elif is "$name" true; then
        if is "$name" ".role == \"$role\""; then
            echo "$name is there already; scripts/reset-passwords.sh $name gives a new password."
        else
            echo "$name is there already, and no $role. The dashboard's page of $name changes that."
        fi
    else
        new+=("$name")
    fi
done
if [ ${#new[@]} -gt 0 ]; then
    made=$(queue_manager user add --role "$role" --json "${new[@]}")
    tell "$made"
fi
if [ ${#back[@]} -gt 0 ]; then
    made=$(queue_manager user password --json "${back[@]}")
    for name in "${back[@]}"; do
        if ! is "$name" ".role == \"$role\""; then queue_manager user role --json "$name" "$role" >/dev/null; fi
    done
    queue_manager user enable --json "${back[@]}" >/dev/null
    tell "$made"
fi
