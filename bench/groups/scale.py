"""Many ended participants, in sessions of a thousand: loading, a restart, pages cold and warm, the list of sessions."""

import os
import shutil
import time
import uuid

from groups.pages import page
from groups.storage import chosen, session_id
from measure import Cell, interleaved, pages, write_paths
from servers import KIT, Rollbook

SESSION = 1_000
PROBE = 500  # sessions loaded first, to tell what the whole would take
DISK = 40e9  # bytes at most

LISTS = {
    "no filter": "",
    "no filter, deep": "&page_no=900",
    "oldest first": "&sort_order=ASC",
    "by minutes": "&sort_by=minutesConsumed",
    "ended": "&status=ENDED",
    "live": "&status=LIVE",
    "participants": "&participants=1000:",
    "a month": "&start_time=2025-03-01T00:00:00Z&end_time=2025-03-31T00:00:00Z",
    "a meeting": "&associated_id=MEETING",
    "search": "&search=Algebra%2077",
}


def measure(bench):
    people = max(SESSION, bench.args.people // bench.args.shrink)
    sessions = people // SESSION
    # A folder that is kept goes on where an earlier run was interrupted.
    data = bench.folder / "scale" if not bench.args.keep else bench.folder.parent / "bench-scale"
    estimate(bench, data, sessions)
    began, before = time.monotonic(), loaded(data)
    bench.fill(data, "scale", SESSION, "--sessions", sessions)
    took, more = time.monotonic() - began, loaded(data) - before
    if more > PROBE:
        bench.keep("scale", f"loading {more * SESSION:,} ended participants after {before * SESSION:,}", "rollbook", {"rate": more * SESSION / took, "unit": "participants/s"})
    for name, size in on_disk(data).items():
        bench.keep("scale", f"disk an ended participant, {name}", "rollbook", {"rate": size / people, "unit": "bytes"})
    drop_caches(bench, data)
    serve(bench, data, sessions)
    if not bench.args.keep:
        shutil.rmtree(data)


def estimate(bench, data, sessions):
    """Loads a little, and says what the whole would take; refuses what does not fit. What a folder that is kept has already is not to be loaded."""
    began = time.monotonic()
    bench.fill(data, "scale", SESSION, "--sessions", min(PROBE, sessions))
    took, there, size = time.monotonic() - began, loaded(data), sum(on_disk(data).values())
    each, missing = size / there, max(0, sessions - there)
    time_too = f" and {missing * took / there / 60:.0f} minutes" if there <= PROBE else ""
    bench.note(f"{there:,} sessions take {size / 1e9:.1f} GB: {missing * each / 1e9:.1f} GB{time_too} more for {sessions * SESSION:,} participants")
    free = shutil.disk_usage(data).free
    if sessions * each > DISK or missing * each > free * 0.9:
        raise SystemExit(f"{sessions * SESSION:,} participants would take {sessions * each / 1e9:.0f} GB; {min(DISK, size + free * 0.9) / 1e9:.0f} GB is what may be used")


def loaded(data):
    """How many sessions a folder has: each that is over has a segment."""
    return sum(1 for file in (data / "segments").rglob("*") if file.is_file())


def on_disk(data):
    segments = sum(file.stat().st_size for file in (data / "segments").rglob("*") if file.is_file())
    return {"segments": segments, "ledger.db": sum(file.stat().st_size for file in data.glob("ledger.db*"))}


def drop_caches(bench, data):
    """Cold pages are those that the system has dropped from memory."""
    os.sync()
    for file in [*data.glob("ledger.db*"), *(data / "segments").rglob("*")]:
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def serve(bench, data, sessions):
    began = time.monotonic()
    rollbook = Rollbook(bench.binary, data, bench.log("scale"), memory="1GiB")
    ids = [session_id(number, "scale") for number in range(sessions)]
    asked = [page(session, number, 25, "joinedAt") for session, number in chosen(ids, 2000, SESSION // 25)]
    rollbook.get(asked[0])
    bench.keep("scale", "restart until the first page, cold", "rollbook", {"rate": time.monotonic() - began, "unit": "seconds"})
    for name in ("cold", "warm"):
        times = sorted(timed(rollbook, path) for path in asked[1:])
        bench.keep("scale", f"random pages of random sessions, {name}, one at a time", "rollbook",
            {"rate": len(times) / sum(times), "p50_us": times[len(times) // 2] * 1e6, "p99_us": times[len(times) * 99 // 100] * 1e6})
    bench.keep("scale", "anonymous memory", "rollbook", {"rate": rollbook.process.memory(), "unit": "bytes"})
    meeting = bench_meeting()
    cells = [Cell("random pages of random sessions, 32 connections", "rollbook", pages(rollbook, write_paths(bench, "scale", asked)))]
    for name, more in LISTS.items():
        path = write_paths(bench, f"list-{name}".replace(" ", "-"), [f"{KIT}/sessions?per_page=25{more.replace('MEETING', meeting)}"])
        cells.append(Cell(f"list of sessions, {name}", "rollbook", pages(rollbook, path, 4)))
    interleaved(bench, "scale", cells)
    bench.keep("scale", "anonymous memory, after the lists", "rollbook", {"rate": rollbook.process.memory(), "unit": "bytes"})
    rollbook.stop()


def timed(rollbook, path):
    began = time.perf_counter()
    rollbook.get(path)
    return time.perf_counter() - began


def bench_meeting():
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, "rollbook:bench/bench"), "meeting:room-77"))
