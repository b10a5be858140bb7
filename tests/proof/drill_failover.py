"""Proof: the primary dies under load, its standby takes over, and nothing that was acknowledged is lost.

    python3 tests/proof/drill_failover.py [Failover | WaitsCutShort]       (needs PostgreSQL)
"""

import signal
import time
import unittest

import database
import drill
import harness

ACKNOWLEDGED_BY_BOTH = {"synchronous_commit": "on", "synchronous_standby_names": "FIRST 1 (second)"}


def tearDownModule():
    drill.print_table()


class Pair(unittest.TestCase):
    def pair(self, **settings):
        """A primary with its standby, and two nodes that know both addresses."""
        primary = self.enterContext(database.Postgres("first")).create()
        standby = self.enterContext(primary.standby("second"))
        harness.wait_until(lambda: primary.sql("SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"), "second")
        primary.with_every_sync().set(**settings)
        standby.with_every_sync()
        store = database.address(primary, standby)
        return primary, standby, self.enterContext(drill.nodes(drill.Node(store, "a"), drill.Node(store, "b")))

    def fresh(self, *servers):
        (node,) = self.enterContext(drill.nodes(drill.Node(database.address(*servers), "fresh")))
        return node


class Failover(Pair):
    def test_synchronous(self):
        """kill -9 of the primary. The nodes find the standby by themselves; 0 acknowledged events are lost."""
        primary, standby, nodes = self.pair(**ACKNOWLEDGED_BY_BOTH)
        with drill.Load(nodes) as load:
            load.acks(300)
            killed = time.monotonic()
            primary.kill()
            standby.promote()
            away = time.monotonic() - killed
            load.acks(300)
        drill.report("failover to a synchronous standby", load, [*nodes, self.fresh(standby)], away=away)

    def test_asynchronous_loses(self):
        """The trap: without `synchronous_standby_names` what the standby had not received is gone, acknowledged or not."""
        primary, standby, nodes = self.pair()
        with drill.Load(nodes) as load:
            load.acks(100)
            database.signal_all(primary.pids("walsender"), signal.SIGSTOP)
            load.acks(100)
        primary.kill()
        standby.promote()
        row = drill.report("the trap: an asynchronous standby", load, [*nodes, self.fresh(standby)], allow_lost=True)
        self.assertGreater(row["lost"], 0, "this drill would not see a loss")


class WaitsCutShort(Pair):
    def test_the_old_primary_comes_back(self):
        """The trap: nobody told it. It acknowledges nothing, as its standby is gone; but it knows nothing of what came since."""
        primary, standby, nodes = self.pair(**ACKNOWLEDGED_BY_BOTH)
        with drill.Load(nodes) as load:
            load.acks(100)
            primary.kill()
            standby.promote()
            load.acks(100)
        drill.report("failover, before the old primary comes back", load, nodes)
        primary.start()
        fooled = self.fresh(primary, standby)
        lost, _ = drill.compare(load, [fooled])
        self.assertTrue(lost, "it lists what came after the failover")
        refused = drill.ask({}, fooled, "POST", drill.EVENTS, drill.event("joined", drill.SESSIONS[0], "late", drill.BEGAN))
        self.assertEqual(refused[0], 503)

    def cut_short(self, how):
        """Someone ends the wait of commits for the standby, which then are visible, and not on the standby. None may be acknowledged."""
        primary, standby, nodes = self.pair(**ACKNOWLEDGED_BY_BOTH)
        waiting = "FROM pg_stat_activity WHERE usename = 'rollbook' AND wait_event = 'SyncRep'"
        with drill.Load(nodes) as load:
            load.acks(100)
            database.signal_all(primary.pids("walsender"), signal.SIGSTOP)
            ended = 0
            until = time.monotonic() + 5
            while time.monotonic() < until:
                ended += int(primary.sql(f"SELECT count({how}(pid)) {waiting}"))
        self.assertGreater(ended, 1, "no commit was waiting")
        primary.kill()
        standby.promote()
        return drill.report(f"the trap: {how} of a commit that waits", load, [self.fresh(standby)])

    def test_cancelled_wait(self):
        self.cut_short("pg_cancel_backend")

    def test_terminated_wait(self):
        self.cut_short("pg_terminate_backend")


if __name__ == "__main__":
    unittest.main(verbosity=2)
