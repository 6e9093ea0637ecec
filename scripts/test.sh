#!/usr/bin/env bash
# Installs what the tests need and runs them all: unit, broker against real engines, end to end, browser.
# usage: scripts/test.sh [NAME]     NAME runs only the tests whose names contain it
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/usage.sh

case "${1:-}" in
    -h | --help) usage 0 ;;
    -*) usage 2 "$1 is no option of this script." ;;
esac
have_cargo
have_packages redis-server=redis-server nginx=nginx-light chromium=chromium chromedriver=chromium-driver \
    curl=curl jq=jq git=git c++=build-essential setsid=util-linux openssl=openssl
scripts/fetch-frontend.sh
scripts/fetch-axe.sh

# End-to-end tests start our programs, so all of them are built first.
cargo build --locked --workspace --bins
said=$(mktemp)
trap 'rm -f "$said"' EXIT
all=(--locked --workspace --lib --test '*')
failed=
run() { "$@" | tee -a "$said" || failed=1; }
# They wait for one another's processes more than they compute.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-3}
run cargo test "${all[@]}" --no-fail-fast -- ${1:+"$1"}

# The broker's tests again on other engines. Most histories are for plain Redis; here some are enough.
broker=$(cargo test "${all[@]}" --no-run --message-format=json 2>/dev/null |
    jq -r 'select(.executable and (.manifest_path | endswith("/broker/Cargo.toml")) and .target.name == "it").executable')
on_engine() {
    echo "== the broker on: $2"
    run env -C queue-manager/broker ATELIER_TEST_ENGINE="$1" ATELIER_TEST_HISTORIES=100 "$broker" ${3:+"$3"}
}
on_engine forgetful "Redis that forgets its scripts every few milliseconds" "${1:-}"
on_engine cluster "a Redis Cluster of three nodes" "${1:-}"
if command -v "${ATELIER_TEST_VALKEY:-valkey-server}" >/dev/null; then
    on_engine valkey "Valkey" "${1:-}"
else
    echo "LEFT OUT: the broker on Valkey: there is no valkey-server here, and ATELIER_TEST_VALKEY names none"
fi
# The bench, in little: it says nothing about time here, and stops where a transition takes more than one round trip.
if [ $# -eq 0 ]; then cargo test --locked -p queue-broker --bench transitions -- --quick >/dev/null || failed=1; fi
# What failed said why somewhere above; a reader begins here.
sed -n '/^---- .* stdout ----$/,/^failures:$/p' "$said"
awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0 " passed, " failed + 0 " failed" }' "$said"
[ -z "$failed" ]
