"""Real PostgreSQL servers of the drills' own, each in a temporary folder, with every sync that a real one makes. Standard library only."""

import atexit
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

STARTED_WITHIN = 60  # seconds; crash recovery included
STOPPED_WITHIN = 60


def programs():
    """The folder of PostgreSQL's programs."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4].split(".")[0]))
    named = found[-1] if found else shutil.which("initdb")
    if not named:
        raise SystemExit("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return pathlib.Path(named).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unprivileged(*command, until_we_end=False):
    """The command as a user that PostgreSQL runs as: it refuses root. `until_we_end`: it goes when the program that started it goes."""
    options = ["--pdeathsig", "QUIT"] if until_we_end else []
    if os.geteuid() == 0:
        options += ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    return ["setpriv", *options, "--", *map(str, command)] if options else [*map(str, command)]


def folder(prefix):
    """An empty temporary folder that the server's user owns."""
    made = tempfile.mkdtemp(prefix=prefix)
    if os.geteuid() == 0:
        shutil.chown(made, "postgres", "postgres")
    return pathlib.Path(made)


def descendants(pid):
    """The process and all that it started, as far as they live."""
    found = [pid]
    for parent in found:  # it grows meanwhile
        try:
            found += [int(child) for child in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        except OSError:
            pass  # it ended
    return found


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Postgres:
    """One server. `name` is what standbys call themselves in `synchronous_standby_names`."""

    def __init__(self, name, host="127.0.0.1", **settings):
        self.name, self.host, self.port = name, host, free_port()
        self.folder = folder(f"drill-{name}-")
        self.data, self.log = self.folder / "data", self.folder / "log"
        # Made without syncs, which takes a third of the time; `with_every_sync` before anything is at stake.
        self.settings = {"fsync": "off", **settings}
        self.process = None
        atexit.register(self.destroy)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.destroy()

    def run(self, program, *arguments, check=True, timeout=120):
        command = unprivileged(programs() / program, *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=self.folder, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"{program} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done

    def create(self, *options):
        """An empty cluster, with a user for rollbook that is no superuser and owns its database."""
        self.run("initdb", "--no-sync", "--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--no-locale", *options, self.data)
        with open(self.data / "postgresql.conf", "a") as main:
            main.write("include 'drill.conf'\n")
        with open(self.data / "pg_hba.conf", "a") as rules:
            rules.write("host all all 0.0.0.0/0 trust\nhost replication all 0.0.0.0/0 trust\n")
        self.start()
        self.sql("CREATE ROLE rollbook LOGIN")
        self.sql("CREATE DATABASE rollbook OWNER rollbook")
        return self

    def _configure(self, **settings):
        self.settings |= settings
        options = {"port": self.port, "listen_addresses": self.host, "unix_socket_directories": self.folder, "max_connections": 100}
        lines = [f"{name} = '{value}'" for name, value in {**options, **self.settings}.items()]
        (self.data / "drill.conf").write_text("\n".join(lines) + "\n")

    def start(self, wait=True):
        self._configure()
        with open(self.log, "ab") as log:
            command = unprivileged(programs() / "postgres", "-D", self.data, until_we_end=True)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        if wait:
            self.wait_until_ready()
        return self

    def set(self, **settings):
        """Changes settings of the running server. A copy that is made of it takes none of them over."""
        self._configure(**settings)
        self.sql("SELECT pg_reload_conf()")

    def with_every_sync(self):
        self.set(fsync="on")
        self.sql("CHECKPOINT")
        return self

    def wait_until_ready(self):
        deadline = time.monotonic() + STARTED_WITHIN
        while self.run("pg_isready", "-q", "-h", self.host, "-p", self.port, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} did not start:\n{self.tail()}")
            time.sleep(0.05)  # it has no other way to say that it is ready

    def stop(self, how=signal.SIGINT):
        """SIGINT is a fast shutdown, SIGQUIT an immediate one."""
        process, self.process = self.process, None
        process.send_signal(how)
        process.wait(STOPPED_WITHIN)

    def kill(self):
        """kill -9 of the server and all of its processes at one moment, as a power cut would."""
        process, self.process = self.process, None
        every = descendants(process.pid)
        signal_all(every, signal.SIGSTOP)
        signal_all(every, signal.SIGKILL)
        process.wait()

    def destroy(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:]

    def sql(self, text, user="postgres", database="postgres"):
        """The rows that psql shows, a line each."""
        return self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-p", self.port, "-U", user, "-d", database, "-c", text).stdout.strip()

    def standby(self, name, **settings):
        """A streaming standby, started, of this server."""
        other = Postgres(name, self.host, hot_standby="on", **settings)
        connection = f"host={self.host} port={self.port} user=postgres application_name={name}"
        other.run("pg_basebackup", "-D", other.data, "-d", connection, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        return other.start()

    def promote(self):
        self.run("pg_ctl", "-D", self.data, "-w", "promote")

    def pids(self, backend):
        """The processes of one kind, by how they name themselves to `ps`: `walsender`, `walreceiver`…"""
        named = [pid for pid in descendants(self.process.pid)[1:] if backend in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
        if not named:
            raise AssertionError(f"{self.name} has no {backend}")
        return named


def address(*servers, options=""):
    """The store's address: every server that may be the primary."""
    hosts = ",".join(f"{server.host}:{server.port}" for server in servers)
    return f"postgres://rollbook@{hosts}/rollbook?sslmode=disable{options}"


def occupy(server, user="postgres"):
    """A connection that does nothing but be one; none where the server has no more."""
    connection = socket.create_connection((server.host, server.port), timeout=10)
    words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", "postgres")) + b"\0"
    connection.sendall(struct.pack("!ii", len(words) + 8, 196608) + words)
    if connection.recv(1) == b"R":  # it asks for, or has, authentication; `E` is an error
        return connection
    connection.close()
    return None
