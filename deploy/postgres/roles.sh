#!/bin/bash
# The logins of a new database: the product's, and Grafana's, which may read and nothing else. Everything else is made
# by the product's own migrations, which log in as the owner (DATABASE_OWNER_URL).
set -euo pipefail
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set product="$PROMPTSHIELD_DB_PASSWORD" --set grafana="$GRAFANA_DB_PASSWORD" <<'SQL'
CREATE ROLE promptshield LOGIN PASSWORD :'product';
CREATE ROLE ps_reader NOLOGIN;
CREATE ROLE grafana LOGIN PASSWORD :'grafana' CONNECTION LIMIT 10 IN ROLE ps_reader;
ALTER ROLE grafana SET statement_timeout = '30s';
ALTER ROLE grafana SET default_transaction_read_only = on;
SQL
