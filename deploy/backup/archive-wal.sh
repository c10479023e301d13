#!/bin/bash
# The server's archive_command: archive_command = '/.../archive-wal.sh /backup/wal %p %f'
# Fails rather than overwrite: Postgres then keeps the segment and tries again.
set -euo pipefail
folder=${1:?folder} path=${2:?%p} name=${3:?%f}
test ! -e "$folder/$name"
cp "$path" "$folder/.$name.new"
sync "$folder/.$name.new"
mv "$folder/.$name.new" "$folder/$name"
