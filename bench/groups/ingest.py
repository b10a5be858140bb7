"""One event a POST, on disk before the answer: ours, and the rivals'; reads and writes at once; one webhook at a rate."""

from measure import Cell, interleaved, pages, random_pages, ratio, wrk
from groups.live import Sender
from groups.pages import paths
from servers import EVENTS

CONNECTIONS = (1, 64, 256)


def measure(bench):
    rollbook = bench.rollbook("ingest")
    rivals = bench.rivals()
    runs = iter(range(1, 1_000_000))
    targets = [(rollbook, "rollbook"), *((rival, rival.name) for rival in rivals)]
    cells = []
    for connections in CONNECTIONS:
        for server, name in targets:
            cells.append(Cell(f"joins of one session, {connections} connections", name, joins(server, runs, 1, connections)))
    if bench.full:
        cells.append(Cell("joins of a thousand sessions, 64 connections", "rollbook", joins(rollbook, runs, 1000, 64)))
    webhooks = lambda seconds: post(bench, rollbook, f"hook{next(runs)}", seconds, "--rate", 1000, "--connections", 16)
    cells.append(Cell("webhooks, 1,000/s", "rollbook", webhooks))
    if bench.full:
        cells.append(Cell(f"{bench.big} ended, joinedAt, and 5,000 joins/s on another session", "rollbook", reads_and_writes(bench)))
    found = interleaved(bench, "ingest", cells)
    for connections in CONNECTIONS:
        name = f"joins of one session, {connections} connections"
        for short, rival in (("sqlite", rivals[0]), ("postgres", rivals[1])):
            if connections > 1 or short == "sqlite":
                bench.figure(f"ingest{connections}-{short}", ratio(found[name, "rollbook"]["rate"], found[name, rival.name]["rate"]))
    bench.figure("webhook", found["webhooks, 1,000/s", "rollbook"]["p99_us"] / 1000)
    rollbook.stop()


def joins(server, runs, sessions, connections):
    return lambda seconds: wrk(server, "joins.lua", [EVENTS, str(sessions), f"run{next(runs)}", server.token], seconds, connections)


def post(bench, server, key, seconds, *more):
    """The loader's own client, which can keep a rate and make large batches."""
    before = server.cpu_seconds()
    told = bench.load("post", "--url", server.url + EVENTS, "--token", server.token, "--key", key, "--seconds", max(1, seconds), *more)
    used = server.cpu_seconds() - before
    sample = {"rate": told["events"] / told["seconds"], "p50_us": told["p50_us"], "p99_us": told["p99_us"], "cpu_us": used / max(1, told["events"]) * 1e6}
    return sample | ({"refused": told["refused"]} if told["refused"] else {})


def reads_and_writes(bench):
    rollbook, ids, sizes = bench.reads()
    numbers = random_pages(sizes[bench.big], 25)
    go = pages(rollbook, paths(bench, ids[bench.big], bench.big, numbers, 25, "joinedAt"))
    return Sender(bench, rollbook, "beside").beside(go)
