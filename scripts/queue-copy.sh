# shellcheck shell=bash
# A redis-server on a copy of the queue, in a folder of its own and without a port: from the system, or in a container of the
# stack's image where the system has none. Sourced by backup.sh and restore.sh, which set $staging.

copy_pid='' copy_container=

# need_redis: one of the two ways must be there.
need_redis() {
    if command -v redis-server >/dev/null 2>&1 && command -v redis-cli >/dev/null 2>&1; then return 0; fi
    if command -v docker >/dev/null 2>&1 && docker image inspect "$(redis_image)" >/dev/null 2>&1; then return 0; fi
    refuse "A redis-server is needed to read the queue's copy. Install it (Debian: apt-get install redis-server), then run this again."
}

redis_image() { echo "atelier-redis:$(sed -n 's/^ATELIER_VERSION=//p' .env 2>/dev/null | grep . || echo local)"; }

# start_copy FOLDER OPTION…: begins, and waits until what is there is loaded.
start_copy() {
    local folder=$1 tenth
    shift
    local all=(--port 0 --unixsocket copy.sock --save '' --dbfilename redis.rdb --logfile copy.log "$@")
    if command -v redis-server >/dev/null 2>&1; then
        (cd "$folder" && exec redis-server "${all[@]}" >/dev/null 2>&1) &
        copy_pid=$!
    else
        copy_container=$(docker run -d --rm --network none --user "$(id -u):$(id -g)" --volume "$(realpath "$folder"):/copy" \
            --workdir /copy --entrypoint redis-server "$(redis_image)" "${all[@]}")
    fi
    copy_folder=$folder
    for ((tenth = 0; tenth < 6000; tenth++)); do
        if [ "$(on_copy ping 2>/dev/null)" = PONG ]; then return 0; fi
        if ! copy_lives; then break; fi
        sleep 0.1
    done
    refuse "The copy of the queue cannot be read: $(tail -n 1 "$folder/copy.log" 2>/dev/null)"
}

copy_lives() {
    if [ -n "$copy_pid" ]; then kill -0 "$copy_pid" 2>/dev/null; else [ -n "$(docker ps -q --filter "id=$copy_container")" ]; fi
}

# on_copy COMMAND…: asks it.
on_copy() {
    if [ -n "$copy_pid" ]; then
        redis-cli -s "$copy_folder/copy.sock" "$@"
    else
        docker exec -i "$copy_container" redis-cli -s copy.sock "$@"
    fi
}

# stop_copy: ends it, in whatever state it is.
stop_copy() {
    if [ -n "$copy_pid$copy_container" ]; then on_copy shutdown nosave >/dev/null 2>&1 || true; fi
    if [ -n "$copy_pid" ]; then
        kill "$copy_pid" 2>/dev/null || true
        wait "$copy_pid" 2>/dev/null || true
    elif [ -n "$copy_container" ]; then
        docker kill "$copy_container" >/dev/null 2>&1 || true
    fi
    copy_pid='' copy_container=
    rm -f "${copy_folder:-.}/copy.sock" "${copy_folder:-.}/copy.log"
}

# copy_log FROM TO: the files of a running Redis's log as of now. They only grow, and its end may be cut; only while it is
# being rewritten is another set of files the right one.
copy_log() {
    local from=$1/appendonlydir to=$2/appendonlydir try before name
    for ((try = 0; try < 20; try++)); do
        rm -rf "$to"
        mkdir -p "$to"
        before=$(cat "$from/appendonly.aof.manifest" 2>/dev/null) || { sleep 0.5; continue; }
        echo "$before" >"$to/appendonly.aof.manifest"
        while read -r _ name _; do cp "$from/$name" "$to/" 2>/dev/null || true; done <<<"$before"
        if [ "$before" = "$(cat "$from/appendonly.aof.manifest")" ]; then return 0; fi
        sleep 0.5
    done
    return 1
}
