#!/usr/bin/env bash
# Makes a join token for a GPU box, good once and for a day, and prints the line to paste there.
# usage: scripts/join-token.sh NAME
#   NAME   what the worker is called: 1 to 32 of a-z 0-9 - _, such as gpu-1
# The address in the line is where the workshop that runs lets workers in: ATELIER_WORKER_BIND, in Docker ATELIER_LINK_ADDRESS.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh

case "${1:-}" in
    -h | --help) usage 0 ;;
    -*) usage 2 "$1 is no option of this script." ;;
    '') usage 2 "Say what the worker is called." ;;
esac
[ $# -eq 1 ] || usage 2 "One worker at a time: $1 or $2."
plain_name "$1"
need jq
need_workshop
if [ "$workshop" = native ]; then
    at=$(its_setting ATELIER_WORKER_BIND 127.0.0.1:3443) setting="ATELIER_WORKER_BIND at the start"
else
    at=$(in_env ATELIER_LINK_ADDRESS 127.0.0.1):$(in_env ATELIER_LINK_PORT 3443) setting="ATELIER_LINK_ADDRESS in .env"
fi
made=$(queue_manager token join --json "$1")
echo "On the GPU box of $1, beside its ComfyUI; good once, for a day, and shown this time only:"
echo "  curl -fsS http://$at/join.sh | bash -s -- http://$at $(jq -r .join_token <<<"$made")"
case "$at" in
    127.* | localhost:*) echo "Only this machine itself reaches $at. For others, $setting is this machine's address in Tailscale (docs/deploy.md)." >&2 ;;
esac
