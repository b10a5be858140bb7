"""Proof: Patroni fails over by itself, and the nodes follow it.

    python3 tests/proof/drill_patroni.py       (needs PostgreSQL, patroni and etcd)

Two members with one etcd, all on loopback, in synchronous mode. `kill -9` of the primary with its Patroni, as where its machine dies; then it
comes back as the standby; then a switchover that someone asked for.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

import database
import drill
import harness

# A failed primary's lease ends after `ttl`: these are the least that Patroni documents.
TIMES = {"ttl": 20, "loop_wait": 2, "retry_timeout": 3}
ELECTED_WITHIN = 120  # seconds


def tearDownModule():
    drill.print_table()


class Program:
    """A server that ends with the proof."""

    def __init__(self, case, name, *command, folder):
        self.command, self.folder, self.log, self.process = command, folder, folder / f"{name}.log", None
        case.addCleanup(self.kill)
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            command = database.unprivileged(*self.command, until_we_end=True)
            environment = {**os.environ, "PATH": f"{database.programs()}:/usr/sbin:{os.environ['PATH']}"}
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=environment)

    def kill(self, others=()):
        """At one moment, with all that it started, and others."""
        if self.process is None:
            return
        process, self.process = self.process, None
        every = database.descendants(process.pid) + list(others)
        database.signal_all(every, signal.SIGSTOP)
        database.signal_all(every, signal.SIGKILL)
        process.wait()


class Member:
    """One Patroni with its PostgreSQL."""

    def __init__(self, case, name, etcd, folder):
        self.name, self.host, self.port, self.rest, self.data = name, "127.0.0.1", database.free_port(), database.free_port(), folder / name
        sockets = folder / f"{name}-sockets"
        sockets.mkdir()
        if os.geteuid() == 0:
            shutil.chown(sockets, "postgres", "postgres")
        address = f"{self.host}:{self.port}"
        parameters = {"unix_socket_directories": str(sockets), "max_connections": 100}
        settings = {
            "scope": "drill",
            "name": name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            "etcd3": {"host": etcd},
            "bootstrap": {
                "dcs": {**TIMES, "synchronous_mode": True, "postgresql": {"use_pg_rewind": True, "parameters": {"synchronous_commit": "on"}}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "trust"}, "data-checksums"],
            },
            "postgresql": {
                "listen": address,
                "connect_address": address,
                "data_dir": str(self.data),
                "bin_dir": str(database.programs()),
                "pgpass": str(sockets / "pgpass"),
                "parameters": parameters,
                "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
                "authentication": {user: {"username": "postgres"} for user in ("superuser", "replication", "rewind")},
            },
        }
        file = folder / f"{name}.yml"
        file.write_text(json.dumps(settings))  # JSON is YAML
        self.patroni = Program(case, name, "patroni", file, folder=folder)
        case.addCleanup(self.kill)

    def kill(self):
        try:
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
            found = database.descendants(postmaster) if pathlib.Path(f"/proc/{postmaster}").exists() else []
        except OSError:
            found = []  # it never started
        self.patroni.kill(found)

    def call(self, method, path, body=None):
        return harness.request(method, f"http://127.0.0.1:{self.rest}{path}", body=body and json.dumps(body).encode())


class Patroni(unittest.TestCase):
    def setUp(self):
        self.folder = database.folder("drill-patroni-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        client, peer = (f"http://127.0.0.1:{database.free_port()}" for _ in range(2))
        self.etcd = Program(
            self, "etcd", "etcd", "--data-dir", self.folder / "etcd", "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}", folder=self.folder,
        )  # fmt: skip
        self.one = Member(self, "one", client.removeprefix("http://"), self.folder)
        self.wait_for(self.one, {"one": "leader"})
        self.two = Member(self, "two", client.removeprefix("http://"), self.folder)
        self.wait_for(self.one, {"one": "leader", "two": "sync_standby"})

    def wait_for(self, member, roles):
        def seen():
            try:
                members = member.call("GET", "/cluster").body["members"]
            except (OSError, TypeError, KeyError):
                return None  # it does not answer yet
            return {m["name"]: m["role"] for m in members if m["state"] in ("running", "streaming")}

        try:
            harness.wait_until(seen, roles, within=ELECTED_WITHIN)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{member.patroni.log.read_text()[-3000:]}") from None

    def sql(self, member, text):
        command = ["psql", "-XAtq", "-h", member.host, "-p", str(member.port), "-U", "postgres", "-c", text]
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    def test_failover_return_and_switchover(self):
        self.sql(self.one, "CREATE ROLE rollbook LOGIN")
        self.sql(self.one, "CREATE DATABASE rollbook OWNER rollbook")
        store = database.address(self.one, self.two)
        nodes = self.enterContext(drill.nodes(drill.Node(store, "a"), drill.Node(store, "b")))
        with drill.Load(nodes) as load:
            load.acks(200)
            killed = time.monotonic()
            self.one.kill()
            load.acks(200, within=ELECTED_WITHIN)
            away = time.monotonic() - killed
        drill.report(f"Patroni fails over (ttl {TIMES['ttl']} s)", load, nodes, away=away)

        self.one.patroni.start()
        self.wait_for(self.two, {"one": "sync_standby", "two": "leader"})
        with drill.Load(nodes, prefix="more ") as more:
            more.acks(200)
            self.assertEqual(self.two.call("POST", "/switchover", {"leader": "two", "candidate": "one"}).status, 200)
            self.wait_for(self.one, {"one": "leader", "two": "sync_standby"})
            more.acks(200)
        more.adds(load)
        drill.report("Patroni switches over on demand", more, nodes)


if __name__ == "__main__":
    unittest.main(verbosity=2)
