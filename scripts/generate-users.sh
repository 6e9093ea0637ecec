#!/usr/bin/env bash
# Writes docker-compose.users.yml: a container seat for each participant (docs/seats.md).
# usage: scripts/generate-users.sh [--number N | --names "ada ben …" | --accounts] [--internet] [--print]
#   --number N      user001 … userN; 20 when nothing is said
#   --names NAMES   these participants
#   --accounts      the participants of data/accounts.json
#   --internet      seats may fetch from the internet, to install nodes from there; without it they reach nothing
#   --print         prints it, and writes nothing
# Also makes their folders in data/seats. The file in the repository is that of 20; a test holds it to this script. Then, for a
# workshop that runs: scripts/update.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/docker.sh
. scripts/usage.sh

refuse() {
    echo "$1" >&2
    exit 2
}
said="$*"
names=() chosen='' internet='' print=''
add_numbered() {
    local n name
    case "$1" in *[!0-9]* | 0* | ????*) refuse "--number is a number from 1 to 250, not '$1'." ;; esac
    for ((n = 1; n <= $1; n++)); do
        printf -v name 'user%03d' "$n"
        names+=("$name")
    done
}
while [ $# -gt 0 ]; do
    case "$1" in
        --number)
            need_value "$@"
            add_numbered "$2"
            chosen=yes
            shift
            ;;
        --names)
            need_value "$@"
            read -ra more <<<"$2"
            names+=("${more[@]+"${more[@]}"}")
            chosen=yes
            shift
            ;;
        --accounts)
            [ -f data/accounts.json ] || refuse "There is no data/accounts.json yet: start the workshop first, or say --number N."
            command -v jq >/dev/null || refuse "jq is missing: apt-get install jq"
            accounts=$(jq -r '.participants[] | select(.removed | not) | .name' data/accounts.json 2>/dev/null) ||
                refuse "data/accounts.json cannot be read: it is damaged, or belongs to another user. Say --number N, or --names."
            read -ra more <<<"${accounts//$'\n'/ }"
            names+=("${more[@]+"${more[@]}"}")
            chosen=yes
            ;;
        --internet) internet=yes ;;
        --print) print=yes ;;
        -h | --help) usage 0 ;;
        *) usage 2 "$1 is no option of this script." ;;
    esac
    shift
done
[ -n "$chosen" ] || add_numbered 20
[ ${#names[@]} -gt 0 ] || refuse "Nobody was named, so there would be no seat."
[ ${#names[@]} -le 250 ] || refuse "At most 250 container seats; ${#names[@]} were named."
for name in "${names[@]}"; do
    case "$name" in
        [!a-z0-9]* | *[!a-z0-9_-]* | ?????????????????????????????????*) refuse "'$name' is no participant's name: 1 to 32 of a-z 0-9 - _." ;;
    esac
done
[ -z "$(printf '%s\n' "${names[@]}" | sort | uniq -d)" ] || refuse "Named twice: $(printf '%s\n' "${names[@]}" | sort | uniq -d | xargs)."

# So many begin at once; each of the others waits until the one before it in its row is healthy.
rows=4
said=${said//--print/}
file() {
    echo "# Container seats. Made by: scripts/generate-users.sh${said:+ $(xargs <<<"$said")}"
    cat <<'END'
# Do not edit: scripts/generate-users.sh writes it anew. Used with the profile container-seats and
# COMPOSE_FILE=docker-compose.yml:docker-compose.users.yml (scripts/setup.sh --seats N).

x-seat: &seat
  image: atelier-seat:${ATELIER_VERSION:-local}
  profiles: [container-seats]
  restart: unless-stopped
  user: "10001:10001"
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  command:
    - comfyui
    - --cpu
    - --listen
    - 0.0.0.0
    - --user-directory
    - /own/user
    - --input-directory
    - /own/input
    - --output-directory
    - /own/output
    - --temp-directory
    - /tmp
    - --database-url
    - sqlite:////own/user/comfyui.db
  tmpfs: ["/tmp:size=256m,mode=1777"]
  healthcheck:
    test: ["CMD", "comfyui", "healthcheck"]
    interval: 10s
    timeout: 10s
    retries: 3
    start_period: 300s
  mem_limit: ${ATELIER_SEAT_LIMIT:-900m}
  cpus: ${ATELIER_SEAT_CPUS:-1.0}
  pids_limit: 256
  logging:
    driver: json-file
    options: { max-size: 2m, max-file: "2" }

services:
  queue-manager:
    environment:
END
    local addresses n name
    addresses=$(printf '%s\n' "${names[@]}" | sed 's|.*|&=http://seat-&:8188|' | paste -sd,)
    echo "      ATELIER_CONTAINER_SEATS: $addresses"
    echo "    networks:"
    for name in "${names[@]}"; do echo "      seat-$name: {}"; done
    for ((n = 0; n < ${#names[@]}; n++)); do
        name=${names[n]}
        echo
        echo "  seat-$name:"
        echo "    <<: *seat"
        echo "    volumes: [\"./data/seats/$name:/own\"]"
        echo "    networks: [seat-$name${internet:+, outside}]"
        if ((n >= rows)); then
            echo "    depends_on:"
            echo "      seat-${names[n - rows]}: { condition: service_healthy }"
        fi
    done
    cat <<'END'

# One network for each: a container reaches the queue-manager, which asks for a sign-in, and no other seat, not Redis, not the
# workers' listener.
networks:
END
    for ((n = 0; n < ${#names[@]}; n++)); do
        echo "  seat-${names[n]}: { internal: true, ipam: { config: [{ subnet: \"\${ATELIER_SEATS_PREFIX:-10.214}.$n.0/29\" }] } }"
    done
    if [ -n "$internet" ]; then
        echo "  # The way out. Containers in it do not reach each other."
        echo '  outside: { driver_opts: { com.docker.network.bridge.enable_icc: "false" } }'
    fi
}
if [ -n "$print" ]; then
    file
    exit 0
fi
file >docker-compose.users.yml.new
mv docker-compose.users.yml.new docker-compose.users.yml
make_seats "${names[@]}"
echo "docker-compose.users.yml has ${#names[@]} container seats; their folders are in data/seats."
