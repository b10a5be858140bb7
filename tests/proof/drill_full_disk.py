"""Proof: the database's disk is full. Nothing is acknowledged that is not stored, what can be read is read, and no node needs a restart.

    unshare --mount python3 tests/proof/drill_full_disk.py       (as root; needs PostgreSQL)

Small file systems in memory, mounted in a mount name space of the drill's own, are filled to the last byte by a file that is then removed.
"""

import os
import subprocess
import unittest

import database
import drill
import harness


def setUpModule():
    if os.geteuid() != 0:
        raise SystemExit("only root may mount a small disk: run it as root, or with sudo")
    if os.readlink("/proc/self/ns/mnt") == os.readlink(f"/proc/{os.getppid()}/ns/mnt"):
        raise SystemExit("run it with mounts of its own: unshare --mount python3 tests/proof/drill_full_disk.py")


def tearDownModule():
    drill.print_table()


class SmallDisk:
    def __init__(self, case, megabytes):
        self.folder = database.folder("drill-disk-")
        case.addCleanup(self.folder.rmdir)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", self.folder], check=True, timeout=10)
        case.addCleanup(subprocess.run, ["umount", self.folder], check=True, timeout=10)

    def fill(self):
        with open(self.folder / "ballast", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass  # that is the point

    def free(self):
        (self.folder / "ballast").unlink()


class FullDisk(unittest.TestCase):
    def server(self, disk, log=False):
        server = database.Postgres("full", max_wal_size="32MB", min_wal_size="32MB")
        self.addCleanup(server.destroy)
        if log:
            return server.create("--waldir", disk.folder / "log").with_every_sync()
        server.data = disk.folder / "data"
        return server.create("--waldir", server.folder / "wal").with_every_sync()

    def nodes(self, server):
        store = database.address(server)
        return self.enterContext(drill.nodes(drill.Node(store, "a"), drill.Node(store, "b")))

    def test_the_tables_disk(self):
        """Nothing can be added, and everything can be read."""
        disk = SmallDisk(self, 128)
        server = self.server(disk)
        nodes = self.nodes(server)
        with drill.Load(nodes) as load:
            load.acks(100)
            disk.fill()
            load.until(lambda: sum(t.kind == "write" and t.outcome == 503 for t in load.tries) > 50)
            full = len(load.tries)
            load.until(lambda: len(load.tries) > full + 200)
            during = load.tries[full:]
            disk.free()
            load.acks(200)
        row = drill.report("the disk of the tables is full", load, nodes)
        self.assertNotIn("read", row["errors"])
        self.assertTrue([t for t in during if t.kind == "read" and t.outcome == 200])

    def test_the_logs_disk(self):
        """PostgreSQL stops itself. Once there is space and it is started, the nodes go on."""
        disk = SmallDisk(self, 96)
        server = self.server(disk, log=True)
        nodes = self.nodes(server)
        with drill.Load(nodes) as load:
            load.acks(100)
            disk.fill()
            switch = ("-h", server.host, "-p", server.port, "-U", "postgres", "-c", "SELECT pg_switch_wal()")
            harness.wait_until(lambda: (server.run("psql", *switch, check=False), server.process.poll() is not None)[1], True, within=60)
            load.until(lambda: sum(t.kind == "write" and t.outcome == 503 for t in load.tries) > 5)
            disk.free()
            server.start()
            load.acks(200)
        drill.report("the disk of the write-ahead log is full", load, nodes)


if __name__ == "__main__":
    unittest.main(verbosity=2)
