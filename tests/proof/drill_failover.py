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

    def test_any_of_two_standbys(self):
        """Either standby is enough. One is away for a while; then the other falls behind, and the one that has more takes over."""
        primary = self.enterContext(database.Postgres("first")).create()
        standbys = [self.enterContext(primary.standby(name)) for name in ("second", "third")]
        streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        harness.wait_until(lambda: primary.sql(streaming), "2")
        primary.with_every_sync().set(synchronous_commit="on", synchronous_standby_names="ANY 1 (second, third)")
        for standby in standbys:
            standby.with_every_sync()
        second, third = standbys
        nodes = self.enterContext(drill.nodes(*(drill.Node(database.address(primary, *standbys), name) for name in ("a", "b"))))
        with drill.Load(nodes) as load:
            load.acks(100)
            second.stop()
            load.acks(100)
            second.start()
            harness.wait_until(lambda: primary.sql(streaming), "2")
            database.signal_all(second.pids("walreceiver"), signal.SIGSTOP)
            load.acks(100)
            primary.kill()
            had = [standby.sql("SELECT pg_last_wal_receive_lsn() - '0/0'") for standby in standbys]
            third.promote()
            load.acks(100)
        self.assertLess(int(had[0]), int(had[1]), "this drill would not see which has to take over")
        drill.report("ANY 1 of two standbys: one is away, the other takes over", load, [*nodes, self.fresh(third)])

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
        """Nobody told it, and it takes connections as before. Nodes follow the later timeline, those that ran on and one that finds it first."""
        primary, standby, nodes = self.pair(**ACKNOWLEDGED_BY_BOTH)
        with drill.Load(nodes) as load:
            load.acks(100)
            primary.kill()
            standby.promote()
            load.acks(100)
            primary.start()
            fresh = self.fresh(primary, standby)
            load.acks(100)
        drill.report("the old primary comes back as a primary", load, [*nodes, fresh])

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
