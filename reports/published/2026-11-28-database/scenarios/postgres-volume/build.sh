# Run while the image is built: the version of PostgreSQL is the distribution's, so its directory is looked for.
set -e
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres)")
ln -s "$bin" /srv/bin
mkdir /srv/db
chown postgres:postgres /srv/db
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
# The C locale sorts alike everywhere. Nobody but the box itself reaches the port.
as_postgres "$bin/initdb" -D /srv/db --locale=C.UTF-8 --auth=trust --no-sync >/dev/null
cat /srv/postgresql.extra.conf >> /srv/db/postgresql.conf
cd /srv/db
as_postgres "$bin/pg_ctl" -D /srv/db -w -o '-c fsync=off' -l /tmp/log start
as_postgres "$bin/createdb" -h 127.0.0.1 -p 6472 bench
as_postgres "$bin/pgbench" -h 127.0.0.1 -p 6472 -i -s 2 -q bench
as_postgres "$bin/pg_ctl" -D /srv/db -w -m fast stop
rm /tmp/log
