#!/bin/bash
# Root prepares the data directory and becomes mysql. An empty directory gets the system's tables first.
set -eo pipefail
data=/var/lib/mysql
if [[ $1 == -* ]]; then
    set -- mariadbd "$@"
fi
if [[ $1 != mariadbd ]]; then
    exec "$@"
fi
if (($(id -u) == 0)); then
    find "$data" \! -user mysql -exec chown mysql:mysql {} +
    exec gosu mysql "$0" "$@"
fi
if [[ ! -d $data/mysql ]]; then
    # --force: also where the name of the host cannot be resolved.
    mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db --force
fi
exec "$@"
