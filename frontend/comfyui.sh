#!/bin/sh
# ComfyUI in its container.
# usage: comfyui FLAGS…         as ComfyUI's own; with COMFYUI_FOLDER what it keeps is there, as all else can only be read
#        comfyui healthcheck    asks the one that runs in here; exit code 0 or 1
if [ "${1:-}" = healthcheck ]; then
    exec python3 -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8188/system_stats", timeout=5)'
fi
# It does not start without this folder, which somebody may have deleted.
mkdir -p /own/custom_nodes
if [ -n "${COMFYUI_FOLDER:-}" ]; then
    mkdir -p "$COMFYUI_FOLDER/user" "$COMFYUI_FOLDER/input" "$COMFYUI_FOLDER/output"
    set -- --user-directory "$COMFYUI_FOLDER/user" --input-directory "$COMFYUI_FOLDER/input" \
        --output-directory "$COMFYUI_FOLDER/output" --temp-directory /tmp \
        --database-url "sqlite:///$COMFYUI_FOLDER/user/comfyui.db" "$@"
fi
exec python3 /comfyui/main.py "$@"
