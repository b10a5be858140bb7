"""Pages that take more: consolidated over breakouts, with the peers' events, with a search."""

from measure import Cell, interleaved, pages, random_pages, ratio
from groups.pages import paths


def measure(bench):
    rollbook, ids, sizes = bench.reads()
    family = random_pages(sizes["family"], 25)
    big = bench.big
    many = random_pages(sizes[big], 25)
    asked = {
        "raw, 100k": paths(bench, ids["family"], "raw", family, 25, "joinedAt"),
        "consolidated, 100k in 1 + 20": paths(bench, ids["family"], "all", family, 25, "joinedAt", "&view=consolidated"),
    }
    if bench.full:
        asked[f"{big}, peer events"] = paths(bench, ids[big], big, many, 25, "joinedAt", "&include_peer_events=true")
    # A search takes long enough that many at once would only queue: one at a time, and a plain page likewise.
    alone = {
        f"{big}, plain, one at a time": paths(bench, ids[big], big, many, 25, "joinedAt"),
        # One in sixteen is called so: a page of theirs is deep in the list.
        f"{big}, search of many, one at a time": paths(bench, ids[big], big, random_pages(sizes[big] // 20, 25), 25, "joinedAt", "&search=zo%C3%AB"),
        f"{big}, search of few, one at a time": paths(bench, ids[big], big, [1], 25, "joinedAt", "&search=rivera%20777"),
    }
    cells = [Cell(name, "rollbook", pages(rollbook, path)) for name, path in asked.items()]
    cells += [Cell(name, "rollbook", pages(rollbook, path, 1)) for name, path in alone.items()]
    found = interleaved(bench, "views", cells)
    figure = lambda name, key: found[name, "rollbook"][key]
    bench.figure("consolidated", ratio(figure("consolidated, 100k in 1 + 20", "rate"), figure("raw, 100k", "rate")))
    searched = max(figure(f"{big}, search of {which}, one at a time", "p50_us") for which in ("many", "few"))
    bench.figure("search", ratio(searched, figure(f"{big}, plain, one at a time", "p50_us")))
