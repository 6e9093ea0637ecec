#!/usr/bin/env bash
# Acts as a room full of people on the workshop that runs, and says whether it is ready. Exit status 0 only when it is.
# usage: scripts/rehearse.sh [--people N] [--jobs N] [OPTION…]
#   --people N   participants, the first N of data/sign-ins.json; all of them when not given
#   --jobs N     jobs of each; 5 when not given
# Further options are rehearse's own: cargo run --release -p testkit --bin rehearse -- --help
# It builds once (some minutes), for which it needs Rust, also where the workshop runs in Docker; with ATELIER_PROGRAMS=FOLDER it
# takes the program rehearse from there. It leaves its jobs in the history of those people, and stops nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh
. scripts/programs.sh

people=
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        --people*) people=given ;;
    esac
done
need jq curl
[ -n "${ATELIER_PROGRAMS:-}" ] || have_cargo
need_workshop
sign_ins=$(sign_in_file)
arguments=()
if [ -z "$people" ]; then arguments+=(--people "$(jq '.participants | length' "$sign_ins")"); fi
# Past nginx: rehearse speaks plain HTTP only, and nginx is seen to by scripts/status.sh.
case "$workshop" in
    native)
        arguments+=(--data data --url "http://$(its_setting ATELIER_BIND 127.0.0.1:3000)"
            --link "http://$(its_setting ATELIER_WORKER_BIND 127.0.0.1:3443)")
        ;;
    docker)
        address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$(container queue-manager)" | xargs)
        arguments+=(--accounts "$sign_ins" --url "http://${address%% *}:3000")
        ;;
esac
echo "Building what rehearses (some minutes the first time) …"
build_programs --quiet -p testkit --bin rehearse
echo "Rehearsing with the workers that are connected …"
exec "$bin/rehearse" "${arguments[@]}" "$@"
