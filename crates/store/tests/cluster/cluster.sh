#!/bin/sh
# Starts a PostgreSQL of its own in the empty folder $1, on port $2 of the loopback; with --replica-of PORT, as a streaming replica of the one
# there. What else the arguments say goes to the server. Says "done", then does what the lines of its standard input say, "stop", "start" or
# "promote", and says so. When that ends, as it does when the test program ends however it may, it stops the server and removes it all.
set -eu
dir=$1
port=$2
shift 2
primary=
if [ "${1-}" = --replica-of ]; then
    primary=$2
    shift 2
fi

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
if [ "$primary" ]; then
    as "$bin/pg_basebackup" -D data -h 127.0.0.1 -p "$primary" -U postgres -R -X stream -c fast --no-sync >initdb.log 2>&1
else
    as "$bin/initdb" --no-sync --auth trust --username postgres --encoding UTF8 --no-locale data >initdb.log 2>&1
fi || { cat initdb.log >&2; exit 1; }
# Members of two roles, which a test makes, must show who they are.
{ printf 'host all +keyed all scram-sha-256\nhostssl all +certified all cert\n' && cat data/pg_hba.conf; } >hba.conf
chmod a+r hba.conf
# An authority of its own, its certificate for "localhost" alone, and one for the role "bearer".
cat >tls.conf <<END
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost
END
chmod a+r tls.conf
certify() { as openssl req -config tls.conf -new -x509 -days 2 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "$@" >>openssl.log 2>&1; }
{ certify -subj /CN=authority -extensions authority -keyout ca.key -out ca.crt &&
    certify -subj /CN=localhost -extensions server -CA ca.crt -CAkey ca.key -keyout server.key -out server.crt &&
    certify -subj /CN=bearer -extensions server -CA ca.crt -CAkey ca.key -keyout bearer.key -out bearer.crt; } || { cat openssl.log >&2; exit 1; }

start() {
    as "$bin/pg_ctl" -D data -s -w -l server.log start -o "-p $port -k $dir -h 127.0.0.1 -c wal_keep_size=1GB -c ssl=on -c max_connections=200 \
        -c ssl_cert_file=$dir/server.crt -c ssl_key_file=$dir/server.key -c ssl_ca_file=$dir/ca.crt -c hba_file=$dir/hba.conf $settings" >&2 || { cat server.log >&2; exit 1; }
}
stop() { as "$bin/pg_ctl" -D data -m immediate -s stop; }
promote() { as "$bin/pg_ctl" -D data -s -w promote >&2; }
end() {
    stop 2>/dev/null || true
    cd /
    rm -rf "$dir"
}

trap end EXIT
trap 'exit 1' HUP INT TERM
settings=$*
start
echo done
while read -r what; do
    "$what"
    echo done
done
