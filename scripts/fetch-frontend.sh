#!/usr/bin/env bash
# Fetches ComfyUI's published frontend package, checks its hash, unpacks it for the seats.
# usage: scripts/fetch-frontend.sh            the pinned version, into data/frontend/VERSION; data/frontend/current points to it
#        scripts/fetch-frontend.sh VERSION    another version, to try it: its hash is printed, and current stays as it is
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/usage.sh

case "$#:${1:-}" in
    0:) ;;
    1:[0-9]*.[0-9]*.[0-9]*) ;;
    1:-h | 1:--help) usage 0 ;;
    *) usage 2 "One version at most, such as 1.45.21." ;;
esac
pinned=$(sed -n 's/^comfyui-frontend-package==\([0-9.]*\).*/\1/p' frontend/package.txt)
version=${1:-$pinned}
target=data/frontend/$version
if [ ! -f "$target/index.html" ]; then
    have_packages python3=python3 pip3=python3-pip gzip=gzip
    echo "Fetching ComfyUI's frontend $version …"
    # On the same file system as its place, so that it gets there whole or not at all.
    mkdir -p data/frontend
    work=$(mktemp -d data/frontend/.fetch.XXXXXX)
    trap 'rm -rf "$work"' EXIT
    wanted=("comfyui-frontend-package==$version")
    if [ "$version" = "$pinned" ]; then wanted=(--require-hashes --requirement frontend/package.txt); fi
    pip3 download --retries 10 --timeout 60 --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "${wanted[@]}"
    hash=$(sha256sum "$work"/comfyui_frontend_package-*.whl | cut -d' ' -f1)
    if [ "$version" != "$pinned" ]; then echo "It has sha256:$hash; there is no pinned hash to compare with."; fi
    python3 -m zipfile -e "$work"/comfyui_frontend_package-*.whl "$work/package"
    static=$work/package/comfyui_frontend_package/static
    # Source maps are two thirds of the package and nobody's at a workshop.
    find "$static" -name '*.map' -delete
    # Compressed once, here, and not at every request.
    find "$static" -type f \( -name '*.js' -o -name '*.mjs' -o -name '*.css' -o -name '*.svg' -o -name '*.json' \) -size +1k \
        -exec gzip -9 -k {} +
    rm -rf "$target"
    mv "$static" "$target"
    echo "$hash" >"$target.sha256"
fi
if [ "$version" = "$pinned" ]; then ln -sfn "$version" data/frontend/current; fi
