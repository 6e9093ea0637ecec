#!/usr/bin/env bash
# Runs the seats' browser tests with several versions of ComfyUI's frontend, and says which test passes with which.
# usage: scripts/try-frontends.sh [VERSION…]   such as 1.50.6, or one of the words pinned and newest;
#                                              without any: pinned, 1.27.10, newest
# The exit code is 0 when every test passed with every version. Note the outcome in docs/compatibility.md.
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
    pip3=python3-pip c++=build-essential

if [ $# -eq 0 ]; then set -- pinned 1.27.10 newest; fi
versions=()
for version in "$@"; do
    case "$version" in
        pinned) version=$(sed -n 's/^comfyui-frontend-package==\([0-9.]*\).*/\1/p' frontend/package.txt) ;;
        newest)
            version=$(pip3 index versions --disable-pip-version-check comfyui-frontend-package 2>/dev/null |
                sed -n '1s/.*(\(.*\)).*/\1/p' || true)
            if [ -z "$version" ]; then
                echo "pip cannot say which version is the newest. Name one in its place." >&2
                exit 1
            fi
            ;;
    esac
    scripts/fetch-frontend.sh "$version"
    versions+=("$version")
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# End-to-end tests start our programs, so all of them are built first.
cargo build --locked --workspace --bins
cargo test --locked -p testkit --test it --no-run
for version in "${versions[@]}"; do
    echo "== frontend $version, sha256:$(cat "data/frontend/$version.sha256" 2>/dev/null || echo unknown)"
    rm -rf "screenshots/$version"
    touch "$folder/began"
    # One at a time, as browsers are heavy. The tests left out are about pages that have no frontend in them.
    ATELIER_TEST_FRONTEND=$version cargo test --locked -p testkit --test it -- --test-threads=1 --show-output \
        --skip without_the_frontend --skip the_dashboard in_a_browser | tee "$folder/$version" || true
    # What a person saw, to be looked at: the next version's tests write pictures of the same names.
    mkdir -p "screenshots/$version"
    find screenshots -maxdepth 1 -name '*.png' -newer "$folder/began" -exec mv -t "screenshots/$version" {} +
done

echo
failed=
for version in "${versions[@]}"; do
    passes=$(grep -c '^test .* \.\.\. ok$' "$folder/$version" || true)
    failures=$(grep -c '^test .* \.\.\. FAILED$' "$folder/$version" || true)
    if [ "$passes" -gt 0 ] && [ "$failures" -eq 0 ]; then verdict="works"; else verdict="DOES NOT WORK" failed=1; fi
    echo "frontend $version: $verdict; $passes passed, $failures failed; $(grep -m 1 '^first load' "$folder/$version" || true)"
    sed -n 's/^test \(.*\) \.\.\. ok$/    passed  \1/p; s/^test \(.*\) \.\.\. FAILED$/    FAILED  \1/p' "$folder/$version"
done
[ -z "$failed" ]
