#!/usr/bin/env bash
# Lists the accounts of the workshop that runs: name, role, label, seat, and whether they are here, away or removed.
# usage: scripts/list-users.sh [--json]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh

json=
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        --json) json=yes ;;
        *) usage 2 "$argument is no option of this script." ;;
    esac
done
need jq curl
need_workshop
accounts=$(api GET /accounts)
if [ -n "$json" ]; then
    jq .accounts <<<"$accounts"
else
    jq -r '.accounts | sort_by(.role, .name)[] | [.name, .role, (.label // ""), (.seat // "" | if . == "" then "" else "seat \(.)" end),
        (if .disabled then "removed" else "" end)] | @tsv' <<<"$accounts" |
        while IFS=$'\t' read -r name role rest; do printf '%-20s %-12s %s\n' "$name" "$role" "${rest//$'\t'/  }"; done
fi
