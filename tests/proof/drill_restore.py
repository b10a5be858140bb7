"""Proof: backups that are made while nodes are at work can be put back, as docs/operations.md says, and answer as they did.

    python3 tests/proof/drill_restore.py       (needs PostgreSQL and sqlite3)
"""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import database
import drill
import harness


def tearDownModule():
    drill.print_table()


class Restore(unittest.TestCase):
    def node(self, store, name):
        return self.enterContext(drill.nodes(drill.Node(store, name)))[0]

    def test_to_a_moment(self):
        """Base backup and archive of the log. All is lost; put back to a moment, the answers are those of that moment."""
        archive = database.folder("drill-archive-")
        self.addCleanup(shutil.rmtree, archive)
        # Under its name a file is whole: a copy that was cut short must not pass for one.
        keep = f"test ! -f {archive}/%f && cp %p {archive}/%f.part && sync {archive}/%f.part && mv {archive}/%f.part {archive}/%f"
        server = self.enterContext(database.Postgres("archived", archive_mode="on", archive_command=keep))
        server.create().with_every_sync()
        node = self.node(database.address(server), "before")
        with drill.Load([node]) as load:
            load.acks(100)
            server.run("pg_basebackup", "-D", server.folder / "backup", "-h", server.host, "-p", server.port, "-U", "postgres", "-c", "fast")
            load.acks(100)
        noted, moment = drill.lists(node), server.sql("SELECT clock_timestamp()")
        with drill.Load([node], prefix="later ") as later:
            later.acks(100)
        self.assertNotEqual(drill.lists(node), noted)
        server.sql("SELECT pg_switch_wal()")
        last = server.sql("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")
        harness.wait_until((archive / last).exists, True)
        node.stop()

        other = self.enterContext(database.Postgres("restored", recovery_target_time=moment, recovery_target_action="promote"))
        other.settings["restore_command"] = f"cp {archive}/%f %p"
        shutil.move(server.folder / "backup", other.data)
        server.destroy()
        (other.data / "recovery.signal").touch()
        other.start()
        harness.wait_until(lambda: other.sql("SELECT pg_is_in_recovery()"), "f")
        restored = self.node(database.address(other), "restored")
        self.assertEqual(drill.lists(restored), noted, "the answers are not those of that moment")
        with drill.Load([restored], prefix="later ") as again:  # the engines deliver once more what came after
            again.acks(100)
        load.adds(again)
        drill.report("put back to a moment", load, [restored])

        # The same ledger as a dump, in another database.
        noted = drill.lists(restored)
        restored.stop()
        dump = other.folder / "dump"
        other.run("pg_dump", "-Fc", "-f", dump, "-h", other.host, "-p", other.port, "-U", "postgres", "rollbook")
        copy = drill.ledger(other)
        name = copy.rsplit("/", 1)[1].split("?")[0]
        other.run("pg_restore", "--no-owner", "--role", "rollbook", "-d", name, "-h", other.host, "-p", other.port, "-U", "postgres", dump)
        self.assertEqual(drill.lists(self.node(copy, "from a dump")), noted, "the dump's answers are others")

    def test_a_folder(self):
        """SQLite's own `.backup` of a folder that is being written to."""
        node = self.node(None, "folder")
        with drill.Load([node]) as load:
            load.acks(200)
            known = dict(load.acknowledged)
            with tempfile.TemporaryDirectory(prefix="drill-backup-") as folder:
                copy = pathlib.Path(folder) / "ledger.db"
                subprocess.run(["sqlite3", pathlib.Path(node.data) / "ledger.db", f".backup {copy}"], check=True, timeout=60)
                load.acks(100)
                other = drill.Node(None, "put back")
                self.addCleanup(other._leave_nothing)
                shutil.copy(copy, other.data)
        load.acknowledged = known  # what came later may or may not be in it
        (other,) = self.enterContext(drill.nodes(other))
        drill.report("a folder's .backup", load, [other])


if __name__ == "__main__":
    unittest.main(verbosity=2)
