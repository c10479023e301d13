#!/bin/bash
# Bring a backup back into an empty folder: restore.sh <backup> <postgres folder> [<wal folder> [<moment>]]
# With a WAL folder everything up to <moment> ("2027-03-01 12:30:00+00"), or to the end, is replayed at the next start.
set -euo pipefail
backup=${1:?folder that backup.sh printed} target=${2:?an empty folder} wal=${3:-} moment=${4:-}
(cd "$backup" && sha256sum --quiet --check SHA256SUMS)
mkdir -p "$target"
test -z "$(ls -A "$target")" || { echo "restore: $target is not empty" >&2; exit 1; }
chmod 0700 "$target"
tar -xzf "$backup/base/base.tar.gz" -C "$target"
mkdir -p "$target/pg_wal"
tar -xzf "$backup/base/pg_wal.tar.gz" -C "$target/pg_wal"
if [ -n "$wal" ]; then
    wal=$(cd "$wal" && pwd) # Postgres asks from its own folder, and takes what it does not find for the end
    {
        echo "restore_command = 'cp \"$wal/%f\" \"%p\"'"
        echo "recovery_target_action = 'promote'"
        test -z "$moment" || echo "recovery_target_time = '$moment'"
    } >> "$target/postgresql.auto.conf"
    touch "$target/recovery.signal"
fi
echo "restored; start Postgres on $target, then: promptshield audit verify"
