#!/bin/bash
# A base backup of Postgres and a copy of the keys, for restore.sh: backup.sh <folder>
# Needs pg_basebackup, a login that may replicate (BACKUP_URL), and wal_level=replica. With archive-wal.sh as the
# server's archive_command, any later moment can be restored too.
set -euo pipefail
target=${1:?folder of the backup}
data=${PROMPTSHIELD_DATA:-.promptshield}
: "${BACKUP_URL:?postgresql:// address of a login that may replicate}"
day=$target/$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$day"
chmod 0700 "$day"
pg_basebackup --dbname "$BACKUP_URL" --pgdata "$day/base" --format=tar --gzip --wal-method=stream --checkpoint=fast
# Without the keys nobody can use API keys, read stored bodies or verify checkpoints. Keep them apart from the rows.
# Beside them what operators and tenants made, their policies, signatures and heads, and what a new installation has
# not made yet.
kept=(keys)
for made in checkpoints instance policies signatures heads; do if [ -e "$data/$made" ]; then kept+=("$made"); fi; done
tar -C "$data" -czf "$day/keys.tar.gz" "${kept[@]}"
(cd "$day" && sha256sum base/* keys.tar.gz > sums.new && mv sums.new SHA256SUMS)
echo "$day"
