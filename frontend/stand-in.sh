#!/bin/bash
# What tests of container seats run in place of ComfyUI: the simulated one, whatever flags come.
# usage: comfyui FLAGS…         listens where a seat's ComfyUI does
#        comfyui healthcheck    asks the one that runs in here; exit code 0 or 1
if [ "${1:-}" = healthcheck ]; then
    exec 3<>/dev/tcp/127.0.0.1/8188 || exit 1
    printf 'GET /system_stats HTTP/1.0\r\n\r\n' >&3
    read -r answer <&3
    case "$answer" in *' 200 '*) exit 0 ;; *) exit 1 ;; esac
fi
exec simulated-comfyui --listen 0.0.0.0 --folder /own/simulated
