# shellcheck shell=bash
# Background processes of the demo: each has a pid file in data/run and a log in data/log. Sourced by the other scripts.

run_folder=data/run
log_folder=data/log

# is_running NAME: whether the process that was started under this name lives. A pid that another program got since,
# after a reboot say, does not work in this folder.
is_running() {
    local pid
    pid=$(cat "$run_folder/$1.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ "$(readlink "/proc/$pid/cwd")" = "$PWD" ]
}

# numbered NAME: NAME-1, NAME-2 … of all that were started.
numbered() {
    local file
    for file in "$run_folder/$1"-*.pid; do
        if [ -e "$file" ]; then basename "$file" .pid; fi
    done | sort -V
}

# start_process NAME COMMAND…: starts it once, detached from this terminal.
start_process() {
    local name=$1
    shift
    is_running "$name" && return 0
    mkdir -p "$run_folder" "$log_folder"
    # Not the lock of the script that starts it.
    setsid "$@" >>"$log_folder/$name.log" 2>&1 </dev/null 9>&- &
    echo $! >"$run_folder/$name.pid"
}

# stop_process NAME SECONDS [SIGNAL]: asks it to stop, waits, and only then kills it.
stop_process() {
    local pid tenth
    if is_running "$1"; then
        pid=$(cat "$run_folder/$1.pid")
        kill -"${3:-TERM}" "$pid" 2>/dev/null || true
        for ((tenth = 0; tenth < $2 * 10; tenth++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        if kill -0 "$pid" 2>/dev/null; then
            echo "$1 did not stop within $2 s and was killed" >&2
            kill -KILL "$pid"
        fi
    fi
    rm -f "$run_folder/$1.pid"
}

# wait_for SECONDS NAME COMMAND…: repeats the command until it succeeds, or shows the end of the log.
wait_for() {
    local seconds=$1 name=$2 tenth
    shift 2
    for ((tenth = 0; tenth < seconds * 5; tenth++)); do
        # In this order: somebody else's server on our port must not pass for ours.
        if ! is_running "$name"; then break; fi
        "$@" >/dev/null 2>&1 && is_running "$name" && return 0
        sleep 0.2
    done
    echo "$name did not come up. The end of $log_folder/$name.log:" >&2
    tail -n 15 "$log_folder/$name.log" >&2 || true
    return 1
}
