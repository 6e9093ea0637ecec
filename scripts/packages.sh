# shellcheck shell=bash
# Installs what is missing, or says exactly what to install. Sourced by the other scripts.

# Debian keeps nginx where only root's shell looks.
PATH=$PATH:/usr/sbin

# have_packages COMMAND=PACKAGE…: each command must exist, else its Debian package is installed.
have_packages() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Missing on this system; install what provides them, then run this again: ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "Missing. Run this, then start again:" >&2
        echo "  sudo apt-get update && sudo apt-get install --no-install-recommends -y ${missing[*]}" >&2
        return 1
    fi
    echo "Installing ${missing[*]} …"
    apt-get -o Acquire::Retries=5 update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# have_cargo: Rust is the one thing that is not installed for you.
have_cargo() {
    command -v cargo >/dev/null 2>&1 && return 0
    echo "Rust is missing. Install it (rustup, or your system's cargo 1.90 or newer), then run this again." >&2
    return 1
}
