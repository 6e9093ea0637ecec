#!/usr/bin/env bash
# What nginx's container runs: makes the configuration with render-nginx.sh, serves, and takes up a renewed certificate.
# usage: scripts/serve-nginx.sh               until it is told to stop
#        scripts/serve-nginx.sh healthcheck   asks the one that runs; exit code 0 or 1
# Settings are render-nginx.sh's. A certificate that changed is looked at within a minute; one that nginx cannot use is
# refused in the log, and the old one goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=/run/nginx

case "${1:-serve}" in
    serve) ;;
    healthcheck)
        # Any answer over TLS will do: what is behind has health checks of its own.
        answer=$(printf 'GET /healthz HTTP/1.0\r\nHost: %s\r\n\r\n' "${ATELIER_SERVER_NAME%% *}" |
            timeout 5 openssl s_client -quiet -connect "127.0.0.1:$ATELIER_PORT" 2>/dev/null || true)
        case "$answer" in HTTP/1.*) exit 0 ;; *) exit 1 ;; esac
        ;;
    *)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac

mkdir -p "$folder"
# A file in memory would grow for days; these go where the engine bounds them.
ln -sf /dev/stdout "$folder/access.log"
ln -sf /dev/stderr "$folder/error.log"
scripts/render-nginx.sh "$folder"

# Also while one of them is away for a moment: a failure here would end the watch for good.
seen() { { cat "$ATELIER_TLS_CERTIFICATE" "$ATELIER_TLS_KEY" 2>/dev/null || true; } | sha256sum; }
renew() {
    local before now
    before=$(seen)
    while sleep 30; do
        now=$(seen)
        [ "$now" = "$before" ] && continue
        # Half a copy is no certificate: it is looked at again.
        if scripts/render-nginx.sh "$folder" && kill -HUP "$(cat "$folder/nginx.pid")"; then
            before=$now
            echo "The certificate changed; nginx uses the new one." >&2
        fi
    done
}
renew &
exec nginx -c "$folder/nginx.conf" -e "$folder/error.log" -g 'daemon off;'
