"""Proof: a node that is cut from its database acknowledges nothing, shows nothing stale, and comes back by itself.

    unshare --net python3 tests/proof/drill_cut.py       (as root; needs PostgreSQL and iproute2)

The drill has a network of its own, in which the database listens. The node is in a second one, with two cables: one to its clients, one to
a router in a third that passes its packets on to the database. Where the router stops doing so they are dropped, and nobody is told.
"""

import os
import subprocess
import time
import unittest

import database
import drill

CLIENTS, DATABASE = "10.77.3", "10.77.1"  # the first three numbers of each cable's addresses


def setUpModule():
    if os.geteuid() != 0:
        raise SystemExit("only root may cut a network: run it as root, or with sudo")
    if [line.split(":")[1].strip() for line in ip("-o", "link", "show", "up").splitlines()] != []:
        raise SystemExit("run it in a network of its own: unshare --net python3 tests/proof/drill_cut.py")
    ip("link", "set", "lo", "up")
    global server
    server = unittest.enterModuleContext(database.Postgres("db", host="*")).create().with_every_sync()


def tearDownModule():
    drill.print_table()


def ip(*arguments, within=()):
    return subprocess.run([*within, "ip", *arguments], check=True, capture_output=True, text=True, timeout=10).stdout


class Network:
    """A network name space that lives as long as a process in it."""

    def __init__(self, case):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", "ip link set lo up && echo && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        case.addCleanup(self.process.wait)
        case.addCleanup(self.process.stdin.close)
        case.addCleanup(self.process.stdout.close)
        self.process.stdout.readline()
        self.within = ["nsenter", "--net", "--target", str(self.process.pid)]

    def plug(self, name, address, other, other_network=None):
        """A cable from here to another network, or to the drill's own."""
        end = str(self.process.pid)
        ip("link", "add", f"{name}0", "type", "veth", "peer", "name", f"{name}1")
        ip("link", "set", f"{name}1", "netns", end)
        within = []
        if other_network:
            ip("link", "set", f"{name}0", "netns", str(other_network.process.pid))
            within = other_network.within
        for link, at, inside in ((f"{name}0", other, within), (f"{name}1", address, self.within)):
            ip("address", "add", f"{at}/24", "dev", link, within=inside)
            ip("link", "set", link, "up", within=inside)

    def passes(self, yes):
        """Whether packets that are for others are passed on."""
        subprocess.run([*self.within, "sh", "-c", f"echo {int(yes)} > /proc/sys/net/ipv4/ip_forward"], check=True, timeout=10)


class Cut(unittest.TestCase):
    def setUp(self):
        self.node_side, self.router = Network(self), Network(self)
        self.router.plug("far", f"{DATABASE}.2", f"{DATABASE}.1")
        self.node_side.plug("near", "10.77.2.2", "10.77.2.1", self.router)
        self.node_side.plug("front", f"{CLIENTS}.2", f"{CLIENTS}.1")
        ip("route", "add", "default", "via", "10.77.2.1", within=self.node_side.within)
        ip("route", "add", "10.77.2.0/24", "via", f"{DATABASE}.2")
        self.router.passes(True)

    def test_a_node_is_cut_from_the_database(self):
        """From the cut on it acknowledges nothing and lists nothing, and says 503. The other node goes on."""
        store = drill.ledger(server)
        distant = drill.Node(store.replace("*:", f"{DATABASE}.1:"), "cut off", host=f"{CLIENTS}.2", within=self.node_side.within)
        near = drill.Node(store.replace("*:", "127.0.0.1:"), "connected")
        nodes = self.enterContext(drill.nodes(distant, near))
        with drill.Load(nodes, writers=8, readers=4, keep=True) as load:
            load.acks(50, by=distant)
            load.acks(50, by=near)
            self.router.passes(False)
            cut = time.monotonic()
            load.run(2.2 * drill.PATIENCE)
            load.acks(20, by=near)
            healed = time.monotonic()
            self.router.passes(True)
            load.acks(20, by=distant)
            back = time.monotonic() - healed
        drill.report(f"a node is cut off for {healed - cut:.0f} s", load, nodes)
        # What the database had answered before the cut may still have been on its way to the client.
        during = [t for t in load.tries if t.node is distant and cut + 0.5 < t.answered < healed]
        self.assertEqual({t.kind for t in during}, {"write", "read"})
        self.assertEqual({t.outcome for t in during}, {503}, "a node without its database knows nothing")
        longest = max(t.answered - t.sent for t in during)
        gap = longest_gap([when for when, node in load.acked_at if node is near], cut)
        print(f"  503 within {longest:.1f} s; back {back:.1f} s after the cable; the other node was without writes for {gap:.1f} s at most")
        self.assertLess(longest, 2 * drill.PATIENCE + 2)


def longest_gap(times, since):
    times = [since] + [when for when in times if when > since]
    return max(b - a for a, b in zip(times, times[1:]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
