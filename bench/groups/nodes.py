"""One node on PostgreSQL: every page asks the database what is new; whole stacks on one core."""

import json

from measure import Cell, interleaved, pages, random_pages, ratio
from groups.pages import page, paths
from groups.rivals import loaded
from groups.storage import session_id
from processes import SERVER_CORE, Process
from servers import EVENTS, Rollbook

SIZE = "100k"


class OnPostgres(Rollbook):
    """A node, with its database as part of it."""

    def __init__(self, bench, data):
        self.database = bench.postgres()
        super().__init__(bench.binary, data, bench.log("node"), store=self.database.create("node"))

    def cpu_seconds(self):
        return super().cpu_seconds() + self.database.cpu_seconds()


class Unchecked(OnPostgres):
    """A node on the same database that answers without asking what is new: what the check costs is measured against it."""

    def __init__(self, bench, data, node):
        self.database, self.token = node.database, node.token
        command = [bench.loader, "unchecked", "--store", node.store, "--data", data]
        self.process = Process(command, SERVER_CORE, bench.log("unchecked"))
        self.url = json.loads(self.process.line())["url"]


def measure(bench):
    embedded, ids, sizes = bench.reads()
    data = bench.folder / "node"
    data.mkdir()
    node = OnPostgres(bench, data)
    posts = 2 * sizes[SIZE] // 1000
    bench.load("post", "--url", node.url + EVENTS, "--token", node.token, "--key", "node", "--batch", 1000, "--connections", 1, "--posts", posts,
        "--leaves", "--seconds", 600)
    session = session_id(0, "node")
    node.get(page(session, 1, 25, "joinedAt"))
    numbers = random_pages(sizes[SIZE], 25)
    cells = []
    for sort in ("joinedAt", "duration") if bench.full else ("joinedAt",):
        cells.append(Cell(f"{SIZE}, random pages, {sort}", "rollbook on PostgreSQL", pages(node, paths(bench, session, "node", numbers, 25, sort))))
        for rival in loaded(bench)[1:]:
            cells.append(Cell(f"{SIZE}, random pages, {sort}", f"{rival.name}, count cached", pages(rival, paths(bench, ids[SIZE], SIZE, numbers, 25, sort))))
    unchecked = Unchecked(bench, bench.folder / "unchecked", node)
    asked = paths(bench, session, "node", numbers, 25, "joinedAt")
    for connections in (32, 256):
        name = f"what the check costs, {connections} connections"
        cells.append(Cell(name, "a node that asks what is new", pages(node, asked, connections)))
        cells.append(Cell(name, "one that does not", pages(unchecked, asked, connections)))
        cells.append(Cell(name, "rollbook, embedded", pages(embedded, paths(bench, ids[SIZE], SIZE, numbers, 25, "joinedAt"), connections)))
    found = interleaved(bench, "nodes", cells)
    name = f"{SIZE}, random pages, joinedAt"
    bench.figure("nodes", ratio(found[name, "rollbook on PostgreSQL"]["rate"], found[name, "fastify + PostgreSQL, count cached"]["rate"]))
    unchecked.stop()
    node.stop()

