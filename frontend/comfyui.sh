#!/bin/sh
# ComfyUI in its container.
# usage: comfyui FLAGS…         as ComfyUI's own
#        comfyui healthcheck    asks the one that runs in here; exit code 0 or 1
if [ "${1:-}" = healthcheck ]; then
    exec python3 -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8188/system_stats", timeout=5)'
fi
exec python3 /comfyui/main.py "$@"
