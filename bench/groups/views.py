"""Pages that take more: consolidated over breakouts, with the peers' events, with a search."""

import json
import urllib.parse

from measure import Cell, interleaved, pages, random_pages, ratio, write_paths
from groups.pages import page, paths


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
    # What a search found is kept for more pages of it. These are asked for people, each for another.
    for what, field in (("name", "display_name"), ("custom id", "custom_participant_id")):
        alone[f"{big}, search of one by {what}, each time another, one at a time"] = first_searches(bench, rollbook, ids[big], many, field)
    cells = [Cell(name, "rollbook", pages(rollbook, path)) for name, path in asked.items()]
    cells += [Cell(name, "rollbook", pages(rollbook, path, 1)) for name, path in alone.items()]
    found = interleaved(bench, "views", cells)
    figure = lambda name, key: found[name, "rollbook"][key]
    bench.figure("consolidated", ratio(figure("consolidated, 100k in 1 + 20", "rate"), figure("raw, 100k", "rate")))
    searched = max(figure(name, "p50_us") for name in alone if "search" in name)
    bench.figure("search", ratio(searched, figure(f"{big}, plain, one at a time", "p50_us")))


PAGES_OF_PEOPLE = 160  # of 25 people


def first_searches(bench, rollbook, session, numbers, field):
    """Searches for people of random pages, by the whole of a field."""
    people = [person for number in numbers[:PAGES_OF_PEOPLE] for person in json.loads(rollbook.get(page(session, number, 25, "joinedAt")))["data"]["participants"]]
    searches = [page(session, 1, 25, "joinedAt", "&search=" + urllib.parse.quote(person[field])) for person in people]
    return write_paths(bench, f"search-{field}", searches)
