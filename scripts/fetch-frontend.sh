#!/usr/bin/env bash
# Fetches ComfyUI's published frontend package in the pinned version, checks its hash, unpacks it for the seats.
# usage: scripts/fetch-frontend.sh        into data/frontend/VERSION, with data/frontend/current pointing to it
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

if [ $# -gt 0 ]; then
    sed -n '2,3s/^# //p' "$0"
    exit 2
fi
version=$(sed -n 's/^comfyui-frontend-package==\([0-9.]*\).*/\1/p' frontend/package.txt)
target=data/frontend/$version
if [ ! -f "$target/index.html" ]; then
    have_packages python3=python3 pip3=python3-pip gzip=gzip
    echo "Fetching ComfyUI's frontend $version …"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    pip3 download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --dest "$work" --requirement frontend/package.txt
    python3 -m zipfile -e "$work"/comfyui_frontend_package-*.whl "$work/package"
    static=$work/package/comfyui_frontend_package/static
    # Source maps are two thirds of the package and nobody's at a workshop.
    find "$static" -name '*.map' -delete
    # Compressed once, here, and not at every request.
    find "$static" -type f \( -name '*.js' -o -name '*.css' -o -name '*.svg' -o -name '*.json' \) -size +1k \
        -exec gzip -9 -k {} +
    mkdir -p data/frontend
    rm -rf "$target"
    mv "$static" "$target"
fi
ln -sfn "$version" data/frontend/current
