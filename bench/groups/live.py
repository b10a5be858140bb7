"""Pages of live sessions: when nothing happens, and while joins and leaves arrive."""

import json
import subprocess

from measure import Cell, interleaved, pages, random_pages
from processes import CLIENT_CORE, pinned
from groups.pages import page, paths
from servers import EVENTS, Rollbook

ARRIVING = 5_000  # events a second


def measure(bench):
    ended, ids, sizes = bench.reads()
    data, big = bench.folder / "live", bench.big
    live = {size: bench.fill(data, f"live-{size}", sizes[size], "--live") for size in bench.sizes if bench.full or size == big}
    rollbook = Rollbook(bench.binary, data, bench.log("live"))
    before = rollbook.process.memory()
    rollbook.get(page(live[big], 1, 25, "joinedAt"))
    each = (rollbook.process.memory() - before) / sizes[big]
    bench.keep("live", f"anonymous memory a participant, all told, {big} live", "rollbook", {"rate": each, "unit": "bytes"})
    sender, sorts = Sender(bench, rollbook, f"live-{big}"), ("joinedAt", "duration") if bench.full else ("joinedAt",)
    here = lambda session, size, sort: paths(bench, session, f"{session}-{size}", random_pages(sizes[size], 25), 25, sort)
    cells = []
    for sort in sorts:
        cells.append(Cell(f"{big} ended, {sort}", "rollbook", pages(ended, here(ids[big], big, sort))))
        for size, session in live.items():
            cells.append(Cell(f"{size} live, quiet, {sort}", "rollbook", pages(rollbook, here(session, size, sort))))
        busy = sender.beside(pages(rollbook, here(live[big], big, sort)))
        cells.append(Cell(f"{big} live, {ARRIVING:,}/s, {sort}", "rollbook", busy))
    found = interleaved(bench, "live", cells)
    rate = lambda name: found[name, "rollbook"]["rate"]
    bench.figure("live", min(rate(f"{big} live, {ARRIVING:,}/s, {sort}") / rate(f"{big} ended, {sort}") for sort in sorts))
    rollbook.stop()


class Sender:
    """Joins and leaves of one live session, at a rate, beside what is measured."""

    def __init__(self, bench, rollbook, key):
        self.bench, self.rollbook, self.key, self.first = bench, rollbook, key, 100_000_000

    def beside(self, go):
        def both(seconds):
            longest = max(1, round(seconds)) + 0.5
            sending = [
                self.bench.loader, "post", "--url", self.rollbook.url + EVENTS, "--token", self.rollbook.token,
                "--key", self.key, "--connections", "64", "--rate", str(ARRIVING), "--leaves", "--first", str(self.first), "--seconds", str(longest),
            ]
            self.first += 10_000_000
            sender = subprocess.Popen(pinned(sending, CLIENT_CORE), stdout=subprocess.PIPE, text=True, start_new_session=True)
            sample = go(seconds)
            told = json.loads(sender.communicate(timeout=120)[0])
            return {**sample, "sent_a_second": told["events"] / longest, "post_p50_us": told["p50_us"], "post_p99_us": told["p99_us"], "refused_posts": told["refused"]}

        return both
