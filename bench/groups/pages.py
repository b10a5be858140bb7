"""Random pages of ended sessions, next to nginx with the same bytes as files."""

from measure import Cell, interleaved, pages, random_pages, ratio, write_paths
from servers import KIT


def measure(bench):
    rollbook, ids, sizes = bench.reads()
    cells, big = [], bench.big
    for rows in (25, 200):
        numbers = random_pages(sizes[big], rows, 8192 if rows == 25 else 2048)
        store_pages(bench, rollbook, ids[big], rows, numbers)
        nginx = bench.nginx()
        for nopush in ("on", "off"):
            files = write_paths(bench, f"static-{rows}-{nopush}", [f"/{nopush}/{rows}/{number}" for number in numbers])
            cells.append(Cell(f"static file, {rows} rows", f"nginx, tcp_nopush {nopush}", pages(nginx, files)))
        for sort in ("joinedAt", "duration"):
            cells.append(Cell(f"{big} ended, {rows} rows, {sort}", "rollbook", pages(rollbook, paths(bench, ids[big], big, numbers, rows, sort))))
    first = write_paths(bench, "first", [page(ids[big], 1, 25, "joinedAt")])
    cells.append(Cell(f"{big} ended, page 1", "rollbook", pages(rollbook, first)))
    for size in [size for size in bench.sizes if size != big] if bench.full else []:
        for sort in ("joinedAt", "duration"):
            numbers = random_pages(sizes[size], 25)
            cells.append(Cell(f"{size} ended, 25 rows, {sort}", "rollbook", pages(rollbook, paths(bench, ids[size], size, numbers, 25, sort))))
    found = interleaved(bench, "pages", cells)
    best = {rows: max((found[f"static file, {rows} rows", f"nginx, tcp_nopush {on}"] for on in ("on", "off")), key=lambda f: f["rate"]) for rows in (25, 200)}
    for sort, short in (("joinedAt", "joined"), ("duration", "duration")):
        bench.figure(f"page25-{short}", ratio(found[f"{big} ended, 25 rows, {sort}", "rollbook"]["rate"], best[25]["rate"]))
        bench.figure(f"page200-{short}", ratio(best[200]["cpu_us"], found[f"{big} ended, 200 rows, {sort}", "rollbook"]["cpu_us"]))
    bench.figure("random-first", ratio(found[f"{big} ended, 25 rows, joinedAt", "rollbook"]["p50_us"], found[f"{big} ended, page 1", "rollbook"]["p50_us"]))


def page(session, number, rows, sort, more=""):
    return f"{KIT}/sessions/{session}/participants?page_no={number}&per_page={rows}&sort_by={sort}{more}"


def paths(bench, session, name, numbers, rows, sort, more=""):
    return write_paths(bench, f"{name}-{rows}-{sort}{more.replace('&', '-')}", [page(session, number, rows, sort, more) for number in numbers])


def store_pages(bench, rollbook, session, rows, numbers):
    """The very bytes that rollbook answers, as files."""
    bench.say(f"storing {len(numbers):,} pages of {rows} rows as files")
    folder = bench.folder / "nginx" / "pages" / str(rows)
    folder.mkdir(parents=True)
    for number in numbers:
        (folder / str(number)).write_bytes(rollbook.get(page(session, number, rows, "joinedAt")))
