#!/bin/sh
# Root prepares the data directory and becomes postgres. An empty directory becomes a cluster first.
set -e
[ "$1" = postgres ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    find "$PGDATA" ! -user postgres -exec chown postgres:postgres {} +
    exec gosu postgres "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --auth="$POSTGRES_HOST_AUTH_METHOD" --locale=C.UTF-8
    # A bare process has no /dev/shm that everybody may write to.
    cat >>"$PGDATA/postgresql.conf" <<-'CONF'
	listen_addresses = '127.0.0.1'
	unix_socket_directories = ''
	dynamic_shared_memory_type = mmap
	shared_buffers = 32MB
	CONF
fi
exec "$@"
