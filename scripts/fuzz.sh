#!/usr/bin/env bash
# Feeds every reader of bytes from outside with bytes that libFuzzer thinks up, until one panics or the time is over.
# usage: scripts/fuzz.sh [SECONDS [READER…]]
#   SECONDS   for each reader; 120 if nothing is said
#   READER    validator, depth, frames, paths or link_messages; all of them if nothing is said
# What was found is kept in queue-manager/testkit/fuzz/artifacts; give it to the reader in a unit test before it is mended.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/usage.sh

case "${1:-}" in
    -h | --help) usage 0 ;;
    *[!0-9]*) usage 2 "SECONDS is a number, not '$1'." ;;
esac
seconds=${1:-120}
[ $# -eq 0 ] || shift
readers=("$@")
[ ${#readers[@]} -gt 0 ] || readers=(validator depth frames paths link_messages)

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "Installing cargo-fuzz (some minutes, once) …"
    cargo install --quiet --locked --version 0.13.2 cargo-fuzz
fi
# libFuzzer needs flags that a stable compiler refuses; this variable allows them for this build alone.
export RUSTC_BOOTSTRAP=1
folder=queue-manager/testkit/fuzz
cargo fuzz build --fuzz-dir "$folder" --sanitizer none --release reader
said=$(mktemp)
trap 'rm -f "$said"' EXIT
for reader in "${readers[@]}"; do
    echo "== $reader: $seconds s"
    mkdir -p "$folder/corpus/$reader" "$folder/artifacts/$reader"
    if ! ATELIER_FUZZ=$reader cargo fuzz run --fuzz-dir "$folder" --sanitizer none --release reader "$folder/corpus/$reader" \
        -- -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$folder/artifacts/$reader/" \
        -print_final_stats=1 >"$said" 2>&1; then
        tail -n 40 "$said" >&2
        echo "$reader: found something, or did not run; what was found is in $folder/artifacts/$reader" >&2
        exit 1
    fi
    grep -E '^stat::(number_of_executed_units|peak_rss_mb)' "$said"
done
echo "fuzz.sh: nothing was found"
