"""What ended participants cost on disk and in memory, what live ones cost in memory, and how long a restart takes."""

import random
import re
import sqlite3
import time
import uuid

from groups.pages import page
from processes import run
from servers import Rollbook



def measure(bench):
    # Sessions of 10k people, and one of 100k that goes on.
    size, going = bench.sizes["10k"], bench.sizes["100k"]
    sessions = 1000 if bench.full else 10
    people = size * sessions
    data = bench.folder / "storage"
    bench.fill(data, "stored", size, "--sessions", sessions)
    live = bench.fill(data, "going", going, "--live")
    on_disk(bench, data, people, going)
    rollbook = Rollbook(bench.binary, data, bench.log("storage"))
    ids = [session_id(number) for number in range(sessions)]
    asked = [page(session, number, 25, "joinedAt") for session, number in chosen(ids, 1000, size // 25)]
    rollbook.get(asked[0])
    for path in asked:
        rollbook.get(path)
    memory = rollbook.process.memory()
    bench.keep("storage", f"anonymous memory, {people:,} ended on disk, {len(asked)} pages served", "rollbook", {"rate": memory, "unit": "bytes"})
    restart(bench, rollbook, asked[0], page(live, 1, 25, "joinedAt"))
    if bench.full:
        bench.figure("ended-memory", memory / 1e6)
    else:
        bench.note("ended-memory is measured with 10M ended participants, in --full only")
    rollbook.stop()
    by_part(bench)


def by_part(bench):
    """What a live participant takes by what it is for, which only the fold itself can tell apart: by the core's own example."""
    if not bench.args.fold_figures:
        bench.note("live-memory is not measured: this rollbook can't tell the parts of its memory apart")
        return
    told = run([bench.args.fold_figures, bench.sizes[bench.big]])
    # A line is what, a number, and its unit; the parts follow the whole, indented.
    parts = re.search(r"^joined, live roster: .*\n(?:  .*\n)+", told, re.MULTILINE)
    sizes = {name.strip(): float(size) for name, size in re.findall(r"^(.*?)  +([\d.]+)(?: B a participant)? *$", parts[0] if parts else "", re.MULTILINE)}
    for name, size in sizes.items():
        bench.keep("storage", f"memory a live participant: {name}", "the fold alone", {"rate": size, "unit": "bytes"})
    bench.figure("live-memory", sum(size for name, size in sizes.items() if name.startswith(("events, peers", "id map"))))


def on_disk(bench, data, people, going):
    """Bytes a participant: segments, journal alone, and all of the database with its look-ups and catalog."""
    segments = sum(file.stat().st_size for file in (data / "segments").rglob("*") if file.is_file()) / people
    with sqlite3.connect(data / "ledger.db") as database:
        batches = "SELECT sum(length(batch)) FROM journal WHERE stream != ?"
        (ended,) = database.execute(batches, [session_id(0, "going").bytes]).fetchone()
        tables = by_table(database)
    journal = ended / people
    whole = sum(file.stat().st_size for file in data.glob("ledger.db*")) / (people + going)
    sizes = {"segment": segments, "journal": journal, "all of ledger.db": whole} | {f"in ledger.db, {name}": size / (people + going) for name, size in tables}
    for name, size in sizes.items():
        bench.keep("storage", f"disk an ended participant: {name}", "rollbook", {"rate": size, "unit": "bytes"})
    bench.figure("segment", segments)
    bench.figure("journal", journal)


def by_table(database):
    """The largest tables and indexes, where Python's SQLite can tell."""
    try:
        return database.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 5").fetchall()
    except sqlite3.OperationalError:
        return []


def restart(bench, rollbook, ended, live):
    """From the start of the program to the first correct page: of an ended session, and of one that goes on."""
    expected = rollbook.get(ended)
    rows = rollbook.get(live).count(b'"joined_at"')
    times = {"ended": [], "live": []}
    for _ in range(bench.rounds):
        rollbook.stop()
        began = time.monotonic()
        rollbook.start()
        assert rollbook.get(ended) == expected, "another page after the restart"
        times["ended"].append(time.monotonic() - began)
        assert rollbook.get(live).count(b'"joined_at"') == rows, "another live page after the restart"
        times["live"].append(time.monotonic() - began)
    for name, taken in times.items():
        bench.keep("storage", f"restart until the first correct page, {name}", "rollbook", {"rate": sorted(taken)[len(taken) // 2], "unit": "seconds"})
    if bench.full:
        bench.figure("restart", sorted(times["live"])[bench.rounds // 2])


def session_id(number, prefix="stored"):
    """As the ledger derives it from the key."""
    return uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, "rollbook:bench/bench"), f"session:{prefix}-{number}")


def chosen(ids, many, pages):
    pick = random.Random(11)
    return [(pick.choice(ids), pick.randrange(1, pages + 1)) for _ in range(many)]
