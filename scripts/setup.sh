#!/usr/bin/env bash
# Prepares this machine for a workshop in Docker: looks whether it will do, writes .env, secrets, folders, a certificate.
# usage: scripts/setup.sh [--name NAME] [--profile simulated|gpu|none] [--link ADDRESS] [--listen ADDRESS]
#                         [--certificate FILE --key FILE] [--seats N]
#        scripts/setup.sh --check          only looks, and writes nothing
#   --name NAME          what people type: workshop.example.org; several in quotes; localhost when not given
#   --profile PROFILE    the worker on this machine: simulated (pictures are patterns, the default), gpu, or none
#   --link ADDRESS       where workers of other machines come in: this machine's Tailscale address; 127.0.0.1 when not given
#   --listen ADDRESS     where people come in: 0.0.0.0 with a name, else 127.0.0.1
#   --certificate, --key from anywhere, certificate with its chain; copied to data/tls. Again after each renewal: nginx takes it
#                        up by itself. Without, one is made with a root that devices must trust (docs/decisions/0006)
#   --seats N            container seats for so many participants as well (docs/seats.md)
# Needs root, as does all else in Docker: what is in data/ becomes the containers'. Safe to run again: what is there stays as it
# is, in .env as well, but for a made certificate that has expired, and it says what it did. Then: scripts/start.sh --docker
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/processes.sh
. scripts/docker.sh
. scripts/usage.sh

refuse() {
    echo "$1" >&2
    exit "${2:-2}"
}
name='' profile=simulated link=127.0.0.1 listen='' certificate='' key='' seats='' only_check=
while [ $# -gt 0 ]; do
    case "$1" in
        --check) only_check=yes ;;
        --name | --profile | --link | --listen | --certificate | --key | --seats)
            need_value "$@"
            printf -v "${1#--}" '%s' "$2"
            shift
            ;;
        -h | --help) usage 0 ;;
        *) usage 2 "$1 is no option of this script." ;;
    esac
    shift
done
case "$name" in *[!a-zA-Z0-9.\ -]*) refuse "'$name' is no name: letters, digits, dots and hyphens, spaces between several." ;; esac
case "$profile" in simulated | gpu | none) ;; *) refuse "--profile is simulated, gpu or none, not '$profile'." ;; esac
for address in "$link" ${listen:+"$listen"}; do
    case "$address" in
        *[!0-9.]* | *.*.*.*.* | .* | *.) refuse "'$address' is no IPv4 address." ;;
        *.*.*.*) for part in ${address//./ }; do [ "$part" -le 255 ] || refuse "'$address' is no IPv4 address: none of its numbers is over 255."; done ;;
        *) refuse "'$address' is no IPv4 address." ;;
    esac
done
case "$link" in
    127.* | 10.* | 192.168.* | 169.254.* | 172.1[6-9].* | 172.2?.* | 172.3[01].* | 100.6[4-9].* | 100.[7-9]?.* | 100.1[01]?.* | 100.12[0-7].*) ;;
    *) refuse "--link $link would carry workers' tokens and everybody's pictures in plain HTTP over a public address. Give this machine's Tailscale address (tailscale ip -4), another private one, or leave it out." ;;
esac
case "$seats" in *[!0-9]* | 0* | ????*) refuse "--seats is a number from 1 to 250, not '$seats'." ;; esac
if [ "${seats:-1}" -gt 250 ]; then refuse "--seats is a number from 1 to 250, not '$seats'."; fi
if [ -n "$certificate$key" ]; then
    if [ -z "$certificate" ] || [ -z "$key" ]; then refuse "https needs both --certificate and --key."; fi
    command -v openssl >/dev/null || refuse "openssl is missing: apt-get install openssl" 1
    for file in "$certificate" "$key"; do [ -r "$file" ] || refuse "$file cannot be read." 1; done
    own=$(openssl x509 -in "$certificate" -noout -pubkey 2>/dev/null) || refuse "$certificate is no certificate in PEM form (-----BEGIN CERTIFICATE-----)." 1
    [ "$own" = "$(openssl pkey -in "$key" -passin pass: -pubout 2>/dev/null)" ] ||
        refuse "$key is not the key of $certificate, or is behind a password, which nginx cannot type." 1
    openssl x509 -in "$certificate" -noout -checkend 0 >/dev/null || refuse "$certificate has expired." 1
fi

if is_running queue-manager; then refuse "This folder's workshop runs without Docker. scripts/stop.sh stops it, then run this again." 1; fi

echo "This machine:"
problems=0
good() { echo "  ok    $1"; }
warn() { echo "  look  $1"; }
bad() {
    echo "  NO    $1"
    problems=$((problems + 1))
}
if [ "$(uname -s)" = Linux ]; then good "Linux, $(uname -m)"; else bad "Atelier's containers need Linux, and this is $(uname -s)"; fi
for command in curl jq openssl; do
    command -v $command >/dev/null || bad "$command is missing: apt-get install $command"
done
if said=$(have_docker 2>&1); then
    have_docker
    good "Docker $(docker version -f '{{.Server.Version}}'), compose: ${compose[*]} $("${compose[@]}" version --short)"
else
    bad "$said"
fi
memory=$(awk '/^MemTotal/ { printf "%d", $2 / 1024 / 1024 + 0.5 }' /proc/meminfo)
# What the limits in docs/seats.md add up to.
needed=$((4 + ${seats:-0} * 6 / 10))
if [ "$memory" -ge $needed ]; then good "$memory GB of memory"; else bad "$memory GB of memory; ${seats:-no} container seats need $needed GB"; fi
if [ "$(nproc)" -ge 2 ]; then good "$(nproc) cores"; else warn "one core: with 20 people two or more are better"; fi
free=$(df -Pk . | awk 'NR == 2 { printf "%d", $4 / 1024 / 1024 }')
if [ "$free" -ge 20 ]; then good "$free GB of disk are free"; else warn "$free GB of disk are free: a day of pictures takes a few, images some, models many"; fi
if [ "$link" != 127.0.0.1 ]; then
    if ip -4 addr 2>/dev/null | grep -q "inet $link/"; then
        good "$link is this machine's"
    else
        warn "$link is not this machine's now. Containers wait for it only where addresses may come later (below)"
    fi
    if [ "$(cat /proc/sys/net/ipv4/ip_nonlocal_bind 2>/dev/null)" != 1 ]; then
        warn "after a reboot Docker may start before Tailscale has its address, and would not start the queue-manager. Once:
        echo net.ipv4.ip_nonlocal_bind=1 > /etc/sysctl.d/90-atelier.conf && sysctl --system"
    fi
fi
if [ "$profile" = gpu ]; then
    if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; then good "$(nvidia-smi -L | head -n 1)"; else bad "no NVIDIA GPU answers (nvidia-smi)"; fi
    docker info 2>/dev/null | grep -q nvidia || bad "Docker has no NVIDIA runtime: install nvidia-container-toolkit, then nvidia-ctk runtime configure --runtime=docker"
fi
port=$(in_env ATELIER_PORT "$([ -n "$name" ] && echo 443 || echo 8443)")
admin_port=$(in_env ATELIER_ADMIN_PORT "$([ -n "$name" ] && echo 8443 || echo 8081)")
http_port=$(in_env ATELIER_HTTP_PORT "$([ -n "$name" ] && echo 80 || echo 8080)")
if ! docker_runs; then
    for wanted in "$port" "$admin_port" "$http_port" "$(in_env ATELIER_LINK_PORT 3443)"; do
        if (: </dev/tcp/127.0.0.1/"$wanted") 2>/dev/null; then bad "port $wanted is taken: stop what listens there, or set another in .env"; fi
    done
fi
if [ $problems -gt 0 ]; then refuse "This machine will not do yet: $problems of the above." 1; fi
[ -z "$only_check" ] || exit 0
need_root

echo "Written:"
did() { echo "  $1"; }
[ -s data/secret.key ] || did "data/secret.key: what keys of paid nodes are sealed with"
make_data
umask 077
if [ ! -s data/secrets/redis-url ] || [ ! -s data/secrets/redis-users ]; then
    password=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
    echo "redis://atelier:$password@redis:6379" >data/secrets/redis-url
    # Whoever reads this file cannot sign in with it: it holds the password's hash.
    # Nobody is the default user, but it may do everything: Redis replays its log as that user (docs/decisions/0012).
    cat >data/secrets/redis-users <<END
user default off ~* &* +@all
user health on nopass resetkeys resetchannels -@all +ping
user atelier on #$(printf %s "$password" | sha256sum | cut -d' ' -f1) ~* &* +@all -@admin -@dangerous +info
END
    did "data/secrets/redis-url, data/secrets/redis-users: a user and a password for Redis"
fi
# is_made: whether our own root made the certificate that is there. ends_soon: within a day.
is_made() { [ -s data/tls/root.crt ] && openssl verify -no_check_time -CAfile data/tls/root.crt data/tls/tls.crt >/dev/null 2>&1; }
ends_soon() { ! openssl x509 -in data/tls/tls.crt -noout -checkend 86400 >/dev/null; }
if [ -n "$certificate" ]; then
    if ! cmp -s "$certificate" data/tls/tls.crt || ! cmp -s "$key" data/tls/tls.key; then
        cp "$certificate" data/tls/tls.crt && cp "$key" data/tls/tls.key
        did "data/tls: $certificate, until $(openssl x509 -in data/tls/tls.crt -noout -enddate | cut -d= -f2)"
    fi
elif [ ! -s data/tls/tls.crt ] || { is_made && ends_soon; }; then
    read -ra names <<<"$(in_env ATELIER_SERVER_NAME "${name:-localhost 127.0.0.1}") $(in_env ATELIER_ADMIN_NAME)"
    scripts/make-certificate.sh data/tls "${names[@]}" | sed 's/^/  /'
elif ends_soon; then
    did "left as it is, though it ends $(openssl x509 -in data/tls/tls.crt -noout -enddate | cut -d= -f2): data/tls/tls.crt. Give a new one with --certificate and --key"
fi
umask 022
# In a draft, so that an interrupted setup leaves no half of it.
draft=$(mktemp .env.XXXXXX)
trap 'rm -f "$draft"' EXIT
trap 'exit 130' INT TERM
if [ -f .env ]; then
    changed="added to .env"
    cp -p .env "$draft"
    # A last line that does not end would swallow what comes behind it.
    [ -z "$(tail -c 1 "$draft")" ] || echo >>"$draft"
else
    changed="in the new .env"
    echo "# Settings of this workshop; docs/configuration.md says what there is. Compose and scripts/ read this file." >"$draft"
fi
# setting NAME VALUE: adds it where it is not set yet, be it commented out.
setting() {
    if grep -q "^$1=" "$draft"; then
        [ "$(in_env "$1")" = "$2" ] || did "left as it is in .env: $1=$(in_env "$1")"
        return 0
    fi
    case "$2" in *\ *) printf '%s="%s"\n' "$1" "$2" >>"$draft" ;; *) echo "$1=$2" >>"$draft" ;; esac
    did "$changed: $1=$2"
}
read -r first _ <<<"${name:-localhost}"
setting COMPOSE_PROJECT_NAME atelier
profiles=$([ "$profile" = none ] || echo "$profile")
setting COMPOSE_FILE "docker-compose.yml$([ -z "$seats" ] || echo :docker-compose.users.yml)"
setting COMPOSE_PROFILES "$profiles${seats:+${profiles:+,}container-seats}"
setting ATELIER_SERVER_NAME "${name:-localhost 127.0.0.1}"
setting ATELIER_LISTEN "${listen:-$([ -n "$name" ] && echo 0.0.0.0 || echo 127.0.0.1)}"
setting ATELIER_PORT "$port"
setting ATELIER_ADMIN_PORT "$admin_port"
setting ATELIER_HTTP_PORT "$http_port"
setting ATELIER_LINK_ADDRESS "$link"
setting ATELIER_SEATS_URL "https://$first$([ "$port" = 443 ] || echo ":$port")"
setting ATELIER_DEFAULT_WORKFLOW black-and-white.json
cmp -s "$draft" .env || mv "$draft" "$(realpath .env)"
if [ -n "$seats" ]; then
    made_by=$(sed -n '1s/.*Made by: scripts\/generate-users.sh *//p' docker-compose.users.yml)
    if [[ $made_by =~ ^(--number [0-9]+)?$ ]]; then
        scripts/generate-users.sh --number "$seats"
    else
        did "left as it is: docker-compose.users.yml, made by scripts/generate-users.sh $made_by"
    fi
fi
give_data
echo "Done. Next: scripts/start.sh --docker"
