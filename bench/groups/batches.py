"""Batches of a thousand events, next to what the disk does with the same bytes in a file that is already there."""

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
        Cell("fdatasync of the same bytes", "the disk", disk(bench, EVENTS_A_BATCH)),
    ]
    if bench.full:
        cells.append(Cell("batches of 1,000, a thousand sessions, 4 connections", "rollbook", batches(1000, 4)))
        cells.append(Cell("fdatasync of one event", "the disk", disk(bench, 1)))
    found = interleaved(bench, "batches", cells)
    raw = found["fdatasync of the same bytes", "the disk"]["rate"]
    bench.figure("batches", found["batches of 1,000, one session, 4 connections", "rollbook"]["rate"] / raw)
    rollbook.stop()


def disk(bench, batch):
    def go(seconds):
        told = bench.load("disk", "--folder", bench.folder, "--batch", batch, "--seconds", max(1, seconds), core=SERVER_CORE)
        return {"rate": told["events"] / told["seconds"], "bytes": told["bytes"]}

    return go
