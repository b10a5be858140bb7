#!/bin/sh
# Starts a PostgreSQL of its own in the empty folder $1 and listens on the port $2 of the loopback and on a socket in the folder. Says
# "ready", then waits until its standard input ends, as it does when the test program ends however it may: then stops and removes it all.
# Whatever else arguments say goes to the server.
set -eu
dir=$1
port=$2
shift 2

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || bin=$(dirname "$(command -v initdb)") || {
    echo "PostgreSQL is not installed (Debian: apt-get install postgresql), and ROLLBOOK_TEST_POSTGRES names none" >&2
    exit 1
}

# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as() { setpriv --reuid postgres --regid postgres --clear-groups -- "$@"; }
else
    as() { "$@"; }
fi

cd "$dir"
as "$bin/initdb" --no-sync --auth trust --username postgres --encoding UTF8 --no-locale data >initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }
# A certificate for "localhost" that nobody but its own file vouches for.
as openssl req -new -x509 -days 2 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout server.key -out server.crt >openssl.log 2>&1 || { cat openssl.log >&2; exit 1; }

stop() {
    as "$bin/pg_ctl" -D data -m immediate -s stop || true
    cd /
    rm -rf "$dir"
}
trap stop EXIT
as "$bin/pg_ctl" -D data -s -w -l server.log start -o "-p $port -k $dir -h 127.0.0.1 -c ssl=on \
    -c ssl_cert_file=$dir/server.crt -c ssl_key_file=$dir/server.key -c max_connections=200 $*" >&2 || { cat server.log >&2; exit 1; }
echo ready
cat >/dev/null
