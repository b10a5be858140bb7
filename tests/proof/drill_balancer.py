"""Proof: behind a load balancer that asks /readyz, clients hardly notice that a node dies, and don't notice that nodes are replaced.

    python3 tests/proof/drill_balancer.py       (needs PostgreSQL and haproxy)
"""

import shutil
import subprocess
import types
import unittest

import database
import drill
import harness

# Whatever may be repeated is: events are stored once, however often they come, and reads change nothing.
REPEAT = "option http-buffer-request\n  retry-on conn-failure empty-response"


def setUpModule():
    global server
    server = unittest.enterModuleContext(database.Postgres("db")).create().with_every_sync()


def tearDownModule():
    drill.print_table()


class Balancer(unittest.TestCase):
    def setUp(self):
        store = drill.ledger(server)
        self.nodes = self.enterContext(drill.nodes(drill.Node(store, "a"), drill.Node(store, "b")))

    def balancer(self, repeat):
        """A haproxy before the nodes, as something that `Load` takes for a node."""
        folder, port = database.folder("drill-haproxy-"), database.free_port()
        self.addCleanup(shutil.rmtree, folder)
        servers = "".join(f"  server {node.name} {node.url.removeprefix('http://')} check\n" for node in self.nodes)
        (folder / "haproxy.cfg").write_text(
            f"""
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  retries 3
  option redispatch 1
  {repeat}
frontend clients
  bind 127.0.0.1:{port}
  default_backend nodes
backend nodes
  balance roundrobin
  option httpchk GET /readyz
  default-server inter 500ms fall 2 rise 1
{servers}"""
        )
        command = database.unprivileged("/usr/sbin/haproxy" if not shutil.which("haproxy") else "haproxy", "-db", "-f", folder / "haproxy.cfg", until_we_end=True)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        front = types.SimpleNamespace(name="balancer", url=f"http://127.0.0.1:{port}", permit=self.nodes[0].permit, alive=lambda: True)
        harness.wait_until(lambda: drill.is_ready(front), True)
        return front

    def killed(self, repeat, name):
        with drill.Load([self.balancer(repeat)], writers=8, readers=4) as load:
            for node in self.nodes:
                load.acks(200)
                node.kill()
                load.acks(200)
                node.start()
                harness.wait_until(lambda: drill.is_ready(node), True)
        return drill.report(name, load, self.nodes)

    def test_nodes_are_killed(self):
        row = self.killed(REPEAT, "each node is killed behind a balancer")
        self.assertEqual(row["errors"], "none")

    def test_nodes_are_killed_and_nothing_is_repeated(self):
        """A client sees an error for each request that the node was at, and no other: at most as many as there are clients."""
        self.killed("", "the same, and the balancer repeats nothing")

    def test_rolling_restart(self):
        """SIGTERM, restart, the next: what is under way is finished."""
        with drill.Load([self.balancer(REPEAT)], writers=8, readers=4) as load:
            for _ in range(3):
                for node in self.nodes:
                    load.acks(100)
                    node.stop()
                    node.start()
                    harness.wait_until(lambda: drill.is_ready(node), True)
                    load.acks(100)
        row = drill.report("each node is restarted 3 times behind a balancer", load, self.nodes)
        self.assertEqual(row["errors"], "none")


if __name__ == "__main__":
    unittest.main(verbosity=2)
