#!/bin/sh
# A database for each service, and a role that may use only this one. PostgreSQL's image runs it once,
# on an empty volume.
set -eu

create() {
  psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres \
    --set name="$1" --set password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

create line_provider "$LINE_PROVIDER_DATABASE_PASSWORD"
create bet_maker "$BET_MAKER_DATABASE_PASSWORD"
