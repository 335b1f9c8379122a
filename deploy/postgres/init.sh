#!/bin/bash
# First start of PostgreSQL: creates a database and an owner for the gateway and for Keycloak, without mutual access.
set -euo pipefail
for name in gate keycloak; do
  password=$(< "/run/secrets/${name}_db_password")
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set name="$name" --set password="$password" \
    --username "$POSTGRES_USER" --dbname postgres << 'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
