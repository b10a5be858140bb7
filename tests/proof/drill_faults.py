"""Proof: nodes die, and the database restarts or has no connection left, under load; nothing acknowledged is lost.

    python3 tests/proof/drill_faults.py       (needs PostgreSQL)
"""

import random
import signal
import threading
import time
import unittest

import database
import drill


def setUpModule():
    global server
    server = unittest.enterModuleContext(database.Postgres("db")).create().with_every_sync()


def tearDownModule():
    drill.print_table()


class Faults(unittest.TestCase):
    def setUp(self):
        self.store = drill.ledger(server)

    def nodes(self, *names):
        return self.enterContext(drill.nodes(*(drill.Node(self.store, name) for name in names)))

    def test_a_node_is_killed_again_and_again(self):
        """kill -9 of a node amid its commits, ten times. What it had acknowledged is in both nodes' answers."""
        nodes = self.nodes("a", "b")
        with drill.Load(nodes) as load:
            for round in range(10):
                node = nodes[round % 2]
                load.acks(random.randrange(5, 40), by=node)
                node.kill()
                load.acks(5)
                node.start()
        drill.report("a node is killed, 10 times", load, nodes)

    def test_the_database_restarts(self):
        """A fast shutdown, then an immediate one, which is a crash and its recovery. The nodes wait, and go on at once."""
        nodes = self.nodes("a", "b")
        away = []
        with drill.Load(nodes) as load:
            for how in (signal.SIGINT, signal.SIGQUIT):
                load.acks(100)
                began = time.monotonic()
                server.stop(how)
                server.start()
                away.append(time.monotonic() - began)
            load.acks(100)
        row = drill.report("the database restarts, fast and immediate", load, nodes, away=max(away))
        if max(away) < drill.PATIENCE / 2:
            self.assertEqual(row["errors"], "none")

    def test_no_connection_is_left(self):
        """Others have taken all connections, and the node's are lost. It says 503, and goes on when there are some again."""
        nodes = self.nodes("a")
        with drill.Load(nodes) as load:
            load.acks(100)
            with Others():
                lost = time.monotonic()
                while time.monotonic() < lost + drill.PATIENCE + 5:
                    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rollbook'")
            load.acks(100)
        row = drill.report("no connection is left", load, nodes, away=drill.PATIENCE + 5)
        self.assertIn("write 503", row["errors"])


class Others:
    """Take every connection that a user without privileges can have, as soon as there is one."""

    def __enter__(self):
        self.taken, self.over = [], threading.Event()
        self.thread = threading.Thread(target=self._take, daemon=True)
        self.thread.start()

    def _take(self):
        while not self.over.wait(0.001):
            if connection := database.occupy(server, user="rollbook"):
                self.taken.append(connection)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for connection in self.taken:
            connection.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
