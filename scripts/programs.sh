# shellcheck shell=bash
# Builds our programs, or takes those that are built already. Sourced by the other scripts.

# shellcheck disable=SC2034 # bin is read by those who source this

# build_programs CARGO_ARGUMENTS…: leaves in `bin` the folder with the programs. The arguments say what a release build takes.
build_programs() {
    if [ -n "${ATELIER_PROGRAMS:-}" ]; then
        bin=$ATELIER_PROGRAMS
    elif [ "${ATELIER_PROFILE:-release}" = release ]; then
        cargo build --locked --release "$@"
        bin=${CARGO_TARGET_DIR:-target}/release
    else
        # With all of the workspace, as the tests build it: another choice of crates is another choice of their features, and
        # each would build most of it anew.
        cargo build --locked --workspace --bins
        bin=${CARGO_TARGET_DIR:-target}/debug
    fi
}
