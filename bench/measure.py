"""One measurement, and rounds of them: all cells take turns, so that a machine that drifts drifts for all."""

import dataclasses
import json
import pathlib
import random
import statistics

from processes import CLIENT_CORE, run

WRK = pathlib.Path(__file__).parent / "wrk"


@dataclasses.dataclass
class Cell:
    """What is measured: `go(seconds)` returns a sample, a dict with at least `rate`."""

    name: str
    target: str
    go: object
    samples: list = dataclasses.field(default_factory=list)

    def median(self):
        """Each figure's median; where any round had refused requests, their number."""
        keys = dict.fromkeys(key for sample in self.samples for key in sample)
        figures = {key: statistics.median(sample[key] for sample in self.samples if key in sample) for key in keys}
        spread = [sample["rate"] for sample in self.samples]
        return {**figures, "lowest": min(spread), "highest": max(spread), "rounds": len(self.samples)}


def interleaved(bench, group, cells):
    """Each cell once a round; the medians, by name."""
    for round_ in range(bench.rounds):
        for cell in cells:
            bench.say(f"{group}: round {round_ + 1} of {bench.rounds}, {cell.name}, {cell.target}")
            cell.samples.append(cell.go(bench.seconds))
    medians = {}
    for cell in cells:
        medians[cell.name, cell.target] = cell.median()
        bench.keep(group, cell.name, cell.target, cell.median())
    return medians


def wrk(server, script, arguments, seconds, connections=32):
    """Runs `wrk` on the client's core; what it found, with the server's time a request."""
    before = server.cpu_seconds()
    # wrk takes whole seconds only; a second is the least that tells anything.
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", WRK / script, server.url, "--", *arguments]
    found = json.loads(run(command, CLIENT_CORE, within=seconds + 120).strip().splitlines()[-1])
    used = server.cpu_seconds() - before
    bad = found["refused"] + found["failed"]
    requests = max(1, found["requests"])
    return {
        "rate": max(0, found["requests"] - bad) / found["micros"] * 1e6, "p50_us": found["p50_us"], "p99_us": found["p99_us"],
        "cpu_us": used / requests * 1e6, "bytes": found["bytes"] / requests, **({"refused": bad} if bad else {}),
    }


def pages(server, paths, connections=32):
    """A cell's `go`: these pages, in the order of the file. The first one is asked for once before: what has to be made is made then."""
    first = paths.read_text().partition("\n")[0]
    warm = []

    def go(seconds):
        if not warm:
            warm.append(server.get(first))
        return wrk(server, "pages.lua", [paths, server.token], seconds, connections)

    return go


def ratio(one, other):
    """None where there is nothing to compare with."""
    return one / other if other else None


def write_paths(bench, name, lines):
    path = bench.folder / f"{name}.paths"
    path.write_text("\n".join(lines) + "\n")
    return path


def random_pages(total, rows, most=8192):
    """Numbers of full pages, each once, in random order, the same in every run."""
    numbers = list(range(1, total // rows + 1))
    random.Random(7).shuffle(numbers)
    return numbers[:most]
