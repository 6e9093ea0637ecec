#!/usr/bin/env bash
# Takes pictures of the dashboard in every state, for your own eyes: 1280x720, 1920x1080 and a phone, light and dark; and of two seats.
# usage: scripts/dashboard-pictures.sh [busy] [pages] [empty] [trouble] [seats]        into screenshots/dashboard/
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/usage.sh

case "${1:-}" in
    -h | --help) usage 0 ;;
    -*) usage 2 "$1 is no option of this script." ;;
esac
have_cargo
have_packages redis-server=redis-server chromium=chromium chromedriver=chromium-driver c++=build-essential
if [ $# -eq 0 ] || [[ " $* " = *" seats "* ]]; then scripts/fetch-frontend.sh; fi
cargo build --quiet --locked --workspace --bins
cargo run --quiet --locked -p testkit --example dashboard_pictures -- "$@"
