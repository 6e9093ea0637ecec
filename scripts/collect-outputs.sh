#!/usr/bin/env bash
# Puts what everybody's jobs made into a zip per participant.
# usage: scripts/collect-outputs.sh FOLDER [NAME…]
#   FOLDER   gets NAME.zip for each; those that are there are made anew
#   NAME     only these; everybody who has pictures or films when none is given
# In each zip, a folder per job by the time it was made. Works while the workshop runs and when it is stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh

folder='' names=()
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        -*) usage 2 "$argument is no option of this script." ;;
        *)
            if [ -z "$folder" ]; then
                folder=$argument
            else
                plain_name "$argument"
                names+=("$argument")
            fi
            ;;
    esac
done
[ -n "$folder" ] || usage 2 "Say which folder gets the zips."
need zip
if is_for_docker; then need_root; fi
outputs=data/files/outputs
[ -d "$outputs" ] || refuse "There is no $outputs: nothing was made yet, or the workshop's data is in another folder."
if [ ${#names[@]} -eq 0 ]; then mapfile -t names < <(find "$outputs" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort); fi
umask 077
make_folder "$folder"
folder=$(cd "$folder" && pwd)
staging=$(mktemp -d data/collect.XXXXXX)
trap 'rm -rf "$staging" "$folder"/*.zip.new.zip' EXIT
trap 'exit 130' INT TERM
made=0
for name in "${names[@]+"${names[@]}"}"; do
    if [ ! -d "$outputs/$name" ]; then
        echo "$name: nothing was made."
        continue
    fi
    mkdir -p "$staging/$name"
    files=0
    for job in "$outputs/$name"/*/; do
        # Of several attempts the last one's files count: tokens only grow.
        token=$(find "$job" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -n | tail -n 1)
        from=$job$token/output
        [ -d "$from" ] || continue
        to=$staging/$name/$(date -r "$from" +%Y-%m-%d_%H%M%S)_$(basename "$job" | cut -c 1-8)
        ln -s "$(cd "$from" && pwd)" "$to"
        files=$((files + $(find "$from" -type f | wc -l)))
    done
    if [ "$files" -eq 0 ]; then
        echo "$name: nothing was made."
        continue
    fi
    # Links are followed; pictures and films do not get smaller by another compression.
    (cd "$staging" && zip -q -r -0 "$folder/$name.zip.new.zip" "$name")
    mv "$folder/$name.zip.new.zip" "$folder/$name.zip"
    made=$((made + 1))
    echo "$name: $files files, $(du -h "$folder/$name.zip" | cut -f 1), $folder/$name.zip"
done
echo "$made zips in $folder."
