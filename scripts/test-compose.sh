#!/usr/bin/env bash
# Tries the whole Docker side on this machine's engine, in a copy of the repository: build, start, jobs, breaking, seats, update.
# usage: scripts/test-compose.sh [--profile release|dev] [--keep]
#   --profile release   what cargo builds for the images; `dev` when not said, which the tests have built already
#   --keep              leaves the copy and everything in it running when a check fails, and says where
# Needs root, as Docker's scripts do. Its last line says that it passed, or that it was NOT RUN since
# no engine answers. It leaves nothing but the base image.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/docker.sh
. scripts/usage.sh

profile=dev keep=
while [ $# -gt 0 ]; do
    case "$1" in
        --profile)
            need_value "$@"
            profile=$2
            shift
            ;;
        --keep) keep=yes ;;
        -h | --help) usage 0 ;;
        *) usage 2 "$1 is no option of this script." ;;
    esac
    shift
done
if ! why=$(have_docker 2>&1); then
    echo "$why"
    echo "test-compose.sh: NOT RUN, as no Docker engine with compose answers here."
    exit 0
fi
have_docker

began=$SECONDS
copy=$(mktemp -d)
# Here and not in the copy, as the tests build them: in another place cargo would build all of ours anew.
folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")/$([ "$profile" = release ] && echo release || echo debug)
if [ "$profile" = release ]; then
    cargo build --release --locked --workspace --exclude testkit --bins
else
    cargo build --locked --workspace --bins
fi
git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - --ignore-failed-read 2>/dev/null | tar -xf - -C "$copy"
mkdir -p "$copy/data"
if [ -d data/frontend ]; then cp -rH data/frontend "$copy/data/frontend"; fi
cd "$copy"
# What is here of a test that was killed, or of a network of this machine's own.
clash() {
    docker ps -aq --filter "label=com.docker.compose.project=atelier-test-$id"
    {
        docker network ls -q | xargs -r docker network inspect -f '{{range .IPAM.Config}}{{.Subnet}} {{end}}'
        ip -4 route
    } | grep -E "(^|[^0-9.])10\.($((id + 1))|231\.$id)\." || true
}
while id=$((RANDOM % 200 + 20)) && [ -n "$(clash)" ]; do :; done
ports=()
while [ ${#ports[@]} -lt 4 ]; do
    # Neither those of other tests, which are below, nor those of outgoing connections.
    port=$((32000 + RANDOM % 768))
    [[ " ${ports[*]:-} " == *" $port "* ]] || (: </dev/tcp/127.0.0.1/$port) 2>/dev/null || ports+=("$port")
done
# What an operator had written before stays as it is. Leases are short, as nobody wants to wait for long ones here, and longer
# than Redis is away when it is renewed.
cat >.env <<END
COMPOSE_PROJECT_NAME=atelier-test-$id
ATELIER_VERSION=test-$id
ATELIER_PORT=${ports[0]}
ATELIER_ADMIN_PORT=${ports[1]}
ATELIER_HTTP_PORT=${ports[2]}
ATELIER_LINK_PORT=${ports[3]}
ATELIER_LINK_PREFIX=10.231.$id
ATELIER_SEATS_PREFIX=10.$((id + 1))
ATELIER_LEASE_MS=15000
END

cleanup() {
    local status=$?
    set +e
    [ -z "${sampler:-}" ] || kill "$sampler" 2>/dev/null
    if [ $status -ne 0 ] && [ -n "$keep" ]; then
        echo "Left as it is: cd $copy; ${compose[*]} ps" >&2
        exit $status
    fi
    if [ $status -ne 0 ]; then
        "${compose[@]}" ps
        tail -n 30 quiet.log 2>/dev/null
    fi
    docker ps -aq --filter "label=com.docker.compose.project=atelier-test-$id" | xargs -r docker rm -f >/dev/null 2>&1
    docker network ls -q --filter "label=com.docker.compose.project=atelier-test-$id" | xargs -r docker network rm >/dev/null 2>&1
    docker images --format '{{.Repository}}:{{.Tag}}' | grep ":test-$id\$" | xargs -r docker rmi -f >/dev/null 2>&1
    cd / && rm -rf "$copy"
    local left
    left=$(docker ps -aq --filter "label=com.docker.compose.project=atelier-test-$id" && docker network ls -q --filter "label=com.docker.compose.project=atelier-test-$id" && docker images -q --filter "reference=*:test-$id")
    if [ -n "$left" ]; then
        echo "test-compose.sh: FAILED: it left something behind: $left" >&2
        status=1
    fi
    if [ $status -eq 0 ]; then
        echo "test-compose.sh: passed, $checks checks in $((SECONDS - began)) s; container seats were a light stand-in, and not ComfyUI"
    else
        echo "test-compose.sh: FAILED" >&2
    fi
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

checks=0
part() { echo "== $1 ($((SECONDS - began)) s)"; }
# check SENTENCE COMMAND…: the command succeeds.
check() {
    local sentence=$1
    shift
    if ! "$@"; then
        echo "   NOT: $sentence" >&2
        exit 1
    fi
    checks=$((checks + 1))
    echo "   $sentence"
}
refused() { ! "$@" >/dev/null 2>&1; }
# within SECONDS COMMAND…: sooner or later.
within() {
    local until=$((SECONDS + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.5
    done
}

# One late answer is no sickness.
well_at_last() { within 60 scripts/status.sh || scripts/status.sh; }
# quietly COMMAND…: what it says is shown when the test fails.
quietly() { "$@" >>quiet.log 2>&1; }

part "images"
scripts/build-images.sh --programs "$folder"
DOCKER_BUILDKIT=0 docker build --quiet --file frontend/Dockerfile --target stand-in --build-arg "PROGRAMS=atelier:test-$id" --tag "atelier-seat:test-$id" . >/dev/null 2>&1
check "programs run as uid 10001" test "$(docker run --rm --network none --entrypoint id "atelier:test-$id" -u)" = 10001

part "setup"
scripts/setup.sh
before=$(cat .env data/secrets/redis-url data/tls/tls.crt | sha256sum)
scripts/setup.sh >/dev/null
check "a second setup changes nothing" test "$before" = "$(cat .env data/secrets/redis-url data/tls/tls.crt | sha256sum)"
check "what was in .env stayed" grep -qx "ATELIER_PORT=${ports[0]}" .env
check "secrets are the containers' alone" test "$(stat -c %u:%a data/secrets/redis-url)" = 10001:600

part "start"
scripts/start.sh --docker --participants 3 2>quiet.log | sed '/^Sign-ins/,$d'
check "everything is healthy" well_at_last
check "the worker, beside which people's workflows run, has nothing of .env but its own" refused docker exec "$(container worker)" printenv ATELIER_SERVER_NAME
before=$(docker ps -q --filter "label=com.docker.compose.project=atelier-test-$id" | sort)
scripts/start.sh --docker --participants 3 >/dev/null
check "a second start leaves what runs" test "$before" = "$(docker ps -q --filter "label=com.docker.compose.project=atelier-test-$id" | sort)"
check "a native start says that it runs in Docker" refused scripts/start.sh

at=$(jq -r .urls.seats data/sign-ins.json)
person() { jq -r --argjson n "$1" '.participants[$n] | .name + ":" + .password' data/sign-ins.json; }
ask() { curl -fsS --max-time 20 --cacert data/tls/root.crt -u "$@"; }
model=$(ask "$(person 0)" "$at/user001/object_info/CheckpointLoaderSimple" | jq -r '[.. | strings | select(endswith(".safetensors"))][0]')
# submit N NAME STEPS: a job of participant N whose workflow is called NAME; its id.
submit() {
    jq -n --arg id "$2" --arg model "$model" --argjson steps "$3" '{workflow: {
        "1": {class_type: "CheckpointLoaderSimple", inputs: {ckpt_name: $model}},
        "2": {class_type: "CLIPTextEncode", inputs: {clip: ["1", 1], text: "a lighthouse"}},
        "4": {class_type: "EmptyLatentImage", inputs: {width: 256, height: 256, batch_size: 1}},
        "5": {class_type: "KSampler", inputs: {model: ["1", 0], positive: ["2", 0], negative: ["2", 0], latent_image: ["4", 0],
              seed: (now * 1000 | floor), steps: $steps, cfg: 7, sampler_name: "euler", scheduler: "normal", denoise: 1}},
        "6": {class_type: "VAEDecode", inputs: {samples: ["5", 0], vae: ["1", 2]}},
        "7": {class_type: "SaveImage", inputs: {images: ["6", 0], filename_prefix: "walk"}}},
        extra_data: {extra_pnginfo: {workflow: {id: $id}}}}' | ask "$(person "$1")" --json @- "$at/api/v1/jobs" | jq -r .id
}
state() { ask "$(person "$1")" "$at/api/v1/jobs/$2" | jq -r .state; }
is() { [ "$(state "$1" "$2")" = "$3" ]; }
# shows N JOB NAME: the job's picture has that workflow in it.
shows() { picture "$1" "$2" >picture.png && grep -qa "$3" picture.png; }
picture() { ask "$(person "$1")" "$at$(ask "$(person "$1")" "$at/api/v1/jobs/$2" | jq -r '.outputs[0].url')"; }

part "the main job, two participants, TLS"
one=$(submit 0 walk-one 10) two=$(submit 1 walk-two 10)
check "the first one's job completes" within 60 is 0 "$one" completed
check "the second one's job completes" within 60 is 1 "$two" completed
check "the first picture is the first one's" shows 0 "$one" walk-one
check "the second picture is the second one's" shows 1 "$two" walk-two
check "nobody reads another's job" refused ask "$(person 0)" "$at/api/v1/jobs/$two"
check "the seat's page answers" ask "$(person 0)" -o /dev/null "$at/user001/"
check "the dashboard answers" curl -fsS --cacert data/tls/root.crt -o /dev/null "$(jq -r .urls.admin data/sign-ins.json)/sign-in"
check "plain http leads to https" grep -q "https://127.0.0.1:${ports[0]}/" <(curl -sS -o /dev/null -w '%{redirect_url}' "http://127.0.0.1:${ports[2]}/")

part "what the public side cannot reach"
# tries FROM HOST PORT: a connection from inside a service's container.
tries() { docker exec "$(container "$1")" timeout 3 bash -c "exec 3<>/dev/tcp/$2/$3"; }
stranger() { docker run --rm --entrypoint timeout "atelier:test-$id" 3 bash -c "exec 3<>/dev/tcp/$1/$2"; }
address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$(container "$1")"; }
link=10.231.$id.2
redis=$(address redis | xargs)
check "the worker reaches the link: the probe works" within 30 tries worker "$link" 3443
check "the queue-manager reaches Redis: the probe works" within 30 tries queue-manager redis 6379
check "nginx does not reach Redis by name" refused tries nginx redis 6379
check "nginx does not reach Redis by address" refused tries nginx "$redis" 6379
check "nginx does not reach the workers' link" refused tries nginx "$link" 3443
check "nginx does not find the link on the queue-manager" refused tries nginx queue-manager 3443
check "another container does not reach Redis" refused stranger "$redis" 6379
check "another container does not reach the workers' link" refused stranger "$link" 3443
for host in $(hostname -I); do
    case "$host" in *:* | 10.231.*) continue ;; esac
    check "$host, this machine's other address, has no link" refused timeout 3 bash -c "exec 3<>/dev/tcp/$host/${ports[3]}"
    check "another container does not find the link on $host" refused stranger "$host" "${ports[3]}"
    check "$host has no Redis of ours" refused timeout 3 bash -c "exec 3<>/dev/tcp/$host/6379"
done
check "the link answers on loopback" within 30 timeout 3 bash -c "exec 3<>/dev/tcp/127.0.0.1/${ports[3]}"
check "Redis gives nothing without a password" grep -q NOAUTH <(docker exec "$(container redis)" redis-cli GET x 2>&1)
check "its health user may only ping" grep -q NOPERM <(docker exec "$(container redis)" redis-cli --user health --pass health GET x 2>&1)
check "the queue-manager's user may not change Redis" grep -q NOPERM <(docker exec "$(container redis)" redis-cli -u "$(sed 's/@redis/@127.0.0.1/' data/secrets/redis-url)" CONFIG SET maxmemory 1 2>&1)
for service in $(services); do
    check "$service cannot write its own files" refused docker exec "$(container "$service")" bash -c ': >/etc/written'
done

part "a renewed certificate"
served() { openssl s_client -connect "127.0.0.1:${ports[0]}" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint; }
mkdir renewed && cp data/tls/root.crt renewed/old-root.crt
scripts/make-certificate.sh renewed localhost 127.0.0.1 >/dev/null
scripts/setup.sh --certificate renewed/tls.crt --key renewed/tls.key >/dev/null
cp renewed/root.crt data/tls/root.crt
new=$(openssl x509 -in renewed/tls.crt -noout -fingerprint)
# Old processes of nginx answer for a tenth of a second beside the new ones: every one of ten
# connections, spread over half a second, has to have the new certificate.
is_renewed() { for _ in {1..10}; do [ "$(served)" = "$new" ] || return 1; sleep 0.05; done; }
check "nginx takes it up by itself" within 60 is_renewed

# kill9 SERVICE: kills its process as the kernel would, and not as somebody who wants it stopped.
kill9() { docker run --rm --network none --pid host --user 0 --cap-add KILL --entrypoint bash "atelier:test-$id" -c "kill -9 $(docker inspect -f '{{.State.Pid}}' "$(container "$1")")"; }
well() { [ "$(condition "$1")" = healthy ]; }

part "a worker is killed in the middle of a job"
long=$(submit 0 long 60)
check "the job runs" within 30 is 0 "$long" running
kill9 worker
check "the job completes at the worker that came back" within 90 is 0 "$long" completed
check "the worker is healthy again" within 60 well worker
long=$(submit 0 long 60)
check "the next job runs" within 30 is 0 "$long" running
replace worker
check "it completes at a new worker in place of the old" within 90 is 0 "$long" completed

part "the queue-manager is killed"
long=$(submit 0 long 80) waiting=$(submit 1 waits 5)
check "one job runs" within 30 is 0 "$long" running
kill9 queue-manager
check "it is healthy again" within 60 well queue-manager
check "the running job completes" within 90 is 0 "$long" completed
check "the waiting job completes" within 90 is 1 "$waiting" completed

part "down and up, as after a reboot"
waiting=$(submit 1 waits 5)
quietly "${compose[@]}" down
quietly "${compose[@]}" up -d
mapfile -t all < <(services)
check "everything comes back healthy" wait_healthy 180 "${all[@]}"
check "passwords and jobs are the same" within 30 is 0 "$one" completed
check "the waiting job completes" within 90 is 1 "$waiting" completed
check "the worker has its token" within 30 well worker

part "backup, and restore where nothing is"
scripts/backup.sh --with-passwords "$copy/backup"
after=$(submit 0 after-the-backup 5)
check "a job after the backup completes" within 60 is 0 "$after" completed
quietly "${compose[@]}" down
rm -rf data/redis data/files data/accounts.json data/sign-ins.json
: >data/gpu-1.token
scripts/restore.sh "$(find backup -name '*.tar' | head -n 1)"
quietly scripts/start.sh --docker --participants 3
check "jobs and passwords are there again" within 30 is 0 "$one" completed
check "pictures too" shows 0 "$one" walk-one
check "what came after the backup is not" refused state 0 "$after"
job=$(submit 1 after-the-restore 5)
check "a new job completes" within 60 is 1 "$job" completed

part "twenty container seats (a stand-in in place of ComfyUI)"
scripts/generate-users.sh >/dev/null
sed -i -e 's/^COMPOSE_FILE=.*/COMPOSE_FILE=docker-compose.yml:docker-compose.users.yml/' -e 's/^COMPOSE_PROFILES=.*/COMPOSE_PROFILES=simulated,container-seats/' .env
: >memory
(while docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' | grep "atelier-test-$id.seat-" >>memory; echo >>memory; do sleep 1; done) 2>/dev/null &
sampler=$!
before=$SECONDS
scripts/update.sh --no-build 2>quiet.log
echo "   20 seats healthy after $((SECONDS - before)) s"
sleep 2
kill "$sampler" 2>/dev/null || true
sampler=
awk '!NF { if (n) printf "   %2d seats up: %d MB\n", n, sum; n = sum = 0; next }
    { v = $2; u = v; sub(/[0-9.]+/, "", u); n++; sum += v * (u == "GiB" ? 1024 : u == "KiB" ? 1 / 1024 : u == "MiB" ? 1 : 0) }' memory | sort -n -u -k1,1
check "all are healthy" well_at_last
settings_are() { [ "$(ask "$(person "$1")" "$at/$2/api/settings")" = "{}" ]; }
check "the seat's settings are its container's" within 30 settings_are 0 user001
ask "$(person 0)" --json '{"Own.Setting": 1}' "$at/user001/api/settings" >/dev/null
check "what is set in one seat is not in another" within 30 settings_are 1 user002
job=$(submit 0 from-a-container-seat 5)
check "a job of a container seat completes" within 60 is 0 "$job" completed
seat=$(address seat-user002 | xargs)
check "a seat reaches the queue-manager's door: the probe works" within 30 tries seat-user001 queue-manager 3000
check "a seat does not reach the workers' link" refused tries seat-user001 "$link" 3443
check "nor on the address where it reaches the queue-manager" refused tries seat-user001 queue-manager 3443
check "a seat does not reach Redis" refused tries seat-user001 "$(address redis | xargs)" 6379
check "a seat does not reach another seat" refused tries seat-user001 "$seat" 8188
check "a seat does not reach the internet" refused tries seat-user001 deb.debian.org 80

part "a rolling update"
long=$(submit 0 long 60) waiting=$(submit 1 waits 5)
check "a job runs" within 30 is 0 "$long" running
scripts/update.sh --all --no-build redis queue-manager admin nginx worker
check "the running job completes" within 90 is 0 "$long" completed
check "the waiting job completes" within 90 is 1 "$waiting" completed
check "an update without news does nothing" grep -q "nothing was renewed" <(scripts/update.sh --no-build)

part "stop, and a start with other settings"
scripts/stop.sh
check "nothing runs" test -z "$(docker ps -q --filter "label=com.docker.compose.project=atelier-test-$id")"
sed -i 's/^COMPOSE_PROFILES=.*/COMPOSE_PROFILES=simulated/' .env
echo "whsec_$(openssl rand -base64 32)" >data/webhook.secret
cat >>.env <<'END'
ATELIER_REDIS_MB=1500
ATELIER_WEBHOOK_URL=https://hooks.example.org/atelier
ATELIER_WEBHOOK_SECRET_FILE=/run/secrets/webhook
END
scripts/start.sh --docker --participants 3 >/dev/null
check "the queue-manager reads the secret of a webhook" docker exec "$(container queue-manager)" grep -q whsec_ /run/secrets/webhook
check "Redis has the memory that .env says now" grep -q 1500mb <(docker inspect -f '{{.Args}}' "$(container redis)")
check "jobs are as they were" within 30 is 0 "$one" completed
before=$(container redis)
scripts/stop.sh
scripts/start.sh --docker --participants 3 >/dev/null
check "a start without news starts the containers that are there" test "$before" = "$(container redis)"
