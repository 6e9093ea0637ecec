#!/usr/bin/env bash
# Backs up the workshop that runs: the queue with jobs and accounts, everybody's files, the examples in data/workflows, and what
# container seats keep (saved workflows, settings, own nodes), in one archive.
# usage: scripts/backup.sh [--with-passwords] [--without-outputs] PLACE
#   PLACE                a folder, s3://BUCKET/PREFIX (the aws command; R2 with ATELIER_S3_ENDPOINT=https://…) or
#                        rclone's REMOTE:PATH
#   --with-passwords     data/accounts.json too, so that cards stay good after a restore; keep such an archive like a key
#   --without-outputs    not what jobs made: small and quick
# The queue is taken as of one moment while work goes on, then the files, so that every file the queue knows is there.
# Keys of paid nodes, data/secret.key, workers' tokens and passwords in plain text are left out, and so are .env and the
# certificate: keep a copy of those yourself. scripts/restore.sh brings it back.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh
. scripts/places.sh
. scripts/queue-copy.sh

place='' passwords=false outputs=true
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        --with-passwords) passwords=true ;;
        --without-outputs) outputs=false ;;
        -*) usage 2 "$argument is no option of this script." ;;
        *)
            [ -z "$place" ] || usage 2 "One place at a time: $place or $argument."
            place=$argument
            ;;
    esac
done
[ -n "$place" ] || usage 2 "Say where the backup goes."
need jq curl tar
need_redis
kind=$(kind_of "$place")
need_workshop
umask 077
exec 8>"$run_folder/backup.lock"
flock -n 8 || refuse "Another backup is under way in this folder. Wait for it, then run this again."
staging=$(mktemp -d data/run/backup.XXXXXX)
tidy() {
    stop_copy
    rm -rf "$staging"
    if [ "$kind" = folder ]; then rm -f "$place/$name.part"; fi
}
name=atelier-$(date -u +%Y%m%d-%H%M%S).tar
trap tidy EXIT
trap 'exit 130' INT TERM

if [ "$workshop" = native ]; then
    data=$(its_setting ATELIER_DATA data)
    for variable in ATELIER_REDIS_URL ATELIER_REDIS_URL_FILE ATELIER_REDIS_HOST REDIS_URL REDIS_HOST; do
        if [ -n "$(its_setting "$variable" '')" ]; then
            refuse "The queue is in a store of its own ($variable), which is backed up where it runs: see docs/scaling.md. The files are in $data/files."
        fi
    done
else
    data=data
fi
left_out=(--exclude=files/incoming)
if [ "$outputs" = false ]; then left_out+=(--exclude=files/outputs); fi
[ -r "$data/files" ] || refuse "$data/files belongs to another user, in Docker to the containers. Run this with sudo."
folders=(files)
if [ -d "$data/seats" ]; then folders+=(seats); fi
size_kb=$(cd "$data" && du -skc "${left_out[@]}" "${folders[@]}" | tail -n 1 | cut -f 1)
if [ "$kind" = folder ]; then
    make_folder "$place"
    free_kb=$(df -Pk "$place" | awk 'NR == 2 { print $4 }')
    if [ "$free_kb" -lt $((size_kb + 200000)) ]; then
        refuse "$place has $((free_kb / 1024)) MB free and about $((size_kb / 1024 + 200)) MB are needed. Make room, or use --without-outputs."
    fi
fi

echo "[1/3] The queue, as of now"
copy_log "$data/redis" "$staging" ||
    refuse "The queue's log in $data/redis cannot be copied. Does it belong to you (else: sudo), and is there room (df -h data)?"
# A redis-server on the copy takes out what must not be in a backup, and shows that the copy can be read.
start_copy "$staging" --appendonly yes
on_copy --scan --pattern '{*}:sealed:*' | sed 's/^/unlink /' | on_copy >/dev/null
jobs=0
for key in $(on_copy --scan --pattern '{*}:all'); do jobs=$((jobs + $(on_copy zcard "$key"))); done
accounts=0
for key in $(on_copy --scan --pattern '{*}:accounts'); do accounts=$((accounts + $(on_copy scard "$key"))); done
[ "$(on_copy save)" = OK ] || refuse "The copy of the queue could not be written. Is the disk full? df -h data"
stop_copy
rm -rf "$staging/appendonlydir"

echo "[2/3] $jobs jobs, $accounts accounts, about $((size_kb / 1024)) MB of files, to $place/$name"
jq -n --arg at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --argjson jobs "$jobs" --argjson accounts "$accounts" \
    --argjson passwords "$passwords" --argjson outputs "$outputs" --arg sha "$(sha256sum <"$staging/redis.rdb" | cut -d ' ' -f 1)" \
    --arg version "$(queue_manager --version)" \
    '{atelier_backup: 1, made_at: $at, version: $version, jobs: $jobs, accounts: $accounts, passwords: $passwords, outputs: $outputs, redis_sha256: $sha}' \
    >"$staging/backup.json"
first=(backup.json redis.rdb)
if [ "$passwords" = true ]; then
    [ -f data/accounts.json ] || refuse "There is no data/accounts.json to take passwords from. Leave --with-passwords out."
    cp data/accounts.json "$staging/"
    first+=(accounts.json)
fi
archive() {
    local status=0
    # What a participant changes meanwhile makes tar answer 1, and is whole in the next backup.
    tar -cf - --warning=no-file-changed --warning=no-file-removed --owner=0 --group=0 -C "$staging" "${first[@]}" \
        -C "$(realpath data)" workflows -C "$(realpath "$data")" --anchored "${left_out[@]}" "${folders[@]}" || status=$?
    [ "$status" -le 1 ]
}
if ! archive | put "$place" "$name" $(((size_kb + 200000) * 1024)); then
    drop "$place" "$name" || true
    refuse "The archive did not become whole, and is not kept. Is there room here (df -h data) and at $place? Then run this again."
fi
settle "$place" "$name"

echo "[3/3] Looking whether it can be read back"
if [ "$(take "${place%/}/$name" | tar -xOf - backup.json | jq -r .redis_sha256)" != "$(jq -r .redis_sha256 "$staging/backup.json")" ]; then
    refuse "${place%/}/$name cannot be read back. Look there for room and rights, then run this again."
fi
echo "Backed up: ${place%/}/$name. scripts/restore.sh ${place%/}/$name brings it back."
