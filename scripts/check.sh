#!/usr/bin/env bash
# Everything that is checked without running the product: format, lints, docs, dependencies, shell, nginx, compose files.
# usage: scripts/check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/usage.sh

case "${1:-}" in
    '') ;;
    -h | --help) usage 0 ;;
    *) usage 2 "$1 is no option of this script." ;;
esac
have_cargo
have_packages shellcheck=shellcheck nginx=nginx-light c++=build-essential python3=python3-venv

step() { echo "== $1"; }
left_out=()
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

step "format"
cargo fmt --all --check
step "lints"
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
step "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --quiet

step "dependencies"
deny_version=0.20.2
if ! cargo deny --version >/dev/null 2>&1; then
    echo "Installing cargo-deny $deny_version (some minutes, once) …"
    cargo install --quiet --locked --version "$deny_version" cargo-deny
fi
cargo deny --locked check --hide-inclusion-graph bans licenses sources
if ! cargo deny --locked check advisories >/dev/null 2>"$folder/advisories.log"; then
    if grep -qiE 'failed to fetch|unable to (fetch|open)|failed to (open|load)|error sending request|dns|resolve' "$folder/advisories.log"; then
        left_out+=("advisories: their database cannot be reached from here")
    else
        cat "$folder/advisories.log" >&2
        exit 1
    fi
fi

step "shell"
shellcheck -x scripts/*.sh frontend/*.sh .ci/run

step "nginx"
scripts/render-nginx.sh "$folder"
if ! command -v gixy >/dev/null 2>&1; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet gixy-ng==0.2.59 2>"$folder/gixy.log" || echo "gixy could not be installed" >&2
    PATH=$PATH:$folder/venv/bin
fi
if command -v gixy >/dev/null 2>&1; then
    # Host with its port is what Origin is compared with; a foreign name gets no answer where there is TLS.
    gixy --skips host_spoofing "$folder/nginx.conf" >"$folder/gixy.log" 2>&1 || { cat "$folder/gixy.log" >&2; exit 1; }
else
    left_out+=("gixy, which lints nginx's configuration: it cannot be installed from here")
fi

step "compose"
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
if command -v "${compose[0]}" >/dev/null && "${compose[@]}" version >/dev/null 2>&1; then
    # In a copy: what this folder's .env says is its operator's.
    cp docker-compose.yml docker-compose.users.yml "$folder/"
    : >"$folder/.env"
    for files in docker-compose.yml docker-compose.yml:docker-compose.users.yml; do
        COMPOSE_FILE=$files COMPOSE_PROFILES=simulated,gpu,container-seats env -C "$folder" "${compose[@]}" config -q
    done
else
    left_out+=("compose files: there is neither Docker's compose plugin nor docker-compose here")
fi

for line in "${left_out[@]+"${left_out[@]}"}"; do echo "LEFT OUT: $line"; done
echo "check.sh: all of the above passed"
