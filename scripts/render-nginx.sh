#!/usr/bin/env bash
# Makes nginx's configuration from nginx/nginx.conf.template and checks it.
# usage: scripts/render-nginx.sh FOLDER     settings: ATELIER_LISTEN ATELIER_PORT ATELIER_ADMIN_PORT
#                                           ATELIER_BIND ATELIER_ADMIN_BIND
# FOLDER gets nginx.conf, logs, the pid file and temporary files.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    '' | -h | --help)
        sed -n '2,5s/^# //p' "$0"
        exit 2
        ;;
esac
mkdir -p "$1"
folder=$(cd "$1" && pwd)
case "$folder" in
    *[\|\&\;\"\ ]*)
        echo "nginx cannot use a folder with spaces or | & ; \" in its path: $folder" >&2
        exit 1
        ;;
esac
sed -e "s|@FOLDER@|$folder|g" \
    -e "s|@ADDRESS@|${ATELIER_LISTEN:-127.0.0.1}|g" \
    -e "s|@PORT@|${ATELIER_PORT:-8080}|g" \
    -e "s|@ADMIN_PORT@|${ATELIER_ADMIN_PORT:-8081}|g" \
    -e "s|@SEATS@|${ATELIER_BIND:-127.0.0.1:3000}|g" \
    -e "s|@ADMIN@|${ATELIER_ADMIN_BIND:-127.0.0.1:3001}|g" \
    nginx/nginx.conf.template >"$folder/nginx.conf"
if ! checked=$(nginx -t -q -c "$folder/nginx.conf" -e "$folder/error.log" 2>&1); then
    echo "nginx does not accept its configuration:" >&2
    echo "$checked" >&2
    exit 1
fi
