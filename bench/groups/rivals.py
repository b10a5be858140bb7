"""The same pages from what a user would pick instead: fastify in front of a table, the whole stack on one core."""

import json

from measure import Cell, interleaved, pages, ratio, write_paths
from groups.pages import page

# Size, how deep, and the order.
ASKED = {
    "10k, first page": ("10k", 0, "joinedAt"),
    "100k, first page": ("100k", 0, "joinedAt"),
    "100k, duration, page at 90 %": ("100k", 0.9, "duration"),
}


def measure(bench):
    rollbook, ids, sizes = bench.reads()
    rivals = loaded(bench)
    cells = []
    for name, (size, deep, sort) in ASKED.items():
        if name == "100k, first page" and not bench.full:
            continue
        at = page(ids[size], int(sizes[size] * deep) // 25 + 1, 25, sort)
        for rival in rivals:
            compare(rollbook.get(at), rival.get(at), f"{name}, {rival.name}")
        here = write_paths(bench, f"rivals-{name}".replace(" ", "-"), [at])
        cells.append(Cell(name, "rollbook", pages(rollbook, here)))
        for rival in rivals:
            cells.append(Cell(name, f"{rival.name}, count cached", pages(rival, here)))
            if bench.full:
                fresh = write_paths(bench, f"rivals-{name}-fresh".replace(" ", "-"), [at + "&count=fresh"])
                cells.append(Cell(name, f"{rival.name}, count(*)", pages(rival, fresh)))
        if sort == "duration" and bench.full:
            deferred = write_paths(bench, "rivals-deferred", [at + "&skip=deferred"])
            cells.append(Cell(name, "fastify + PostgreSQL, count cached, deferred join", pages(rivals[1], deferred)))
    found = interleaved(bench, "rivals", cells)
    for key, name in (("first10k", "10k, first page"), ("deep100k", "100k, duration, page at 90 %")):
        for short, rival in (("sqlite", rivals[0]), ("postgres", rivals[1])):
            bench.figure(f"{key}-{short}", ratio(found[name, "rollbook"]["rate"], found[name, f"{rival.name}, count cached"]["rate"]))


def loaded(bench):
    """The rivals, with what rollbook's own lists of 10k and 100k show."""

    def make():
        rollbook, ids, sizes = bench.reads()
        rivals = bench.rivals()
        for size in ("10k", "100k"):
            bench.say(f"loading {size} into the rivals")
            for number in range(1, -(-sizes[size] // 10_000) + 1):
                rows = json.loads(rollbook.get(page(ids[size], number, 10_000, "joinedAt")))["data"]["participants"]
                for rival in rivals:
                    rival.post(f"/load/{ids[size]}", json.dumps(rows).encode())
        for rival in rivals:
            rival.post("/loaded", b"{}")
        return rivals

    return bench.shared("loaded rivals", make)


def compare(ours, theirs, what):
    """A rival that answers something else is no rival."""
    if json.loads(ours) != json.loads(theirs):
        raise SystemExit(f"{what}: the rival's answer is another:\n{ours[:600]}\n{theirs[:600]}")
