#!/usr/bin/env bash
# Makes nginx's configuration from the folder nginx/ and checks it.
# usage: scripts/render-nginx.sh FOLDER
#   FOLDER gets nginx.conf and its parts, logs, the pid file and temporary files.
#   ATELIER_LISTEN=127.0.0.1            where nginx listens
#   ATELIER_PORT=8080                   seats and API; 8443 with TLS
#   ATELIER_ADMIN_PORT=8081             the dashboard; with TLS and ATELIER_ADMIN_NAME, ATELIER_PORT
#   ATELIER_BIND=127.0.0.1:3000         where the queue-manager is; a name is looked up while running
#   ATELIER_QUEUE_MANAGERS=             where they are when there are several, commas between: HOST:PORT,HOST:PORT
#   ATELIER_ADMIN_BIND=127.0.0.1:3001   where the dashboard is
#   ATELIER_TLS_CERTIFICATE=            serve https: certificate with its chain, from any source (your own, ACME, tailscale cert)
#   ATELIER_TLS_KEY=                    its key
#   ATELIER_SERVER_NAME=localhost       names and addresses of the seats, spaces between
#   ATELIER_ADMIN_NAME=                 the dashboard's own name; without it, its own port
#   ATELIER_HTTP_PORT=                  also listen here, for ACME's challenges (FOLDER/acme) and to redirect to https
#   ATELIER_RESOLVER=                   name server, where servers behind are given by name; Docker's is 127.0.0.11
#   ATELIER_CONNECTIONS_PER_ADDRESS=600 a whole room may share one address
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    '' | -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        if [ -n "${1:-}" ]; then exit 0; else exit 2; fi
        ;;
esac

refuse() {
    echo "$1" >&2
    exit 1
}

mkdir -p "$1"
folder=$(cd "$1" && pwd)
case "$folder" in
    *[\|\&\;\"\ ]*) refuse "nginx cannot use a folder with spaces or | & ; \" in its path: $folder" ;;
esac

certificate=${ATELIER_TLS_CERTIFICATE:-} key=${ATELIER_TLS_KEY:-} keep=PLAIN drop=TLS redirect=
if [ -n "$certificate$key" ]; then
    if [ -z "$certificate" ] || [ -z "$key" ]; then refuse "https needs both ATELIER_TLS_CERTIFICATE and ATELIER_TLS_KEY."; fi
    for file in "$certificate" "$key"; do [ -r "$file" ] || refuse "$file cannot be read."; done
    if ! openssl x509 -in "$certificate" -noout -checkend 0 >/dev/null 2>&1; then
        refuse "$certificate is no certificate, or it has expired. Ask for a new one where you got it."
    fi
    if [ "$(openssl x509 -in "$certificate" -noout -pubkey 2>/dev/null)" != "$(openssl pkey -in "$key" -pubout 2>/dev/null)" ]; then
        refuse "$key is not the key of $certificate."
    fi
    names=${ATELIER_SERVER_NAME:-localhost}
    for name in $names ${ATELIER_ADMIN_NAME:-}; do
        case "$name" in *[!0-9.]*) check=-checkhost ;; *) check=-checkip ;; esac
        if openssl x509 -in "$certificate" -noout "$check" "$name" | grep -q 'NOT match'; then
            refuse "$certificate is not for $name: browsers would refuse it. It is for $(openssl x509 -in "$certificate" -noout -ext subjectAltName | tail -n +2 | xargs)."
        fi
    done
    if ! openssl x509 -in "$certificate" -noout -checkend 259200 >/dev/null; then
        echo "$certificate expires within three days." >&2
    fi
    certificate=$(realpath "$certificate") key=$(realpath "$key") keep=TLS drop=PLAIN
    if [ -n "${ATELIER_HTTP_PORT:-}" ]; then redirect=yes; fi
fi
port=${ATELIER_PORT:-$([ $keep = TLS ] && echo 8443 || echo 8080)}
admin_port=${ATELIER_ADMIN_PORT:-$([ -n "${ATELIER_ADMIN_NAME:-}" ] && echo "$port" || echo 8081)}

# An address becomes an upstream, whose connections are kept; a name is looked up while running. Of several, whoever does not
# answer is left out for ten seconds.
upstreams=
backend() { # NAME HOST:PORT[,HOST:PORT…]
    local one servers=
    case "$2" in
        [0-9]* | \[*)
            for one in ${2//,/ }; do
                case "$one" in [0-9]*:[0-9]* | \[*\]:[0-9]*) servers+="server $one; " ;; *) refuse "'$one' is no ADDRESS:PORT." ;; esac
            done
            upstreams+="upstream $1 { ${servers}keepalive 32; } "
            target=$1
            ;;
        *,*) refuse "Several queue-managers are given by address, not by name: $2" ;;
        *)
            [ -n "${ATELIER_RESOLVER:-}" ] || refuse "$2 is a name: ATELIER_RESOLVER must say which name server knows it."
            target=$2
            ;;
    esac
}
backend queue_manager "${ATELIER_QUEUE_MANAGERS:-${ATELIER_BIND:-127.0.0.1:3000}}" && seats=$target
backend dashboard "${ATELIER_ADMIN_BIND:-127.0.0.1:3001}" && admin=$target

sed -E -e "s|@$keep@ ||" -e "/@$drop@ /d" -e "$([ $keep = TLS ] && [ "$port" != "$admin_port" ] && echo 's|@OWN_PORT@ ||' || echo '/@OWN_PORT@ /d')" -e "$([ -n "$redirect" ] && echo 's|@REDIRECT@ ||' || echo '/@REDIRECT@ /d')" \
    -e "s|@UPSTREAMS@|$upstreams|" \
    -e "s|@RESOLVER@|${ATELIER_RESOLVER:+resolver $ATELIER_RESOLVER valid=5s;}|" \
    -e "s|@FOLDER@|$folder|g" \
    -e "s|@PROCESSES@|${ATELIER_NGINX_PROCESSES:-1}|g" \
    -e "s|@CONNECTIONS@|${ATELIER_CONNECTIONS_PER_ADDRESS:-600}|g" \
    -e "s|@ADDRESS@|${ATELIER_LISTEN:-127.0.0.1}|g" \
    -e "s|@PORT@|$port|g" \
    -e "s|@PORT_SUFFIX@|$([ "$port" = 443 ] || echo ":$port")|g" \
    -e "s|@HTTP_PORT@|${ATELIER_HTTP_PORT:-}|g" \
    -e "s|@ADMIN_PORT@|$admin_port|g" \
    -e "s|@SERVER_NAME@|${ATELIER_SERVER_NAME:-localhost}|g" \
    -e "s|@ADMIN_NAME@|${ATELIER_ADMIN_NAME:-${ATELIER_SERVER_NAME:-localhost}}|g" \
    -e "s|@CERTIFICATE@|$certificate|g" -e "s|@KEY@|$key|g" \
    -e "s|@SEATS@|$seats|g" -e "s|@ADMIN@|$admin|g" \
    nginx/nginx.conf.template >"$folder/nginx.conf"
cp nginx/*.conf "$folder/"
mkdir -p "$folder/acme"
if ! checked=$(nginx -t -q -c "$folder/nginx.conf" -e "$folder/error.log" 2>&1); then
    refuse "nginx does not accept its configuration:
$checked"
fi
