"""How cost grows with the work: page latency with the session's size and the page's number, ingest with connections and sessions,
memory with live people."""

from groups.ingest import joins
from groups.pages import page, paths
from measure import Cell, interleaved, pages, random_pages, write_paths
from servers import Rollbook


def measure(bench):
    page_latency(bench)
    ingest(bench)
    memory(bench)


def page_latency(bench):
    """Sessions of 100 to the largest. One of ten million takes many minutes to fill, so it has to be asked for."""
    data = bench.folder / "growth"
    sizes = [size for size in (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000) if size <= (bench.args.largest or bench.sizes[bench.big])]
    ids = {size: bench.fill(data, f"size-{size}", size) for size in sizes}
    rollbook = Rollbook(bench.binary, data, bench.log("growth"))
    cells = []
    for sort in ("joinedAt", "duration"):
        for size in sizes:
            cells.append(Cell(f"{size} people, random pages, {sort}", "rollbook", pages(rollbook, paths(bench, ids[size], f"size-{size}", random_pages(size, 25), 25, sort))))
    largest = sizes[-1]
    deep = [number for number in (1, 10, 100, 1_000, 10_000, largest // 25) if number <= largest // 25]
    for number in deep:
        here = write_paths(bench, f"deep-{number}", [page(ids[largest], number, 25, "duration")])
        cells.append(Cell(f"{largest} people, page {number}, duration", "rollbook", pages(rollbook, here)))
    found = interleaved(bench, "growth", cells)
    for sort in ("joinedAt", "duration"):
        for size in sizes:
            sample = found[f"{size} people, random pages, {sort}", "rollbook"]
            bench.point("page latency, µs, by people in the session", f"p50, {sort}", size, sample["p50_us"])
            bench.point("page latency, µs, by people in the session", f"p99, {sort}", size, sample["p99_us"])
    for number in deep:
        bench.point("page by number, µs", "p50, duration", number, found[f"{largest} people, page {number}, duration", "rollbook"]["p50_us"])
    rollbook.stop()


def ingest(bench):
    rollbook = bench.rollbook("growth-ingest")
    runs = iter(range(1_000_000))
    connections, sessions = (1, 4, 16, 64, 256), (1, 10, 100, 1_000, 10_000)
    cells = [Cell(f"joins of one session, {many} connections", "rollbook", joins(rollbook, runs, 1, many)) for many in connections]
    cells += [Cell(f"joins of {many} sessions, 64 connections", "rollbook", joins(rollbook, runs, many, 64)) for many in sessions]
    found = interleaved(bench, "growth", cells)
    for many in connections:
        bench.point("ingest, events a second", "by connections, one session", many, found[f"joins of one session, {many} connections", "rollbook"]["rate"])
    for many in sessions:
        bench.point("ingest, events a second", "by sessions, 64 connections", many, found[f"joins of {many} sessions, 64 connections", "rollbook"]["rate"])
    rollbook.stop()


def memory(bench):
    """What the process holds itself, beyond what it held when it was empty, once it has answered a page."""
    for people in [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= bench.sizes[bench.big]]:
        data = bench.folder / f"live-{people}"
        session = bench.fill(data, "live", people, "--live")
        rollbook = Rollbook(bench.binary, data, bench.log("growth"))
        empty = rollbook.process.memory()
        rollbook.get(page(session, 1, 25, "joinedAt"))
        held = rollbook.process.memory() - empty
        bench.keep("growth", f"anonymous memory, {people} live", "rollbook", {"rate": held / people, "unit": "bytes a participant"})
        bench.point("memory, bytes, by live people", "anonymous memory", people, held)
        rollbook.stop()
