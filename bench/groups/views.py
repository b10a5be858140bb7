"""Pages that take more: consolidated over breakouts, with the peers' events, with a search."""

from measure import Cell, interleaved, pages, random_pages
from groups.pages import paths


def measure(bench):
    rollbook, ids, sizes = bench.reads()
    family = random_pages(sizes["family"], 25)
    big = bench.big
    many = random_pages(sizes[big], 25)
    asked = {
        "raw, 100k": paths(bench, ids["family"], "raw", family, 25, "joinedAt"),
        "consolidated, 100k in 1 + 20": paths(bench, ids["family"], "all", family, 25, "joinedAt", "&view=consolidated"),
        f"{big}, plain": paths(bench, ids[big], big, many, 25, "joinedAt"),
        f"{big}, peer events": paths(bench, ids[big], big, many, 25, "joinedAt", "&include_peer_events=true"),
        # One in sixteen is called so: a page of theirs is deep in the list.
        f"{big}, search of many": paths(bench, ids[big], big, random_pages(sizes[big] // 20, 25), 25, "joinedAt", "&search=zo%C3%AB"),
        f"{big}, search of few": paths(bench, ids[big], big, [1], 25, "joinedAt", "&search=rivera%20777"),
    }
    cells = [Cell(name, "rollbook", pages(rollbook, path)) for name, path in asked.items()]
    found = interleaved(bench, "views", cells)
    bench.figure("consolidated", found["consolidated, 100k in 1 + 20", "rollbook"]["rate"] / found["raw, 100k", "rollbook"]["rate"])
    searched = max(found[name, "rollbook"]["p50_us"] for name in (f"{big}, search of many", f"{big}, search of few"))
    bench.figure("search", searched / found[f"{big}, plain", "rollbook"]["p50_us"])
