#!/usr/bin/env bash
# Writes sign-in cards for participants: a page to print, with a code for each that signs them in once, within a day.
# usage: scripts/print-cards.sh [--text] [--passwords] [FILE] [NAME…]
#   FILE          where the page goes, NAME.html; data/cards.html when none is given
#   NAME          only these; every participant who was not removed when none is given
#   --text        lines for a terminal in place of a page: name and link
#   --passwords   with --text: name and password, as far as data/accounts.json has it, and no links
# Every run makes new codes; those of earlier cards stay good until they are used or a day old.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/workshop.sh

names=() file=data/cards.html text='' passwords=''
for argument in "$@"; do
    case "$argument" in
        -h | --help) usage 0 ;;
        --text) text=yes ;;
        --passwords) passwords=yes ;;
        -*) usage 2 "$argument is no option of this script." ;;
        *.html) file=$argument ;;
        *)
            plain_name "$argument"
            names+=("$argument")
            ;;
    esac
done
if [ -n "$passwords" ] && [ -z "$text" ]; then usage 2 "--passwords goes with --text: the page has codes and no passwords."; fi
need jq curl
need_workshop
sign_ins=$(sign_in_file)
seats=$(jq -r .urls.seats "$sign_ins")
mapfile -t known < <(api GET /accounts | jq -r '.accounts[] | select(.role == "participant" and (.disabled | not)).name')
if [ ${#names[@]} -eq 0 ]; then names=("${known[@]+"${known[@]}"}"); fi
if [ ${#names[@]} -eq 0 ]; then refuse "There are no participants. scripts/add-user.sh adds some."; fi
for name in "${names[@]}"; do
    [[ " ${known[*]+"${known[*]}"} " == *" $name "* ]] || refuse "There is no participant $name who can sign in. scripts/list-users.sh names them all."
done

if [ -n "$text" ]; then
    echo "$seats/"
    for name in "${names[@]}"; do
        if [ -n "$passwords" ]; then
            jq -r --arg n "$name" 'first(.participants[] | select(.name == $n).password) // "(a password that no file has: scripts/reset-passwords.sh)" | $n + "   " + .' "$sign_ins"
        else
            printf '%s   %s%s\n' "$name" "$seats" "$(api POST "/accounts/$name/link" | jq -r .path)"
        fi
    done
    exit
fi

umask 077
make_folder "$(dirname "$file")"
# The dashboard draws cards already; this asks it for them, and puts its look into the file.
if [ "$workshop" = native ] && is_running admin; then
    admin_pid=$(cat "$run_folder/admin.pid")
    dashboard=http://$(tr '\0' '\n' <"/proc/$admin_pid/environ" | sed -n 's/^ATELIER_ADMIN_BIND=//p' | grep . || echo 127.0.0.1:3001)
    way=()
else
    dashboard=$(jq -r .urls.admin "$sign_ins")
    way=()
    if [ -s data/run/connect-to ]; then
        port=443
        if [[ $dashboard =~ :([0-9]+)$ ]]; then port=${BASH_REMATCH[1]}; fi
        way=(--connect-to "::$(sed 's/^:://; s/:[0-9]*$//' data/run/connect-to):$port")
    fi
fi
visit() { curl -sSk "${way[@]+"${way[@]}"}" --max-time 60 "$@"; }
signed_in=$(visit -o /dev/null -D - "$dashboard/sign-in" --data-binary @- -H 'Content-Type: application/x-www-form-urlencoded' \
    < <(jq -j '"name=" + (.instructor.name | @uri) + "&password=" + (.instructor.password | @uri)' "$sign_ins")) ||
    refuse "The dashboard does not answer. scripts/status.sh says how it is; --text needs no dashboard."
cookie=$(sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\);.*/\1/p' <<<"$signed_in" | tr -d '\r')
if [ -z "$cookie" ]; then refuse "The dashboard did not let the instructor of data/sign-ins.json in. $(start_command) writes that file anew."; fi
page=$(visit "$dashboard/cards" -K <(printf 'header = "Cookie: %s"\n' "$cookie") --data "$(printf 'card-%s=on&' "${names[@]}")")
look=$(visit "$dashboard/assets/dashboard.css")
trap 'rm -f "$file.new"' EXIT
trap 'exit 130' INT TERM
{
    echo '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign-in cards</title>'
    echo "<style>$look</style><main class=\"page\">"
    # The list of cards and nothing of the dashboard around it.
    awk '/<ul class="cards">/ { on = 1 } on { print } /<\/ul>/ { if (on) exit }' <<<"$page"
    echo '</main></html>'
} >"$file.new"
cards=$(grep -c '<svg' "$file.new" || true)
if [ "$cards" -ne ${#names[@]} ]; then
    refuse "The dashboard drew $cards cards of ${#names[@]}. scripts/print-cards.sh --text needs no dashboard."
fi
mv "$file.new" "$file"
echo "$cards cards in $file. Print it and keep it to yourself: each code signs its person in once, within a day."
