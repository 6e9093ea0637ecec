# shellcheck shell=bash
# What a script says about itself: its own first lines. Sourced by the other scripts.

# usage STATUS [WRONG]: says it and ends; with another status than 0 as a complaint, and first what is wrong with the arguments.
usage() {
    if [ "$1" -ne 0 ]; then exec >&2; fi
    if [ -n "${2:-}" ]; then printf '%s\n\n' "$2"; fi
    # Wherever it was called from, we are in the repository's folder by now.
    sed -n '2,/^set /s/^# \{0,1\}//p' "scripts/$(basename "$0")"
    exit "$1"
}

# need_value OPTION [VALUE]: refuses an option that nothing stands behind.
need_value() { [ -n "${2:-}" ] || usage 2 "$1 needs a value."; }
