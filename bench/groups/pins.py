"""What makes the speed, without a clock: instructions, allocations and system calls of a page, counted in the real server.

Fails where a random page of the large session takes more than 1.5 times the instructions of its first page, where rows allocate, or where
rows make system calls.
"""

import os
import re
import signal
import subprocess

from groups.pages import page
from measure import random_pages
from processes import Process, SERVER_CORE, run
from servers import Rollbook

PAGES = 50
FEW, MANY = 25, 200
# Per row. A page's buffers may be a few more where it is longer, and a long answer takes the socket a few writes.
MOST_ALLOCATIONS, MOST_CALLS = 0.02, 0.05
ALLOCATES = re.compile(r"^(malloc|calloc|realloc|aligned_alloc|posix_memalign)$")


def measure(bench):
    data = bench.folder / "pins"
    session = bench.fill(data, "pinned", bench.sizes[bench.big])
    server = Instrumented(bench, data)
    numbers = random_pages(bench.sizes[bench.big], FEW, PAGES)
    failures = []
    for sort in ("joinedAt", "duration"):
        ask = lambda which, rows=FEW: [page(session, number, rows, sort) for number in which]
        first, random, long = (server.count(paths) for paths in (ask([1] * PAGES), ask(numbers), ask(random_pages(bench.sizes[bench.big], MANY, PAGES), MANY)))
        rows = MANY - FEW
        allocations = (long["allocations"] - random["allocations"]) / rows
        for name, counted in (("page 1", first), ("random page", random), (f"random page of {MANY}", long)):
            bench.keep("pins", f"{name}, {sort}, instructions", "rollbook", {"rate": counted["instructions"], "unit": "a request"})
            bench.keep("pins", f"{name}, {sort}, allocations", "rollbook", {"rate": counted["allocations"], "unit": "a request"})
        if random["instructions"] > 1.5 * first["instructions"]:
            failures.append(f"{sort}: {random['instructions']:,.0f} instructions for a random page, {first['instructions']:,.0f} for page 1")
        if allocations > MOST_ALLOCATIONS:
            failures.append(f"{sort}: {allocations:.3f} allocations a row")
    server.stop()
    failures += system_calls(bench, data, session)
    if failures:
        raise SystemExit("; ".join(failures))


class Instrumented(Rollbook):
    """The server under callgrind, which counts from when it is told to until it is told to write down what it counted."""

    def start(self):
        self.out = self.data / "callgrind"
        serve = [self.binary, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data", self.data, "--log-level", "warn"]
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.out}", "--compress-strings=no"]
        self.process = Process([*tool, *serve], SERVER_CORE, self.log)
        self.url = self.process.line().removeprefix("rollbook listening on ")

    def __init__(self, bench, data):
        self.dumps = 0
        super().__init__(bench.binary, data, bench.log("callgrind"))

    def count(self, paths):
        """Instructions and calls of the allocator, a request. The same pages once before: what is made once is not counted."""
        for path in paths:
            self.get(path)
        run(["callgrind_control", "--zero", self.process.pid])
        for path in paths:
            self.get(path)
        run(["callgrind_control", "--dump", self.process.pid])
        self.dumps += 1
        text = (self.out.parent / f"{self.out.name}.{self.dumps}").read_text(errors="replace")
        instructions = sum(int(total) for total in re.findall(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)[-1:])
        return {"instructions": instructions / len(paths), "allocations": allocations(text) / len(paths)}


def allocations(text):
    """How often an allocating function was called, of all callers."""
    called, total = "", 0
    for line in text.splitlines():
        if line.startswith("cfn="):
            called = line[4:].split("'")[0]
        elif line.startswith("calls=") and ALLOCATES.match(called):
            total += int(line[6:].split()[0])
    return total


def system_calls(bench, data, session):
    """Calls of the whole process a row, by strace."""
    rollbook = Rollbook(bench.binary, data, bench.log("strace"))
    counted = {}
    for rows in (FEW, MANY):
        paths = [page(session, number, rows, "joinedAt") for number in random_pages(bench.sizes[bench.big], rows, PAGES)]
        out = bench.folder / f"strace-{rows}"
        rollbook.get(paths[0])
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", out, "-p", str(rollbook.process.pid)], stderr=subprocess.DEVNULL)
        attached(rollbook, paths[0], out)
        before = lines(out)
        for path in paths:
            rollbook.get(path)
        counted[rows] = (lines(out) - before) / len(paths)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
        bench.keep("pins", f"random page of {rows}, joinedAt, system calls", "rollbook", {"rate": counted[rows], "unit": "a request"})
    rollbook.stop()
    a_row = (counted[MANY] - counted[FEW]) / (MANY - FEW)
    return [f"{a_row:.3f} system calls a row"] if a_row > MOST_CALLS else []


def attached(rollbook, path, out, tries=1000):
    """Asks until what the server does is seen."""
    for _ in range(tries):
        rollbook.get(path)
        if out.exists() and os.path.getsize(out):
            return
    raise SystemExit("strace saw nothing: may it trace here?")


def lines(file):
    return file.read_text(errors="replace").count("\n")
