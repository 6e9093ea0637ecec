#!/usr/bin/env bash
# Makes this GPU box a worker of a workshop: fetches the worker that belongs to the server, starts it, and starts it again
# whenever it ends. Needs curl, and the network (Tailscale) that leads to the server.
# usage: join-worker.sh ADDRESS [JOIN-TOKEN] [OPTION…]
#        join-worker.sh --stop | --status [--folder FOLDER]
#   ADDRESS               the server's worker listener, http://100.64.0.1:3443
#   JOIN-TOKEN            from `scripts/join-token.sh NAME` on the server; only the first time in a folder
#   --comfyui URL         the ComfyUI beside this worker; http://127.0.0.1:8188 without it
#   --comfyui-command C   a shell command that starts ComfyUI there; the worker starts and restarts it
#   --comfyui-folder F    ComfyUI's own folder: the worker removes there what its jobs left, after a day
#   --folder FOLDER       what belongs to this worker; ~/atelier-worker without it. A second GPU needs another one
#   --systemd             run it as a systemd service: of the system when you are root, else of you
#   --print-unit          print that unit and change nothing else
#   --stop                let the worker finish or give back its job, and end
#   --status              say whether it runs, and the end of its log
#   ATELIER_WORKER_PROXY  http://HOST:PORT or socks5://HOST:PORT that leads there, for userspace Tailscale; also WORKER_PROXY
# Safe to run again: it updates the worker to the server's version, keeps its token and what it was told before, and restarts it
# if something changed. --comfyui-command '' takes a command back.
# From the server itself: curl -fsS http://100.64.0.1:3443/join.sh | bash -s -- http://100.64.0.1:3443 JOIN-TOKEN
set -euo pipefail

# usage STATUS [WRONG]: with another status than 0 as a complaint, and first what is wrong with the arguments.
usage() {
    if [ "$1" -ne 0 ]; then exec >&2; fi
    if [ -n "${2:-}" ]; then printf '%s\n\n' "$2"; fi
    cat <<'USAGE'
usage: join-worker.sh ADDRESS [JOIN-TOKEN] [OPTION…]
       join-worker.sh --stop | --status [--folder FOLDER]
  ADDRESS               the server's worker listener, http://100.64.0.1:3443
  JOIN-TOKEN            from `scripts/join-token.sh NAME` on the server; only the first time in a folder
  --comfyui URL         the ComfyUI beside this worker; http://127.0.0.1:8188 without it
  --comfyui-command C   a shell command that starts ComfyUI there; the worker starts and restarts it
  --comfyui-folder F    ComfyUI's own folder: the worker removes there what its jobs left, after a day
  --folder FOLDER       what belongs to this worker; ~/atelier-worker without it. A second GPU needs another one
  --systemd             run it as a systemd service: of the system when you are root, else of you
  --print-unit          print that unit and change nothing else
  --stop                let the worker finish or give back its job, and end
  --status              say whether it runs, and the end of its log
  ATELIER_WORKER_PROXY  http://HOST:PORT or socks5://HOST:PORT that leads there, for userspace Tailscale; also WORKER_PROXY
USAGE
    exit "$1"
}

refuse() {
    echo "$1" >&2
    exit 1
}

step() { echo "[$1/4] $2"; }

# running: the process id of what keeps the worker up, if it lives and is ours.
running() {
    local pid
    pid=$(cat "$folder/pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && grep -qs -- "$folder/keep.sh" "/proc/$pid/cmdline" && echo "$pid"
}

# kept NAME DEFAULT: what the worker of this folder was given the last time.
kept() {
    if [ -f "$folder/run.sh" ]; then
        # shellcheck source=/dev/null
        (. <(grep "^export $1=" "$folder/run.sh") && printf %s "${!1}")
    else
        printf %s "$2"
    fi
}

# exchange OUTPUT TOKEN METHOD PATH: prints the status; the token goes by standard input, not as an argument others can read.
exchange() {
    local proxied=()
    if [ -n "$proxy" ]; then proxied=(--proxy "${proxy/#socks5:/socks5h:}" --noproxy ''); else proxied=(--noproxy '*'); fi
    printf 'header = "Authorization: Bearer %s"\n' "$2" |
        curl -sS -K - "${proxied[@]}" --connect-timeout 15 -o "$1" -w '%{http_code}' -X "$3" "$address$4"
}

unreachable() {
    echo "$address does not answer. Look at these, then run this again:" >&2
    echo "  - is Tailscale up on this box (tailscale status), and does its policy let it reach the server's port?" >&2
    echo "  - does the server listen for workers there (ATELIER_WORKER_BIND)?" >&2
    echo "  - without a network device (userspace Tailscale), set ATELIER_WORKER_PROXY=socks5://127.0.0.1:1055" >&2
    exit 1
}

# own_token: this folder's token, exchanged for the join token the first time.
own_token() {
    local status line
    if [ -s "$folder/token" ]; then
        status=$(exchange "$folder/worker.sha256" "$(cat "$folder/token")" GET /worker.sha256) || unreachable
        if [ "$status" != 401 ]; then return 0; fi
        echo "The token in $folder is worth nothing any more: it was revoked." >&2
        rm -f "$folder/token"
    fi
    if [ -z "$join_token" ]; then
        refuse "A join token is needed. On the server: scripts/join-token.sh NAME. Then: join-worker.sh $address JOIN-TOKEN"
    fi
    status=$(exchange "$folder/joined" "$join_token" POST /join) || unreachable
    case "$status" in
        201) ;;
        401) refuse "This join token was used already, was revoked, or is older than a day. On the server, scripts/join-token.sh NAME makes another." ;;
        404) refuse "$address is no worker listener of a queue-manager that workers can join. Is it the port of the link (3443)?" ;;
        *) refuse "The server answered $status to the join token. Its log says why; run this again." ;;
    esac
    line=$(cat "$folder/joined")
    rm -f "$folder/joined"
    echo "${line%% *}" >"$folder/name"
    echo "${line#* }" >"$folder/token"
}

# fetch_worker: the server's worker, checked against its hash; sets $changed when it is another one than before.
fetch_worker() {
    local status
    status=$(exchange "$folder/worker.sha256" "$(cat "$folder/token")" GET /worker.sha256) || unreachable
    if [ "$status" != 200 ]; then
        refuse "The server has no worker to fetch (it answered $status). On the server, ATELIER_WORKER_PROGRAM must name the file."
    fi
    if (cd "$folder" && sha256sum --check --status worker.sha256 2>/dev/null); then return 0; fi
    mkdir -p "$folder/new"
    status=$(exchange "$folder/new/worker" "$(cat "$folder/token")" GET /worker) || unreachable
    if [ "$status" != 200 ] || ! (cd "$folder/new" && sha256sum --check --status ../worker.sha256); then
        refuse "The worker arrived damaged or not at all (status $status). Run this again."
    fi
    chmod 700 "$folder/new/worker"
    if ! "$folder/new/worker" --version >/dev/null 2>"$folder/new/why"; then
        cat "$folder/new/why" >&2
        refuse "The server's worker does not run on this box ($(uname -m)): it was built for another system. docs/deploy.md says how to build one for this box and where to put it."
    fi
    mv "$folder/new/worker" "$folder/worker"
    changed=yes
}

# put FILE: from standard input; sets $changed when it is another one than before.
put() {
    cat >"$folder/$1.new"
    if cmp -s "$folder/$1.new" "$folder/$1"; then
        rm "$folder/$1.new"
    else
        mv "$folder/$1.new" "$folder/$1"
        changed=yes
    fi
}

write_programs() {
    put run.sh <<RUN
#!/usr/bin/env bash
# The worker with its settings; written by join-worker.sh.
export ATELIER_QUEUE_MANAGER=$(printf %q "$address")
export ATELIER_WORKER_TOKEN_FILE=$(printf %q "$folder/token")
export ATELIER_COMFYUI_URL=$(printf %q "$comfyui")
export ATELIER_COMFYUI_COMMAND=$(printf %q "$comfyui_command")
export ATELIER_WORKER_PROXY=$(printf %q "$proxy")
export ATELIER_COMFYUI_FOLDER=$(printf %q "$comfyui_folder")
export ATELIER_WORKER_CACHE=$(printf %q "$folder/cache")
cd $(printf %q "$folder")
exec ./worker
RUN
    put keep.sh <<'KEEP'
#!/usr/bin/env bash
# Starts the worker again whenever it ends by itself; asked to stop, passes that on. Written by join-worker.sh.
cd "$(dirname "$0")" || exit 1
asked=
trap 'asked=yes; kill -TERM "$worker" 2>/dev/null' TERM
wait_s=2
while [ -z "$asked" ]; do
    # One old log is kept, so that a worker that cannot start does not fill the disk.
    if [ "$(stat -c %s worker.log 2>/dev/null || echo 0)" -gt 20000000 ]; then mv worker.log worker.log.1; fi
    started=$SECONDS
    bash run.sh >>worker.log 2>&1 &
    worker=$!
    wait "$worker"
    # A signal ends the wait, not the worker.
    while [ -n "$asked" ] && kill -0 "$worker" 2>/dev/null; do wait "$worker"; done
    if [ -n "$asked" ]; then break; fi
    if [ $((SECONDS - started)) -gt 60 ]; then wait_s=2; fi
    echo "the worker ended; it is started again in $wait_s s" >>worker.log
    sleep "$wait_s" &
    wait $!
    wait_s=$((wait_s < 60 ? wait_s * 2 : 60))
done
rm -f pid
KEEP
}

unit() {
    cat <<UNIT
[Unit]
Description=Atelier worker in $folder
Wants=network-online.target
After=network-online.target tailscaled.service

[Service]
ExecStart=/usr/bin/env bash "$folder/run.sh"
Restart=always
RestartSec=5
# It finishes or gives back its job, and says good-bye.
TimeoutStopSec=60
KillMode=mixed
NoNewPrivileges=yes

[Install]
WantedBy=$([ "$(id -u)" -eq 0 ] && echo multi-user.target || echo default.target)
UNIT
}

systemctl_here() { if [ "$(id -u)" -eq 0 ]; then systemctl "$@"; else systemctl --user "$@"; fi; }

# unit_file: where the unit of this folder's worker is or would be.
unit_file() {
    if [ "$(id -u)" -eq 0 ]; then echo "/etc/systemd/system/$unit_name"; else echo "$HOME/.config/systemd/user/$unit_name"; fi
}

# has_unit: whether systemd keeps this folder's worker up.
has_unit() { grep -qsF "\"$folder/run.sh\"" "$(unit_file)" && systemctl_here is-enabled --quiet "$unit_name"; }

start_with_systemd() {
    local file
    file=$(unit_file)
    mkdir -p "$(dirname "$file")"
    if [ "$(unit)" != "$(cat "$file" 2>/dev/null)" ]; then
        unit >"$file"
        changed=yes
    fi
    stop_worker
    systemctl_here daemon-reload
    systemctl_here enable --quiet "$unit_name"
    if [ -z "$changed" ] && systemctl_here is-active --quiet "$unit_name"; then
        echo "The worker runs already, as it should, as $unit_name."
        return 0
    fi
    systemctl_here restart "$unit_name"
    echo "Runs as $unit_name; its log: journalctl $([ "$(id -u)" -eq 0 ] || echo --user) -u $unit_name"
    if [ "$(id -u)" -ne 0 ]; then echo "So that it runs while you are not signed in here: loginctl enable-linger"; fi
}

stop_worker() {
    local pid tenth
    pid=$(running) || return 0
    kill -TERM "$pid" 2>/dev/null || true
    for ((tenth = 0; tenth < 450; tenth++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    echo "The worker did not stop within 45 s and was killed; its job goes back to the queue." >&2
    pkill -KILL -P "$pid" 2>/dev/null || true
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$folder/pid"
}

start_worker() {
    if running >/dev/null; then
        if [ -z "$changed" ]; then
            echo "The worker runs already, as it should. Its log: $folder/worker.log"
            return 0
        fi
        echo "Something changed: the worker is started anew (it finishes or gives back its job first) …"
        stop_worker
    fi
    # The log of this start begins here.
    local before tenth
    before=$(stat -c %s "$folder/worker.log" 2>/dev/null || echo 0)
    setsid bash "$folder/keep.sh" </dev/null >/dev/null 2>&1 &
    echo $! >"$folder/pid"
    for ((tenth = 0; tenth < 100; tenth++)); do
        if tail -c "+$((before + 1))" "$folder/worker.log" 2>/dev/null | grep 'the link is open' >/dev/null; then
            # The queue-manager says at once whether it may take jobs.
            sleep 0.5
            if tail -c "+$((before + 1))" "$folder/worker.log" | grep 'draining: no further' >/dev/null; then
                echo "Connected, and it was told before to take no jobs: scripts/end-day.sh --undo on the server, or Resume on the dashboard." >&2
            fi
            echo "Connected. Its log: $folder/worker.log; join-worker.sh --stop --folder $folder stops it."
            return 0
        fi
        sleep 0.1
    done
    echo "Started, and not connected yet; it goes on trying. The end of $folder/worker.log:" >&2
    tail -n 5 "$folder/worker.log" >&2 || true
}

status_of_worker() {
    if has_unit; then
        systemctl_here status --no-pager --lines=5 "$unit_name"
        return
    fi
    if pid=$(running); then
        echo "runs (pid $pid), keeps up the worker $(cat "$folder/name" 2>/dev/null)"
    else
        echo "does not run from here"
    fi
    tail -n 5 "$folder/worker.log" 2>/dev/null || true
    [ -n "${pid:-}" ]
}

main() {
    local comfyui=${ATELIER_COMFYUI_URL:-${COMFYUI_URL:-}} proxy=${ATELIER_WORKER_PROXY:-${WORKER_PROXY:-}} comfyui_command comfyui_folder
    if [ -n "${ATELIER_COMFYUI_COMMAND:-}" ]; then comfyui_command=$ATELIER_COMFYUI_COMMAND; fi
    if [ -n "${ATELIER_COMFYUI_FOLDER:-}" ]; then comfyui_folder=$ATELIER_COMFYUI_FOLDER; fi
    address='' join_token='' folder=$HOME/atelier-worker how=start changed=''
    while [ $# -gt 0 ]; do
        case "$1" in
            -h | --help) usage 0 ;;
            --comfyui | --comfyui-command | --comfyui-folder | --folder)
                [ $# -gt 1 ] || usage 2 "$1 needs a value."
                case "$1" in
                    --comfyui) comfyui=$2 ;;
                    --comfyui-command) comfyui_command=$2 ;;
                    --comfyui-folder) comfyui_folder=$2 ;;
                    --folder) folder=$2 ;;
                esac
                shift
                ;;
            --systemd | --print-unit | --stop | --status) how=${1#--} ;;
            http://*) address=${1%/} ;;
            -*) usage 2 "$1 is no option of this script." ;;
            *://*) usage 2 "The server's address begins with http:// (within Tailscale, which encrypts), and not as $1." ;;
            *)
                [ -z "$join_token" ] || usage 2 "One join token only; an address begins with http://."
                join_token=$1
                ;;
        esac
        shift
    done
    case "$folder" in /*) ;; *) folder=$PWD/$folder ;; esac
    folder=${folder%/}
    unit_name=atelier-$(basename "$folder").service
    case "$how" in
        print-unit) unit && return ;;
        stop)
            if has_unit; then
                systemctl_here stop "$unit_name"
                echo "Stopped until the next boot, or until join-worker.sh starts it again; systemctl disable $unit_name is for good."
            elif ! running >/dev/null; then
                echo "No worker runs from $folder."
            fi
            stop_worker
            return
            ;;
        status)
            status_of_worker
            return
            ;;
    esac
    [ -n "$address" ] || usage 2 "The server's address is missing: http://HOST:PORT."
    for command in curl sha256sum setsid; do
        command -v "$command" >/dev/null 2>&1 || refuse "$command is missing on this box. Install it, then run this again."
    done
    if [ "$how" = systemd ] && [ ! -d /run/systemd/system ]; then
        refuse "systemd does not run on this box (a container?). Leave --systemd out: the worker is kept up without it."
    fi
    if has_unit; then how=systemd; fi
    comfyui=${comfyui:-$(kept ATELIER_COMFYUI_URL http://127.0.0.1:8188)} proxy=${proxy:-$(kept ATELIER_WORKER_PROXY '')}
    comfyui_command=${comfyui_command-$(kept ATELIER_COMFYUI_COMMAND '')} comfyui_folder=${comfyui_folder-$(kept ATELIER_COMFYUI_FOLDER '')}
    case "$comfyui_folder" in /* | '') ;; *) comfyui_folder=$PWD/$comfyui_folder ;; esac
    umask 077
    mkdir -p "$folder"
    step 1 "Joining $address"
    own_token
    step 2 "Fetching the server's worker"
    fetch_worker
    step 3 "Looking for ComfyUI at $comfyui"
    if ! curl -fsS --noproxy '*' --max-time 5 "$comfyui/system_stats" >/dev/null 2>&1 && [ -z "$comfyui_command" ]; then
        echo "No ComfyUI answers there yet. The worker waits for it; start it with --listen 127.0.0.1, or give --comfyui-command." >&2
    fi
    step 4 "Starting the worker $(cat "$folder/name" 2>/dev/null)"
    write_programs
    if [ "$how" = systemd ]; then start_with_systemd; else start_worker; fi
}

# Last, so that half a download runs nothing.
main "$@"
