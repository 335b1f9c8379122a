#!/bin/sh
# Creates the files in ./secrets for compose.yaml: passwords, and certificates of a new authority.
# Existing files stay. Your own certificate for both names goes to public.crt and public.key, before or after a run.
#   sh make-secrets.sh gate.example.com sso.example.com
set -eu
[ $# -eq 2 ] || { echo 'usage: make-secrets.sh GATE_HOST SSO_HOST' >&2; exit 2; }
gate_host=$1
sso_host=$2
umask 077
mkdir -p "$(dirname "$0")/secrets"
cd "$(dirname "$0")/secrets"

write() { [ -e "$1" ] || { cat > "$1.new" && mv "$1.new" "$1"; }; }
password() { openssl rand -hex 24; }

for name in postgres_password gate_db_password keycloak_db_password keycloak_admin_password \
  alice_password bob_password carol_password; do
  [ -e "$name" ] || password | write "$name"
done
echo "postgres://gate:$(cat gate_db_password)@postgres:5432/gate" | write database_url
echo 'smtp://mailpit:1025?from=gate@example.com' | write smtp_url

if [ ! -e ca.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj '/CN=Authority of this deployment' \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout ca.key -out ca.crt 2>/dev/null
fi
# issue NAME SAN: a key, and a certificate of the authority for these names.
issue() {
  [ -e "$1.crt" ] && return
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:false\n' "$2" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 397 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
  rm "$1.csr" "$1.ext"
}
issue public "DNS:$gate_host,DNS:$sso_host"
issue gate DNS:gate.internal

# Each container runs under its own user id and reads its files by their mode; the folder is closed to other users.
chmod 0444 ./*
chmod 0400 ca.key
chmod 0700 .
