#!/usr/bin/env bash
# Fetches axe-core in the pinned version for the tests of accessibility, checks its hash, unpacks its script.
# usage: scripts/fetch-axe.sh        to data/axe/axe.min.js
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/usage.sh

case "${1:-}" in
    '') ;;
    -h | --help) usage 0 ;;
    *) usage 2 "$1 is no option of this script." ;;
esac
if [ ! -f data/axe/axe.min.js ]; then
    have_packages python3=python3 pip3=python3-pip
    echo "Fetching axe-core …"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    pip3 download --retries 10 --timeout 60 --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --dest "$work" --requirement queue-manager/testkit/axe.txt
    python3 -m zipfile -e "$work"/axe_core_python-*.whl "$work/package"
    mkdir -p data/axe
    mv "$work/package/axe_core_python/axe.min.js" data/axe/axe.min.js
fi
