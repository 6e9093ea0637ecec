#!/usr/bin/env bash
# Starts the workshop of docker-compose.yml; scripts/start.sh --docker comes here.
# usage: scripts/start.sh --docker [--participants N]
# Builds the images if there are none, starts everything in order, makes what accounts and worker's token are missing, waits
# until all is healthy, and says where it is. Needs root. Safe to run again: what runs goes on as it is (scripts/update.sh renews
# it), and what is stopped comes back with the images, compose files and .env of now.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/processes.sh
. scripts/docker.sh
. scripts/usage.sh
. scripts/accounts.sh

participants=$(in_env ATELIER_NUM_USERS 4)
while [ $# -gt 0 ]; do
    case "$1" in
        --participants)
            need_value "$@"
            participants=$2
            shift
            ;;
        -h | --help) usage 0 ;;
        *) usage 2 "$1 is no option of this script." ;;
    esac
    shift
done
case "$participants" in
    '' | *[!0-9]* | 0* | ????*) echo "Participants are a number from 1 to 999, not '$participants'." >&2 && exit 2 ;;
esac
if is_running queue-manager; then
    echo "This folder's workshop runs without Docker. scripts/stop.sh stops it, then run this again." >&2
    exit 1
fi
have_packages curl=curl jq=jq
have_docker
need_root
for file in .env data/secrets/redis-url data/secrets/redis-users data/tls/tls.crt; do
    if [ ! -s "$file" ] || ! is_for_docker; then
        echo "Nothing is prepared for Docker here, or not all of it ($file). Run scripts/setup.sh first." >&2
        exit 1
    fi
done
redis_fits
manage() { "${compose[@]}" exec -T queue-manager queue-manager "$@"; }
step() { echo "[$1/5] $2"; }

mkdir -p data/run
exec 9>data/run/start.lock
if ! flock -n 9; then
    echo "Another start is under way in this folder." >&2
    exit 1
fi

step 1 "Looking for images and ComfyUI's frontend"
need_extra_images
version=$(in_env ATELIER_VERSION local)
for image in atelier atelier-redis atelier-nginx; do
    if ! docker image inspect "$image:$version" >/dev/null 2>&1; then
        scripts/build-images.sh
        break
    fi
done
if ! scripts/fetch-frontend.sh; then
    echo "ComfyUI's frontend could not be fetched: seats will be the plain page. Run this again to try once more." >&2
fi
make_data
give_data
mapfile -t seats < <(services | sed -n 's/^seat-//p')
make_seats "${seats[@]+"${seats[@]}"}"

step 2 "Starting Redis and the queue-manager"
mapfile -t all < <(services)
for service in "${all[@]}"; do
    case "$(condition "$service")" in
        exited | created | dead) is_current "$service" || take_away "$service" ;;
    esac
done
"${compose[@]}" up -d --no-recreate redis queue-manager 9>&-
wait_healthy 180 redis queue-manager

step 3 "Making accounts"
umask 077
make_accounts "$participants"
if [ ! -s data/gpu-1.token ] || [ "$(manage token list --json)" = "[]" ]; then
    # Into the file that is there: the container holds that one.
    manage token issue gpu-1 2>/dev/null >data/run/token
    cat data/run/token >data/gpu-1.token
    rm -f data/run/token
fi
read -r name _ <<<"$(in_env ATELIER_SERVER_NAME localhost)"
port=$(in_env ATELIER_PORT 8443) admin_port=$(in_env ATELIER_ADMIN_PORT 8081)
suffix() { [ "$1" = 443 ] || echo ":$1"; }
write_sign_ins "https://$name$(suffix "$port")" "https://$(in_env ATELIER_ADMIN_NAME "$name")$(suffix "$admin_port")"
listen=$(in_env ATELIER_LISTEN 127.0.0.1)
echo "::$([ "$listen" = 0.0.0.0 ] && echo 127.0.0.1 || echo "$listen"):$port" >data/run/connect-to
umask 022

step 4 "Starting everything else"
"${compose[@]}" up -d --no-recreate 9>&-

step 5 "Waiting until all of it is healthy"
wait_healthy 300 "${all[@]}"

echo
echo "Running in Docker, ${#all[@]} services, all healthy: ${all[*]}"
case ",$(in_env COMPOSE_PROFILES)," in
    *,simulated,*) echo "The worker has the SIMULATED ComfyUI: pictures are patterns." ;;
    *,gpu,*) ;;
    *) echo "There is no worker on this machine; jobs wait until one joins." ;;
esac
show_sign_ins
echo
echo "scripts/status.sh says how it is, scripts/stop.sh stops it."
