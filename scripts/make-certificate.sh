#!/usr/bin/env bash
# Makes a certificate for a workshop on a network of its own: for when there is no public name (docs/decisions/0006).
# usage: scripts/make-certificate.sh FOLDER NAME|ADDRESS…
# FOLDER gets root.crt, which every device must install and trust, and tls.crt and tls.key for nginx. All end after 30 days.
# The root can vouch for these names and addresses only, and its key is thrown away: nothing can be made with it later.
set -euo pipefail

refuse() {
    echo "$1" >&2
    exit 2
}

case "${1:-}" in
    '' | -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        if [ -n "${1:-}" ]; then exit 0; else exit 2; fi
        ;;
esac
folder=$1
shift
[ $# -gt 0 ] || refuse "Say which names or addresses the certificate is for."
command -v openssl >/dev/null || refuse "openssl is missing: apt-get install openssl"
if [ -e "$folder/tls.crt" ] && openssl x509 -in "$folder/tls.crt" -noout -checkend 86400 >/dev/null 2>&1; then
    refuse "$folder/tls.crt is there and still valid. Devices trust its root; delete the folder if you mean to start over."
fi

names='' permitted=''
has_address=no
for name in "$@"; do
    case "$name" in
        *[!a-zA-Z0-9.-]* | -* | .*) refuse "'$name' is neither a name nor an IPv4 address." ;;
        *[!0-9.]*) names+=",DNS:$name" permitted+=",permitted;DNS:$name" ;;
        *.*.*.*) names+=",IP:$name" permitted+=",permitted;IP:$name/255.255.255.255" has_address=yes ;;
        *) refuse "'$name' is neither a name nor an IPv4 address." ;;
    esac
done
# A kind of name that is not mentioned would not be limited at all.
if [ $has_address = no ]; then permitted+=',excluded;IP:0.0.0.0/0.0.0.0'; fi
permitted+=',excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0'

umask 077
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Atelier workshop $(date +%F)" \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign \
        -addext "nameConstraints=critical${permitted}" -keyout "$work/root.key" -out "$work/root.crt"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/tls.key" -out "$work/tls.csr"
    printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n' \
        "${names#,}" >"$work/leaf.cnf"
    openssl x509 -req -in "$work/tls.csr" -CA "$work/root.crt" -CAkey "$work/root.key" -CAcreateserial -days 30 \
        -extfile "$work/leaf.cnf" -out "$work/leaf.crt"
    openssl verify -CAfile "$work/root.crt" "$work/leaf.crt"
} >"$work/said" 2>&1 || {
    cat "$work/said" >&2
    refuse "openssl could not make it."
}
cat "$work/leaf.crt" "$work/root.crt" >"$work/tls.crt"
# In Docker the folder is nginx's, which must read the key as well.
if [ "$(id -u)" -eq 0 ]; then chown --reference="$folder" "$work/tls.key" "$work/tls.crt"; fi
install -m 644 "$work/root.crt" "$folder/root.crt"
mv "$work/tls.key" "$folder/tls.key"
# Last, as its being there says that all is made.
mv "$work/tls.crt" "$folder/tls.crt"

echo "Made $folder/tls.crt and $folder/tls.key for $*, until $(openssl x509 -in "$folder/tls.crt" -noout -enddate | cut -d= -f2)."
echo "Every device installs and trusts $folder/root.crt. Compare this on the device's screen before trusting it:"
openssl x509 -in "$folder/root.crt" -noout -fingerprint -sha256 | sed 's/.*=/  SHA-256 /'
