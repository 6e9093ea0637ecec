# shellcheck shell=bash
# Docker and compose, as the other scripts use them. Sourced.

# The uid of everything in our containers (Dockerfile); what they read and write under data/ belongs to it.
container_uid=10001

# Settings may be root's alone. Without them we would look for the workshop in the wrong place.
if [ -e .env ] && [ ! -r .env ]; then
    echo ".env belongs to another user. Run this with sudo." >&2
    exit 1
fi

# have_docker: fills `compose`, or says what is missing.
have_docker() {
    if ! command -v docker >/dev/null 2>&1; then
        echo "Docker is missing. On Debian: apt-get install docker.io docker-compose; else see https://docs.docker.com/engine/install/" >&2
        return 1
    fi
    if ! docker info >/dev/null 2>&1; then
        echo "Docker's engine does not answer: $(docker info 2>&1 | grep -iE 'error|cannot|denied' | head -n 1)" >&2
        echo "Start it (systemctl start docker), or run this with sudo." >&2
        return 1
    fi
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif command -v docker-compose >/dev/null 2>&1; then
        compose=(docker-compose)
        case "$(docker-compose version --short 2>/dev/null)" in
            0.* | 1.[0-9].* | 1.1?.* | 1.2[0-8].*)
                echo "docker-compose is older than 1.29, which is the oldest that knows profiles and health-ordered starts as they are used here." >&2
                return 1
                ;;
        esac
    else
        echo "Compose is missing: install docker-compose-plugin, or docker-compose 1.29." >&2
        return 1
    fi
}

# in_env NAME [DEFAULT]: a setting: from the environment, else from .env as compose reads it, else the default.
in_env() {
    local value=${!1:-}
    if [ -z "$value" ] && [ -f .env ]; then
        value=$(sed -n "s/^$1=//p" .env | tail -n 1 | sed -e 's/^"\(.*\)"$/\1/' -e "s/^'\(.*\)'$/\1/")
    fi
    echo "${value:-${2:-}}"
}

# is_for_docker: whether this folder was set up for Docker.
is_for_docker() { [ -n "$(in_env COMPOSE_PROJECT_NAME)" ]; }

# start_command: how this folder's workshop is started.
start_command() { if is_for_docker; then echo "scripts/start.sh --docker"; else echo "scripts/start.sh"; fi; }

# need_root: refuses anybody else, before anything is done.
need_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    echo "In Docker what is in data/ belongs to the containers (uid $container_uid), and the group docker is not enough to read and write it. Run this with sudo." >&2
    exit 1
}

# is_chosen SERVICE: whether its profile is. docker-compose 1.29 lists the others too.
is_chosen() {
    local profile
    case "$1" in
        worker) profile=simulated ;;
        worker-gpu) profile=gpu ;;
        seat-*) profile=container-seats ;;
        *) return 0 ;;
    esac
    case ",$(in_env COMPOSE_PROFILES)," in *",$profile,"*) return 0 ;; *) return 1 ;; esac
}

# need_extra_images: ComfyUI's images, which nobody builds by the way, as they take several GB. Compose would look for them in a
# registry where we have none.
need_extra_images() {
    local version extras=()
    version=$(in_env ATELIER_VERSION local)
    if is_chosen seat-of-anybody && ! docker image inspect "atelier-seat:$version" >/dev/null 2>&1; then extras+=(--with seats); fi
    if is_chosen worker-gpu && ! docker image inspect "atelier-worker-gpu:$version" >/dev/null 2>&1; then extras+=(--with gpu); fi
    [ ${#extras[@]} -eq 0 ] && return 0
    echo "ComfyUI's image is not built yet. Run scripts/build-images.sh ${extras[*]} (several GB), then this again." >&2
    return 1
}

# redis_fits: refuses where Redis may take more than its container, in which it needs half as much again to rewrite its log.
redis_fits() {
    local mb limit bytes
    mb=$(in_env ATELIER_REDIS_MB 2000) limit=$(in_env ATELIER_REDIS_LIMIT 3g)
    bytes=${limit^^}
    bytes=$(numfmt --from=iec "${bytes%B}" 2>/dev/null) && [ "$bytes" -ge $((mb * 1048576 * 3 / 2)) ] && return 0
    echo "ATELIER_REDIS_MB=$mb does not fit into Redis' container. Put ATELIER_REDIS_LIMIT=$(((mb * 3 / 2 + 1023) / 1024))g beside it in .env, in place of $limit." >&2
    return 1
}

# services: the chosen services, in the order they need each other.
services() {
    local wanted service
    wanted=$("${compose[@]}" config --services | while read -r service; do if is_chosen "$service"; then echo "$service"; fi; done)
    for service in redis queue-manager admin nginx worker worker-gpu; do
        if grep -qx "$service" <<<"$wanted"; then echo "$service"; fi
    done
    grep -vxE 'redis|queue-manager|admin|nginx|worker|worker-gpu' <<<"$wanted" | sort -V || true
}

# container SERVICE: its container's id, running or not; nothing when there is none.
container() { "${compose[@]}" ps -q "$1" 2>/dev/null | head -n 1; }

# condition SERVICE: healthy, starting, unhealthy, running (without a health check), exited …, or absent.
condition() {
    local id
    id=$(container "$1")
    if [ -z "$id" ]; then
        echo absent
        return
    fi
    docker inspect -f '{{if and .State.Running .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$id"
}

# wait_healthy SECONDS SERVICE…: until all are healthy, or shows what the first that is not says.
wait_healthy() {
    local until=$((SECONDS + $1)) service now
    shift
    for service in "$@"; do
        while now=$(condition "$service") || now=unknown && [ "$now" != healthy ]; do
            if [ $SECONDS -ge $until ]; then
                echo "$service is $now. The end of its log (${compose[*]} logs $service):" >&2
                "${compose[@]}" logs --tail=15 "$service" >&2 || true
                docker inspect -f '{{range .State.Health.Log}}{{.Output}}{{end}}' "$(container "$service")" 2>/dev/null | tail -n 3 >&2 || true
                return 1
            fi
            sleep 0.5
        done
    done
}

# is_current SERVICE: whether its container has the image and the settings of now.
is_current() {
    local id image
    id=$(container "$1")
    [ -n "$id" ] || return 1
    hashes=${hashes:-$("${compose[@]}" config --hash='*')}
    image=$(docker inspect -f '{{.Config.Image}}' "$id")
    [ "$(docker inspect -f '{{.Image}}' "$id")" = "$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null)" ] &&
        [ "$(docker inspect -f '{{index .Config.Labels "com.docker.compose.config-hash"}}' "$id")" = "$(awk -v s="$1" '$1 == s { print $2 }' <<<"$hashes")" ]
}

# take_away SERVICE: stops it and removes its container, or says why that could not be done.
take_away() {
    local said
    said=$("${compose[@]}" rm -sf "$1" 2>&1) && return 0
    echo "$1 could not be taken away: $said" >&2
    return 1
}

# replace SERVICE: takes it away and makes it anew. docker-compose 1.29 cannot do this in place on recent engines.
replace() {
    take_away "$1" || return 1
    "${compose[@]}" up -d --no-deps "$1" >/dev/null 2>&1 || "${compose[@]}" up -d --no-deps "$1"
}

# make_seats NAME…: what their containers find at /own; without it the engine makes folders that only root can write to.
make_seats() {
    local name folders=()
    for name in "$@"; do
        mkdir -p "data/seats/$name/custom_nodes" "data/seats/$name/user" "data/seats/$name/input" "data/seats/$name/output"
        folders+=("data/seats/$name")
    done
    give_to_containers "${folders[@]}"
}

# docker_runs: whether a container of this project runs.
docker_runs() {
    [ -f .env ] && command -v docker >/dev/null 2>&1 && is_for_docker &&
        [ -n "$(docker ps -q --filter "label=com.docker.compose.project=$(in_env COMPOSE_PROJECT_NAME)" 2>/dev/null)" ]
}

# make_data: the folders and files that compose must find; what was deleted meanwhile is made anew.
make_data() {
    local mask file
    mask=$(umask)
    umask 022
    mkdir -p data/files data/redis data/worker data/tls data/acme data/secrets data/frontend
    chmod 700 data/secrets data/tls data/files data/redis
    umask 077
    if [ ! -s data/secret.key ]; then head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >data/secret.key; fi
    # The start fills the first one, the operator the second one.
    for file in data/gpu-1.token data/webhook.secret; do [ -e "$file" ] || : >"$file"; done
    umask "$mask"
}

# give_data: all that becomes the containers' own.
give_data() {
    give_to_containers data/files data/redis data/worker data/tls data/tls/* data/secrets/redis-url data/secrets/redis-users \
        data/secret.key data/gpu-1.token data/webhook.secret
}

# give_to_containers PATH…: makes them the containers' own, which only root can do.
give_to_containers() {
    local path wrong=()
    for path in "$@"; do
        # Without -R on what is right already: there may be a million pictures.
        [ "$(stat -c %u "$path")" = $container_uid ] || wrong+=("$path")
    done
    [ ${#wrong[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "These belong to you and must belong to uid $container_uid; sudo scripts/start.sh --docker does it: ${wrong[*]}"
        return 0
    fi
    chown -R $container_uid:$container_uid "${wrong[@]}"
}
