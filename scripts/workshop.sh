# shellcheck shell=bash
# The workshop that runs, on this machine itself or in the Docker stack: its commands and its API. Sourced by the scripts
# of an operator's day, after scripts/processes.sh and scripts/docker.sh.

: "${run_folder:?scripts/processes.sh is sourced first}"
. scripts/usage.sh

# refuse SENTENCE: nothing was done, and this is what to do.
refuse() {
    echo "$1" >&2
    exit 1
}

# need COMMAND…: refuses with the packages to install where one is missing.
need() {
    local command missing=()
    for command in "$@"; do
        command -v "$command" >/dev/null 2>&1 || missing+=("$command")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        refuse "Missing on this machine: ${missing[*]}. Install it (Debian: sudo apt-get install ${missing[*]}), then run this again."
    fi
}

# make_folder FOLDER: it is there and can be written to, or a refusal before anything is done.
make_folder() {
    local said
    if ! said=$({ mkdir -p -- "$1" && mktemp -p "$1" .atelier.XXXXXX; } 2>&1); then
        refuse "$1 cannot be written to (${said##*: }). Give another folder, or run this with sudo."
    fi
    rm -f "$said"
}

# find_workshop: sets $workshop to native, docker or stopped.
workshop=
find_workshop() {
    if is_running queue-manager; then
        workshop=native
    elif docker_runs && have_docker && [[ $(condition queue-manager) =~ ^(healthy|starting|running|unhealthy)$ ]]; then
        workshop=docker
    else
        workshop=stopped
    fi
}

# need_workshop: refuses where nothing runs, and in Docker anybody but root.
need_workshop() {
    find_workshop
    if [ "$workshop" = stopped ]; then
        refuse "No workshop runs in this folder. $(start_command) starts it, then run this again."
    fi
    if [ "$workshop" = docker ]; then need_root; fi
}

# its_setting NAME DEFAULT: what the queue-manager that runs here was started with.
its_setting() {
    local line value=$2
    while IFS= read -r -d '' line; do
        case "$line" in "$1="?*) value=${line#*=} ;; esac
    done <"/proc/$(cat "$run_folder/queue-manager.pid")/environ"
    echo "$value"
}

# program NAME: one of our programs, from where the running queue-manager was started.
program() {
    local running
    running=$(readlink "/proc/$(cat "$run_folder/queue-manager.pid")/exe")
    echo "$(dirname "${running% (deleted)}")/$1"
}

# queue_manager ARGUMENT…: an operator's command, with the settings of the one that runs.
queue_manager() {
    local settings program name
    if [ "$workshop" = docker ]; then
        # shellcheck disable=SC2154 # have_docker fills it
        "${compose[@]}" exec -T queue-manager queue-manager "$@" </dev/null
    else
        mapfile -d '' settings <"/proc/$(cat "$run_folder/queue-manager.pid")/environ"
        program=$(program queue-manager)
        # Not as arguments of env, which everybody on this machine can read.
        (
            { for name in $(compgen -e); do unset "$name" || true; done; } 2>/dev/null
            { for name in "${settings[@]}"; do export "${name?}" || true; done; } 2>/dev/null
            exec "$program" "$@"
        )
    fi
}

# sign_in_file: who can sign in, or a refusal.
sign_in_file() {
    if ! jq -e '.instructor.password and .urls.seats' data/sign-ins.json >/dev/null 2>&1; then
        refuse "data/sign-ins.json does not say how the instructor signs in. $(start_command) writes it: run that, then this again."
    fi
    echo data/sign-ins.json
}

# ask URL-PATH CURL-ARGUMENT…: a request as the instructor, whose password is not an argument that others can read.
ask() {
    local path=$1 file at way=()
    shift
    file=$(sign_in_file)
    if [ "$workshop" = native ]; then
        at=http://$(its_setting ATELIER_BIND 127.0.0.1:3000)
    else
        at=$(jq -r .urls.seats "$file")
        if [ -s data/run/connect-to ]; then way=(--connect-to "$(cat data/run/connect-to)"); fi
    fi
    # On this machine: what the certificate is worth to browsers is checked when nginx starts.
    curl -sSk "${way[@]+"${way[@]}"}" --max-time 60 "$@" "$at$path" \
        -K <(jq -r '"user = " + (.instructor.name + ":" + .instructor.password | tojson)' "$file")
}

# api METHOD PATH [JSON]: prints what the API answers; a refusal is said and fails.
api() {
    local answer body=()
    if [ $# -gt 2 ]; then body=(--json "$3"); fi
    if ! answer=$(ask "/api/v1$2" -X "$1" "${body[@]+"${body[@]}"}" -w '\n%{http_code}'); then
        echo "The workshop does not answer. scripts/status.sh says how it is." >&2
        return 1
    fi
    case "${answer##*$'\n'}" in
        2*) echo "${answer%$'\n'*}" ;;
        *)
            echo "$1 $2: $(jq -r '.detail // .title // "no reason given"' <<<"${answer%$'\n'*}" 2>/dev/null)" >&2
            return 1
            ;;
    esac
}

# lock_accounts: one script at a time changes who can sign in.
lock_accounts() {
    mkdir -p "$run_folder"
    exec 9>"$run_folder/start.lock"
    flock -n 9 || refuse "Another script is changing the accounts of this folder. Wait for it, then run this again."
}

# tell MADE: prints [{name, password}] that the queue-manager made, and keeps them in the files that hold passwords: those of
# participants, and of the instructor as whom these scripts sign in.
tell() {
    local file old roles
    jq -r '.[] | "  " + .name + "   " + .password' <<<"$1"
    roles=$(queue_manager user list --json)
    old=$(umask)
    umask 077
    for file in data/accounts.json data/sign-ins.json; do
        if [ ! -f "$file" ]; then continue; fi
        jq --slurpfile made <(printf %s "$1") --slurpfile roles <(printf %s "$roles") 'reduce $made[0][] as $one (.;
            if .instructor.name == $one.name then .instructor.password = $one.password
            elif any($roles[0][]; .name == $one.name and .role == "instructor") then .
            else .participants |= (map(select(.name != $one.name)) + [$one] | sort_by(.name)) end)' "$file" >"$file.new"
        mv "$file.new" "$file"
    done
    umask "$old"
}

# plain_name NAME: refuses what cannot be an account.
plain_name() {
    if [[ ! $1 =~ ^[a-z0-9][a-z0-9_-]{0,31}$ ]]; then
        echo "'$1' cannot be a name: 1 to 32 of a-z 0-9 - _, beginning with a letter or a digit." >&2
        exit 2
    fi
}
