#!/bin/bash
# The server's archive_command: archive_command = '/.../archive-wal.sh /backup/wal %p %f'
# Fails rather than overwrite: Postgres then keeps the segment and tries again. What is there already with the same
# content is done: after a crash Postgres brings again what it had brought, and would bring nothing else ever after.
set -euo pipefail
folder=${1:?folder} path=${2:?%p} name=${3:?%f}
if [ -e "$folder/$name" ]; then
    cmp -- "$path" "$folder/$name"
else
    cp "$path" "$folder/.$name.new"
    sync "$folder/.$name.new"
    mv "$folder/.$name.new" "$folder/$name"
fi
sync "$folder" # Postgres forgets its own segment now: the name must outlive a power cut, not the content alone
