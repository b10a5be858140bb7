"""Batches of a thousand events, next to what the disk does with the same bytes in a file that is already there.

"The same bytes" is told in both ways: as they were posted, which is what a process that only kept what it got would write, and as the
journal has them, about an eighth of that.
"""

from measure import Cell, interleaved
from groups.ingest import post
from processes import SERVER_CORE

EVENTS_A_BATCH = 1000


def measure(bench):
    rollbook = bench.rollbook("batches")
    runs = iter(range(1_000_000))

    def batches(sessions, connections):
        more = ("--batch", EVENTS_A_BATCH, "--sessions", sessions, "--connections", connections)
        return lambda seconds: post(bench, rollbook, f"batch{next(runs)}", seconds, *more)

    cells = [
        Cell("batches of 1,000, one session, 4 connections", "rollbook", batches(1, 4)),
        Cell("fdatasync of the same bytes, as posted", "the disk", disk(bench, EVENTS_A_BATCH, "--posted")),
        Cell("fdatasync of the same bytes, as the journal has them", "the disk", disk(bench, EVENTS_A_BATCH)),
    ]
    if bench.full:
        cells.append(Cell("batches of 1,000, a thousand sessions, 4 connections", "rollbook", batches(1000, 4)))
        cells.append(Cell("fdatasync of one event", "the disk", disk(bench, 1)))
    found = interleaved(bench, "batches", cells)
    ours = found["batches of 1,000, one session, 4 connections", "rollbook"]["rate"]
    for key, form in (("batches", "as posted"), ("batches-journal", "as the journal has them")):
        bench.figure(key, ours / found[f"fdatasync of the same bytes, {form}", "the disk"]["rate"])
    rollbook.stop()


def disk(bench, batch, *form):
    def go(seconds):
        told = bench.load("disk", "--folder", bench.folder, "--batch", batch, "--seconds", max(1, seconds), *form, core=SERVER_CORE)
        return {"rate": told["events"] / told["seconds"], "bytes": told["bytes"]}

    return go
