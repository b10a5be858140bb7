"""Pages of live sessions: when nothing happens, and while joins and leaves arrive."""

import json
import subprocess

from measure import Cell, interleaved, pages, random_pages
from processes import CLIENT_CORE
from groups.pages import page, paths
from servers import EVENTS, Rollbook

ARRIVING = 5_000  # events a second


def measure(bench):
    ended, ids, sizes = bench.reads()
    data = bench.folder / "live"
    size = bench.big
    session = bench.fill(data, "live", sizes[size], "--live")
    rollbook = Rollbook(bench.binary, data, bench.log("live"))
    before = rollbook.process.memory()
    rollbook.get(page(session, 1, 25, "joinedAt"))
    bench.note(f"a live session of {size}: {(rollbook.process.memory() - before) / sizes[size]:.0f} B of anonymous memory a participant, all told")
    numbers = random_pages(sizes[size], 25)
    cells, sender = [], Sender(bench, rollbook)
    for sort in ("joinedAt", "duration"):
        here = paths(bench, session, "live", numbers, 25, sort)
        cells.append(Cell(f"{size} ended, {sort}", "rollbook", pages(ended, paths(bench, ids[size], size, numbers, 25, sort))))
        cells.append(Cell(f"{size} live, quiet, {sort}", "rollbook", pages(rollbook, here)))
        cells.append(Cell(f"{size} live, {ARRIVING:,}/s, {sort}", "rollbook", sender.beside(pages(rollbook, here))))
    found = interleaved(bench, "live", cells)
    ratios = [found[f"{size} live, {ARRIVING:,}/s, {sort}", "rollbook"]["rate"] / found[f"{size} ended, {sort}", "rollbook"]["rate"] for sort in ("joinedAt", "duration")]
    bench.figure("live", min(ratios))
    rollbook.stop()


class Sender:
    """Joins and leaves of one live session, at a rate, beside what is measured."""

    def __init__(self, bench, rollbook, key="live"):
        self.bench, self.rollbook, self.key, self.first = bench, rollbook, key, 100_000_000

    def beside(self, go):
        def both(seconds):
            longest = max(1, round(seconds)) + 0.5
            sending = [
                "taskset", "-c", str(CLIENT_CORE), self.bench.loader, "post", "--url", self.rollbook.url + EVENTS, "--token", self.rollbook.token,
                "--key", self.key, "--connections", "64", "--rate", str(ARRIVING), "--leaves", "--first", str(self.first), "--seconds", str(longest),
            ]
            self.first += 10_000_000
            sender = subprocess.Popen(list(map(str, sending)), stdout=subprocess.PIPE, text=True)
            sample = go(seconds)
            told = json.loads(sender.communicate(timeout=120)[0])
            return {**sample, "sent_a_second": told["events"] / longest, "post_p50_us": told["p50_us"], "post_p99_us": told["p99_us"], "refused_posts": told["refused"]}

        return both
