#!/usr/bin/env bash
# Installs what the tests need and runs them all: unit, broker against real Redis, end to end, browser.
# usage: scripts/test.sh [NAME]     NAME runs only the tests whose names contain it
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

case "${1:-}" in
    -*)
        sed -n '2,3s/^# //p' "$0"
        exit 2
        ;;
esac
have_cargo
have_packages redis-server=redis-server nginx=nginx-light chromium=chromium chromedriver=chromium-driver \
    curl=curl jq=jq git=git c++=build-essential setsid=util-linux
scripts/fetch-frontend.sh

# End-to-end tests start our programs, so all of them are built first.
cargo build --locked --workspace --bins
said=$(mktemp)
trap 'rm -f "$said"' EXIT
cargo test --locked --workspace --no-fail-fast --lib --test '*' -- ${1:+"$1"} | tee "$said"
awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0 " passed, " failed + 0 " failed" }' "$said"
