#!/usr/bin/env bash
# Signs people out of the workshop that runs, for good: no sign-in any more, open tabs close, what waits or runs is cancelled.
# usage: scripts/remove-user.sh NAME…
# Their ended jobs and files stay, so scripts/collect-outputs.sh still finds them; scripts/add-user.sh NAME brings them back.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh

names=()
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        -*) usage 2 "$argument is no option of this script." ;;
        *)
            plain_name "$argument"
            names+=("$argument")
            ;;
    esac
done
if [ ${#names[@]} -eq 0 ]; then usage 2 "Say who."; fi
need jq curl
need_workshop
lock_accounts
if [[ " ${names[*]} " == *" $(jq -r .instructor.name "$(sign_in_file)") "* ]]; then
    refuse "These scripts sign in as $(jq -r .instructor.name data/sign-ins.json): removing that account would lock you out."
fi
queue_manager user disable --json "${names[@]}" >/dev/null
for name in "${names[@]}"; do
    cancelled=0
    for state in pending running; do
        for id in $(api GET "/jobs?participant=$name&state=$state&limit=1000" | jq -r '.jobs[].id'); do
            api DELETE "/jobs/$id" >/dev/null && cancelled=$((cancelled + 1))
        done
    done
    echo "$name is signed out and cannot sign in any more; $cancelled jobs cancelled."
done
umask 077
for file in data/accounts.json data/sign-ins.json; do
    [ -f "$file" ] || continue
    # shellcheck disable=SC2016
    gone='.name as $n | $gone | index($n)'
    case "$file" in
        # Known as removed, or the next start would make the account anew.
        *accounts.json) change=".participants |= map(if $gone then {name, removed: true} else . end)" ;;
        *) change=".participants |= map(select($gone | not))" ;;
    esac
    jq --argjson gone "$(jq -n '$ARGS.positional' --args "${names[@]}")" "$change" "$file" >"$file.new"
    mv "$file.new" "$file"
done
