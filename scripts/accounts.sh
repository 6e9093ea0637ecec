# shellcheck shell=bash
# Accounts and workers' tokens, made where they are missing. Sourced by the starts, native and Docker; `manage` is theirs:
# it runs the queue-manager's command with these arguments.

# make_accounts PARTICIPANTS: instructor, user001, user002 …; who exists keeps their password. Leaves data/accounts.json.
make_accounts() {
    local known made missing=() n name
    known=$(manage user list --json) || return 1
    # A store that was emptied knows nobody: the old sign-ins are worth nothing.
    if [ "$known" = "[]" ]; then rm -f data/accounts.json; fi
    if [ ! -f data/accounts.json ]; then
        made=$(account "$known" instructor instructor) || return 1
        jq -n --slurpfile made <(printf %s "$made") '{instructor: $made[0][0], participants: []}' >data/accounts.new
        mv data/accounts.new data/accounts.json
    fi
    for ((n = 1; n <= $1; n++)); do
        printf -v name 'user%03d' "$n"
        if ! jq -e --arg n "$name" 'any(.participants[]; .name == $n)' data/accounts.json >/dev/null; then missing+=("$name"); fi
    done
    if [ ${#missing[@]} -gt 0 ]; then
        made=$(account "$known" participant "${missing[@]}") || return 1
        jq --slurpfile made <(printf %s "$made") '.participants += $made[0]' data/accounts.json >data/accounts.new
        mv data/accounts.new data/accounts.json
    fi
}

# account KNOWN ROLE NAME…: makes those accounts; one that exists, and whose password nobody has, gets a new one. Where one cannot
# be made it fails, and the next start gives new passwords to those that were.
account() {
    local known=$1 role=$2 name command
    shift 2
    for name in "$@"; do
        command=(add --role "$role")
        if jq -e --arg n "$name" 'any(.[]; .name == $n)' <<<"$known" >/dev/null; then command=(password); fi
        manage user "${command[@]}" --json "$name" || exit 1
    done | jq -s add
}

# write_sign_ins SEATS ADMIN: data/sign-ins.json, the accounts with the addresses.
write_sign_ins() {
    jq --arg host "$1" --arg admin "$2" \
        '{urls: {health: ($host + "/health"), api: ($host + "/api"), admin: $admin, seats: $host}} + . |
            .participants |= map(select(.removed | not))' \
        data/accounts.json >data/sign-ins.json
}

# show_sign_ins: for the terminal.
show_sign_ins() {
    jq -r '"Seats      " + .urls.seats + "/   (sign in, then your own ComfyUI)",
       "Dashboard  " + .urls.admin + "/",
       "API        " + .urls.api + "/v1",
       "Health     " + .urls.health, "",
       "Sign-ins (also in data/sign-ins.json):",
       (([.instructor] + .participants)[] | "  " + .name + "   " + .password)' data/sign-ins.json
}
