#!/usr/bin/env bash
# Takes what changed (images, compose files, .env) into the workshop that runs in Docker, service by service; jobs survive.
# usage: scripts/update.sh [--no-build] [--all] [SERVICE…]
#   --no-build   the images as they are
#   --all        also services that did not change
#   SERVICE…     only these
# Each service is stopped, taken away and made anew, and the next one waits until it is healthy. Redis is away for seconds, the
# queue-manager too: tabs come back by themselves, waiting jobs wait, and a running job goes on at its worker. A worker ends
# what it runs (up to ATELIER_DRAIN_SECONDS) or gives it back. scripts/backup.sh before it is a good habit.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/docker.sh
. scripts/usage.sh

build=yes all='' wanted=()
while [ $# -gt 0 ]; do
    case "$1" in
        --no-build) build= ;;
        --all) all=yes ;;
        -h | --help) usage 0 ;;
        -*) usage 2 "$1 is no option of this script." ;;
        *) wanted+=("$1") ;;
    esac
    shift
done
have_docker
if ! docker_runs; then
    echo "Nothing of this folder runs in Docker. scripts/start.sh --docker starts it, with what is new." >&2
    exit 1
fi
mapfile -t known < <(services)
# is_known SERVICE: not by a pipe, whose writer fails when its reader has seen enough, so that what is known would be taken away.
is_known() {
    local one
    for one in "${known[@]}"; do
        [ "$one" != "$1" ] || return 0
    done
    return 1
}
for service in "${wanted[@]+"${wanted[@]}"}"; do
    if ! is_known "$service"; then
        echo "There is no service $service; there are ${known[*]}." >&2
        exit 2
    fi
done
if [ ${#wanted[@]} -eq 0 ]; then wanted=("${known[@]}"); fi
redis_fits
need_root
need_extra_images
make_data
give_data
if [ -n "$build" ]; then scripts/build-images.sh; fi

renewed=() new=()
for service in "${wanted[@]}"; do
    if [ -z "$(container "$service")" ]; then
        new+=("$service")
        continue
    fi
    if [ -z "$all" ] && is_current "$service"; then continue; fi
    began=$SECONDS
    echo "Renewing $service …"
    replace "$service"
    wait_healthy 300 "$service"
    echo "$service is healthy again, $((SECONDS - began)) s"
    renewed+=("$service")
done
if [ ${#new[@]} -gt 0 ]; then
    echo "Starting what is new: ${new[*]} …"
    "${compose[@]}" up -d --no-recreate "${new[@]}"
    wait_healthy 600 "${new[@]}"
    renewed+=("${new[@]}")
fi
# Seats of people who are not there any more, and a profile that was left.
while read -r id service; do
    if ! is_known "$service"; then
        echo "Taking away $service, which is in no compose file any more …"
        docker rm -f "$id" >/dev/null
    fi
done < <(docker ps -a --filter "label=com.docker.compose.project=$(in_env COMPOSE_PROJECT_NAME)" --format '{{.ID}} {{.Label "com.docker.compose.service"}}')
if [ ${#renewed[@]} -eq 0 ]; then echo "Everything is as it should be; nothing was renewed."; else echo "Renewed: ${renewed[*]}."; fi
