"""The servers that are compared, each on the server's core, on a free port of the loopback."""

import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request

from processes import SERVER_CORE, Process, run

BENCH = pathlib.Path(__file__).parent
NODE = BENCH / "node_modules/.bin/node"
KIT = "/client/v4/accounts/bench/realtime/kit/bench"
EVENTS = "/v1/accounts/bench/apps/bench/events"

# A request to loopback never goes through a proxy that the environment may name.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Server:
    """A process with an address."""

    process = None
    url = None
    token = "none"

    def get(self, path, within=300):
        request = urllib.request.Request(self.url + path, headers={"authorization": "Bearer " + self.token})
        with _open(request, timeout=within) as answer:
            return answer.read()

    def post(self, path, body, kind="application/json"):
        request = urllib.request.Request(self.url + path, body, {"authorization": "Bearer " + self.token, "content-type": kind})
        with _open(request, timeout=300) as answer:
            return answer.read()

    def cpu_seconds(self):
        return self.process.cpu_seconds()

    def stop(self):
        self.process.stop()


class Rollbook(Server):
    """The program as it is installed: tokens, limits, metrics and all."""

    def __init__(self, binary, data, log, store="sqlite", memory="1GiB"):
        self.binary, self.data, self.log, self.store, self.memory = binary, pathlib.Path(data), log, store, memory
        created = [binary, "token", "create", "--account", "bench", "--permission", "realtime_admin", "--data", data, "--store", store]
        self.token = run(created).strip()
        self.start()

    def start(self):
        serve = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data", self.data]
        command = [self.binary, *serve, "--store", self.store, "--memory", self.memory, "--log-level", "warn"]
        self.process = Process(command, SERVER_CORE, self.log)
        self.url = self.process.line().removeprefix("rollbook listening on ")


class Nginx(Server):
    """Files below a folder, at /on with tcp_nopush and at /off without."""

    def __init__(self, folder, log):
        port = free_port()
        conf = (BENCH / "nginx.conf").read_text().replace("PORT", str(port)).replace("FOLDER", str(folder))
        if os.geteuid() == 0:
            conf = "user root;\n" + conf
        (folder / "nginx.conf").write_text(conf)
        self.process = Process([nginx_binary(), "-p", folder, "-c", folder / "nginx.conf", "-e", log], SERVER_CORE, log)
        self.url = f"http://127.0.0.1:{port}"
        wait_until(lambda: listens(port), self.process)


class Rival(Server):
    """fastify in front of a table; with PostgreSQL, the database is part of it."""

    def __init__(self, kind, place, log, database=None):
        self.name, self.database = f"fastify + {'better-sqlite3' if kind == 'sqlite' else 'PostgreSQL'}", database
        self.process = Process([NODE, BENCH / "rivals/server.mjs", kind, place], SERVER_CORE, log, env={**os.environ, "NODE_ENV": "production"})
        self.url = f"http://127.0.0.1:{self.process.line()}"

    def cpu_seconds(self):
        return super().cpu_seconds() + (self.database.cpu_seconds() if self.database else 0)


class Postgres(Server):
    """A cluster of its own in an empty folder; everything durable, as it is installed, with memory for the tables."""

    def __init__(self, folder, log):
        self.port = free_port()
        bin_folder = postgres_binaries()
        folder.mkdir()
        prefix = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres")
            prefix = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
        data = folder / "data"
        initdb = [*prefix, bin_folder / "initdb", "--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--no-locale", data]
        run(initdb, cwd=folder)
        settings = ["shared_buffers=1GB", "max_wal_size=4GB", "max_connections=100", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}"]
        options = [option for setting in settings for option in ("-c", setting)]
        command = [*prefix, bin_folder / "postgres", "-D", data, "-p", self.port, *options]
        self.process = Process(command, SERVER_CORE, log, cwd=folder)
        ready = [bin_folder / "pg_isready", "--quiet", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_until(lambda: subprocess.run(ready).returncode == 0, self.process)
        self.psql, self.folder = [*prefix, bin_folder / "psql", "-h", folder, "-p", self.port, "-U", "postgres", "-qAt"], folder

    def create(self, name):
        """The address of an empty database."""
        run([*self.psql, "-c", f"CREATE DATABASE {name}"], cwd=self.folder)
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}?sslmode=disable"

    def stop(self):
        # SIGINT is PostgreSQL's "fast": it ends sessions instead of waiting for them.
        self.process.stop(2)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(ready, process, within=30):
    """Until a server that has no way to say so is ready."""
    deadline = time.monotonic() + within
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"not ready within {within} s:\n{process.tail()}")
        time.sleep(0.02)


def nginx_binary():
    return shutil.which("nginx") or "/usr/sbin/nginx"


def postgres_binaries():
    installed = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return installed[-1]


def versions(binary):
    def said(*command):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        return (done.stdout or done.stderr).strip().splitlines()[0]

    packages = {name: said(NODE, "-p", f"require('{BENCH}/node_modules/{name}/package.json').version") for name in ("fastify", "better-sqlite3", "pg")}
    return {
        "rollbook": said(binary, "--version"), "nginx": said(nginx_binary(), "-v"), "node": said(NODE, "--version"), **packages,
        "PostgreSQL": said(postgres_binaries() / "postgres", "--version"),
    }
