"""Proof: the database is away, stands still, or is slow, for longer than a node waits for it; nothing acknowledged is lost.

    python3 tests/proof/drill_stalls.py       (needs PostgreSQL)
"""

import contextlib
import signal
import socket
import threading
import time
import unittest

import database
import drill
import harness


def setUpModule():
    global server
    server = unittest.enterModuleContext(database.Postgres("db")).create().with_every_sync()


def tearDownModule():
    drill.print_table()


class Stalls(unittest.TestCase):
    def setUp(self):
        self.store = drill.ledger(server)

    def nodes(self, *names, store=None):
        return self.enterContext(drill.nodes(*(drill.Node(store or self.store, name) for name in names)))

    def test_the_database_is_away(self):
        """Away for longer than the nodes' patience: clients are told so, and the nodes come back with it."""
        nodes = self.nodes("a", "b")
        with drill.Load(nodes) as load:
            load.acks(100)
            server.stop()
            stopped = time.monotonic()
            load.run(drill.PATIENCE + 3)
            ready = [harness.get(f"{node.url}/readyz").status for node in nodes]
            server.start()
            away = time.monotonic() - stopped
            load.acks(100)
        self.assertEqual(ready, [503, 503])
        self.assertFalse([t for t in load.tries if t.outcome == 200 and t.sent > stopped and t.answered < stopped + drill.PATIENCE])
        drill.report(f"the database is away for {drill.PATIENCE + 3} s", load, nodes, away=away)

    def test_the_database_stands_still(self):
        """Every process of it is stopped (SIGSTOP) for a while: its connections live, and nothing comes back."""
        nodes = self.nodes("a", "b")
        with drill.Load(nodes) as load:
            load.acks(100)
            every = database.descendants(server.process.pid)
            database.signal_all(every, signal.SIGSTOP)
            stopped = time.monotonic()
            load.run(drill.PATIENCE + 3)
            database.signal_all(every, signal.SIGCONT)
            load.acks(100)
        drill.report(f"the database stands still for {drill.PATIENCE + 3} s", load, nodes, away=drill.PATIENCE + 3)

    def test_the_database_is_slow(self):
        """Each of its answers comes 0.1 s late. Everything takes longer, and nothing fails."""
        with Delay(server.port, 0.1) as delay:
            nodes = self.nodes("a", "b", store=self.store.replace(f":{server.port}/", f":{delay.port}/"))
            with drill.Load(nodes) as load:
                load.acks(60)
        row = drill.report("every answer of the database is 0.1 s late", load, nodes)
        self.assertEqual(row["errors"], "none")


class Delay:
    """Passes connections on, and holds back what the other side answers. What is held back overtakes nothing."""

    def __init__(self, port, seconds):
        self.target, self.seconds = ("127.0.0.1", port), seconds
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.seconds = 0
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return  # it was closed
            far = socket.create_connection(self.target)
            threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, source, sink, late):
        with source, contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if late:
                    time.sleep(self.seconds)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    unittest.main(verbosity=2)
