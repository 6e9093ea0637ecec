#!/usr/bin/env bash
# Brings a backup back into this folder, where no workshop runs and none is kept yet.
# usage: scripts/restore.sh [--aside] BACKUP
#   BACKUP    an archive of scripts/backup.sh: a file, s3://BUCKET/NAME.tar or rclone's REMOTE:NAME.tar
#   --aside   move the workshop that is kept here to data/before-restore-DATE first
# Then scripts/start.sh goes on with its jobs, accounts and files. What was running at the moment of the backup runs again.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh
. scripts/places.sh
. scripts/queue-copy.sh

backup='' aside=
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        --aside) aside=yes ;;
        -*) usage 2 "$argument is no option of this script." ;;
        *)
            [ -z "$backup" ] || usage 2 "One backup at a time: $backup or $argument."
            backup=$argument
            ;;
    esac
done
[ -n "$backup" ] || usage 2 "Say which backup."
need jq tar
need_redis
if [ "$(kind_of "$backup")" = folder ] && [ ! -f "$backup" ]; then
    refuse "There is no file $backup. scripts/backup.sh says at its end where it put one."
fi
if is_for_docker; then need_root; fi
find_workshop
if [ "$workshop" != stopped ]; then
    refuse "A workshop runs in this folder. Stop it first: scripts/stop.sh."
fi
if command -v redis-cli >/dev/null 2>&1 && redis-cli -s data/redis/redis.sock ping >/dev/null 2>&1; then
    refuse "The Redis of this folder still runs. scripts/stop.sh stops it."
fi
umask 077
make_folder data
staging=$(mktemp -d data/restore.XXXXXX)
tidy() {
    stop_copy
    rm -rf "$staging"
}
trap tidy EXIT
trap 'exit 130' INT TERM

kept=()
for item in data/redis data/files data/seats data/accounts.json; do
    if [ -d "$item" ]; then
        if [ -n "$(find "$item" -type f -print -quit)" ]; then kept+=("$item"); fi
    elif [ -e "$item" ]; then
        kept+=("$item")
    fi
done
if [ ${#kept[@]} -gt 0 ] && [ -z "$aside" ]; then
    refuse "A workshop is kept here already (${kept[*]}). --aside moves it out of the way; nothing is deleted."
fi

echo "[1/3] Unpacking and checking"
take "$backup" | tar -xf - -C "$staging" --no-same-owner || refuse "$backup cannot be unpacked: it is no archive, it is damaged, or the disk is full (df -h data)."
if ! jq -e '.atelier_backup == 1' "$staging/backup.json" >/dev/null 2>&1; then
    refuse "$backup is no backup of scripts/backup.sh, or of a newer version than this one."
fi
if [ "$(sha256sum <"$staging/redis.rdb" | cut -d ' ' -f 1)" != "$(jq -r .redis_sha256 "$staging/backup.json")" ]; then
    refuse "$backup is damaged: the queue in it is not what was stored. Take an older one."
fi

echo "[2/3] Making the queue of it"
mkdir "$staging/redis"
mv "$staging/redis.rdb" "$staging/redis/"
# The queue-manager's Redis keeps a log; a server that reads the snapshot and is told to keep one writes it.
start_copy "$staging/redis" --appendonly no
on_copy config set appendonly yes >/dev/null
for ((tenth = 0; tenth < 1200; tenth++)); do
    written=$(on_copy info persistence | tr -d '\r' | grep -cE '^aof_(rewrite_in_progress|rewrite_scheduled):0$') || true
    if [ "$written" -eq 2 ]; then break; fi
    sleep 0.1
done
on_copy info persistence | grep -q '^aof_last_bgrewrite_status:ok' || refuse "The queue could not be written. Is the disk full? df -h data"
stop_copy
rm -f "$staging/redis/redis.rdb"

echo "[3/3] Putting everything in its place"
if [ ${#kept[@]} -gt 0 ]; then
    before=data/before-restore-$(date -u +%Y%m%d-%H%M%S)
    mkdir "$before"
    for item in data/redis data/files data/seats data/accounts.json data/sign-ins.json; do
        if [ -e "$item" ]; then mv "$item" "$before/"; fi
    done
    echo "What was here is in $before."
fi
# The workers' tokens of this folder belong to another queue.
for file in data/gpu-*.token; do if [ -e "$file" ]; then : >"$file"; fi; done
rm -f data/sign-ins.json
rm -rf data/redis data/files data/seats
mv "$staging/files" data/files
if [ -d "$staging/seats" ]; then mv "$staging/seats" data/seats; fi
# Examples that are here are the repository's, or somebody's newer ones.
mkdir -p data/workflows
for file in "$staging"/workflows/*; do
    if [ -e "$file" ] && [ ! -e "data/workflows/${file##*/}" ]; then mv "$file" data/workflows/; fi
done
mv "$staging/redis" data/redis
if [ -f "$staging/accounts.json" ]; then mv "$staging/accounts.json" data/accounts.json; fi
jq -r '"Restored: \(.jobs) jobs and \(.accounts) accounts as of \(.made_at)." +
    (if .outputs then "" else " The files that jobs made were not part of this backup." end)' "$staging/backup.json"
start=$(start_command)
if [ -f data/accounts.json ]; then
    echo "Passwords are as they were: cards stay good. $start starts it."
else
    echo "The backup holds no passwords. $start --participants N starts it and gives user001 to N and the instructor"
    echo "new ones; scripts/reset-passwords.sh does so for people with other names. Then print cards again."
fi
