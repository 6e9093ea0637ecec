#!/usr/bin/env bash
# Builds the images of docker-compose.yml: redis, nginx, and one with our programs.
# usage: scripts/build-images.sh [--compiled | --prebuilt | --programs FOLDER] [--profile release|dev] [--with seats] [--with gpu] [--new-base]
#   --compiled        compile in an image with Rust: the usual way, where the engine can pull images
#   --prebuilt        compile here, which needs Rust and Debian 12 or older, and copy the programs
#   --profile dev     with --prebuilt: what cargo builds; `dev` is quicker to build and several times slower to run
#   --programs FOLDER the programs that are there already, and no compiling
#   --with seats      also ComfyUI for container seats (frontend/Dockerfile; fetches several GB)
#   --with gpu        also ComfyUI with the worker for this machine's GPU (the same)
#   --new-base        without a registry: make the base anew, with today's security updates
# Without a choice it is --compiled where the engine can pull, else --prebuilt on a base made from Debian's archive.
# Safe to run again. Settings: ATELIER_VERSION=local (the tag), ATELIER_BASE, ATELIER_RUST; for ComfyUI's images, where they come
# from a mirror (docs/seats.md): ATELIER_COMFYUI_ARCHIVE, ATELIER_SEATS_TORCH_INDEX, ATELIER_GPU_TORCH_INDEX.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/docker.sh
. scripts/usage.sh

target='' folder='' profile=release extra=() new_base=
while [ $# -gt 0 ]; do
    case "$1" in
        --compiled | --prebuilt) target=${1#--} ;;
        --programs)
            need_value "$@"
            target=prebuilt folder=$2
            for program in queue-manager worker admin simulated-comfyui; do
                [ -x "$folder/$program" ] || { echo "There is no $program in '$folder': say where cargo put all four programs." >&2 && exit 2; }
            done
            shift
            ;;
        --profile)
            need_value "$@"
            profile=$2
            shift
            ;;
        --with)
            need_value "$@"
            extra+=("$2")
            shift
            ;;
        --new-base) new_base=yes ;;
        -h | --help) usage 0 ;;
        *) usage 2 "$1 is no option of this script." ;;
    esac
    shift
done
case "$profile" in
    release | dev) ;;
    *) echo "--profile is release or dev, not '$profile'." >&2 && exit 2 ;;
esac
for name in "${extra[@]+"${extra[@]}"}"; do
    case "$name" in
        seats | gpu) ;;
        *) echo "--with is seats or gpu, not '$name'." >&2 && exit 2 ;;
    esac
done
have_docker

version=$(in_env ATELIER_VERSION local)
base=$(in_env ATELIER_BASE debian:bookworm-slim)
rust=$(in_env ATELIER_RUST rust:1.95-bookworm)
here_or_pulled() { docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null 2>&1; }

# A base from Debian's archive, for engines that can pull nothing. The same packages give the same bytes.
make_base() {
    have_packages mmdebstrap=mmdebstrap
    [ "$(id -u)" -eq 0 ] || { echo "Making a base image from Debian's archive needs root." >&2 && exit 1; }
    echo "This engine can pull no image: making a base from Debian's archive (1 to 3 minutes) …"
    local work
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # The folder of now.
    trap "rm -rf '$work'" EXIT
    if ! SOURCE_DATE_EPOCH=1760000000 mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates,tzdata \
        --aptopt='Acquire::Retries "5"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        bookworm "$work/base.tar" "deb http://deb.debian.org/debian bookworm main" \
        "deb http://deb.debian.org/debian-security bookworm-security main"; then
        echo "Debian's archive could not be used either. Load a base image (docker load) and name it in ATELIER_BASE." >&2
        exit 1
    fi
    docker import "$work/base.tar" "$base" >/dev/null
}

began=$SECONDS
if [ "$base" = debian:bookworm-slim ] && ! here_or_pulled "$base"; then base=atelier-base:local; fi
if ! here_or_pulled "$base" || { [ -n "$new_base" ] && [ "$base" = atelier-base:local ]; }; then
    [ "$base" = atelier-base:local ] || { echo "There is no image $base, and it cannot be pulled." >&2 && exit 1; }
    make_base
fi
if [ -z "$target" ]; then
    if here_or_pulled "$rust"; then target=compiled; else target=prebuilt; fi
fi
mkdir -p target/dist
if [ "$target" = prebuilt ] && [ -z "$folder" ]; then
    have_cargo
    if [ "$(printf '%s\n' 2.36 "$(ldd --version | sed -n '1s/.* //p')" | sort -V | tail -n 1)" != 2.36 ]; then
        echo "Programs built on this system do not run on Debian 12 (its C library is newer). Build on Debian 12, or with --compiled." >&2
        exit 1
    fi
    have_packages c++=build-essential
    echo "Building the programs here ($profile; some minutes the first time) …"
    if [ "$profile" = release ]; then
        cargo build --release --locked --workspace --exclude testkit --bins
    else
        cargo build --locked --workspace --bins
    fi
    folder=${CARGO_TARGET_DIR:-target}/$([ "$profile" = release ] && echo release || echo debug)
fi
if [ "$target" = prebuilt ]; then
    have_packages objcopy=binutils
    for program in queue-manager worker admin simulated-comfyui; do
        # Without what only a debugger reads: a debug build's is ten times the program.
        objcopy --strip-all "$folder/$program" "target/dist/$program"
    done
fi

revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
# build IMAGE TARGET [OPTION…]
build() {
    local image=$1 stage=$2 before=$SECONDS said
    shift 2
    echo "Building $image:$version …"
    # Half of what it says is that it is old; all of it is worth reading when it fails.
    if ! said=$(docker build --target "$stage" --tag "$image:$version" --build-arg "BASE=$base" --build-arg "VERSION=$version" "$@" . 2>&1); then
        tail -n 30 <<<"$said" >&2
        echo "$image:$version could not be built." >&2
        exit 1
    fi
    echo "$image:$version: $(docker image inspect -f '{{.Size}}' "$image:$version" | awk '{ printf "%d MB", $1 / 1000000 }'), $((SECONDS - before)) s"
}
programs=(--build-arg "REVISION=$revision")
# The classic builder makes every stage above the one that is wanted.
if [ "$target" = compiled ]; then programs+=(--build-arg "RUST=$rust"); fi
build atelier-redis redis
build atelier-nginx nginx
build atelier "$target" "${programs[@]}"
for name in "${extra[@]+"${extra[@]}"}"; do
    case "$name" in
        seats) image=atelier-seat stage=seat index=$(in_env ATELIER_SEATS_TORCH_INDEX https://download.pytorch.org/whl/cpu) ;;
        gpu) image=atelier-worker-gpu stage=gpu index=$(in_env ATELIER_GPU_TORCH_INDEX https://download.pytorch.org/whl/cu128) ;;
    esac
    build "$image" "$stage" --file frontend/Dockerfile --build-arg "PROGRAMS=atelier:$version" --build-arg "TORCH_INDEX=$index" \
        --build-arg "COMFYUI_ARCHIVE=$(in_env ATELIER_COMFYUI_ARCHIVE)"
done
echo "All images are built, in $((SECONDS - began)) s ($target, on $base)."
