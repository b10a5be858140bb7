"""The benchmark: `./bench/run` installs and builds what it needs, and calls this. Standard library only."""

import argparse
import datetime
import importlib
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time
import traceback

import chart
import figures
import report
from processes import CLIENT_CORE, SERVER_CORE, run
from servers import Nginx, Postgres, Rival, Rollbook, versions

BENCH = pathlib.Path(__file__).parent
GROUPS = ["pages", "rivals", "views", "live", "ingest", "batches", "storage", "nodes"]
# By themselves only: they take long, or much disk.
APART = ["growth", "scale", "pins"]


class Bench:
    """What the groups work with: the mode, a folder, servers that several of them use, and where results go."""

    def __init__(self, args):
        self.args, self.full = args, args.full
        self.rounds, self.seconds = 3, args.seconds or (2 if args.full else 1)
        # What the figures call 1M, and the sizes below it.
        self.big = "1M" if self.full else "100k"
        sizes = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
        self.sizes = {name: people // args.shrink for name, people in sizes.items() if people <= sizes[self.big]}
        parent = pathlib.Path(args.folder or BENCH.parent / "target")
        parent.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
        self.folder.chmod(0o755)  # PostgreSQL's own user comes through here
        self.binary, self.loader = args.rollbook, args.loader
        self.samples, self.figures, self.series, self.notes = [], {}, [], []
        self.failed = []
        self._shared, self.began = {}, time.monotonic()

    def say(self, text):
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", file=sys.stderr, flush=True)

    def keep(self, group, name, target, figures_):
        self.samples.append({"group": group, "name": name, "target": target, **figures_})

    def figure(self, key, value):
        assert any(figure.key == key for figure in figures.ALL), key
        self.figures[key] = value

    def note(self, text):
        self.notes.append(text)
        self.say(text)

    def point(self, plot, line, x, y):
        """A point of a line of a plot."""
        self.series.append({"plot": plot, "line": line, "x": x, "y": y})

    def log(self, name):
        return self.folder / f"{name}.log"

    def load(self, *arguments, core=None):
        """Runs the loader; it fills on both cores, and sends from the client's."""
        command = [self.loader, *arguments]
        core = core if core is not None else (f"{SERVER_CORE},{CLIENT_CORE}" if arguments[0] == "fill" else CLIENT_CORE)
        return json.loads(run(command, core, within=7200).splitlines()[-1])

    def fill(self, data, prefix, people, *more):
        """Fills a data folder; returns the id of the prefix's first session."""
        self.say(f"filling: {prefix}, {people:,} people a session {' '.join(map(str, more))}")
        told = self.load("fill", "--data", data, "--prefix", prefix, "--people", people, *more)
        self.say(f"filled: {told['added']:,} events in {told['seconds']:.1f} s")
        return told["session"]

    def shared(self, name, make):
        if name not in self._shared:
            self._shared[name] = make()
        return self._shared[name]

    def reads(self):
        """A rollbook with ended sessions of several sizes, and their ids."""

        def make():
            data = self.folder / "reads"
            ids = {name: self.fill(data, f"ended-{name}", people) for name, people in self.sizes.items()}
            ids["family"] = self.fill(data, "family", self.sizes["100k"], "--breakouts", 20)
            return Rollbook(self.binary, data, self.log("reads")), ids, self.sizes | {"family": self.sizes["100k"]}

        return self.shared("reads", make)

    def rollbook(self, name, **more):
        """A rollbook on an empty folder."""
        data = self.folder / name
        data.mkdir(exist_ok=True)
        return Rollbook(self.binary, data, self.log(name), **more)

    def nginx(self):
        return self.shared("nginx", lambda: Nginx(self.folder / "nginx", self.log("nginx")))

    def postgres(self):
        return self.shared("postgres", lambda: Postgres(self.folder / "postgres", self.log("postgres")))

    def rivals(self):
        def make():
            sqlite = Rival("sqlite", self.folder / "rival.db", self.log("rival-sqlite"))
            database = self.postgres()
            return sqlite, Rival("postgres", database.create("rival"), self.log("rival-postgres"), database)

        return self.shared("rivals", make)

    def result(self):
        return {
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "mode": "full" if self.full else "quick", "part": bool(self.args.only or self.args.scale),
            "seconds_a_sample": self.seconds, "rounds": self.rounds, "took_seconds": round(time.monotonic() - self.began),
            "machine": {"cores": os.cpu_count(), "cpu": cpu_name(), "kernel": platform.release(), "server_core": SERVER_CORE, "client_core": CLIENT_CORE},
            "load_before": self.args.load, "load_after": os.getloadavg()[0], "versions": versions(self.binary), "figures": self.figures, "samples": self.samples,
            "series": self.series, "notes": self.notes,
        }


def cpu_name():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def main():
    parser = argparse.ArgumentParser(prog="./bench/run")
    parser.add_argument("--full", action="store_true", help="longer samples and larger sets: under 30 minutes instead of 3")
    parser.add_argument("--only", action="append", choices=GROUPS + APART, help="this group; may be repeated")
    parser.add_argument("--scale", action="store_true", help="the group `scale` alone: many ended participants, by default 10M")
    parser.add_argument("--people", type=int, default=10_000_000, help="how many participants --scale loads, in sessions of 1,000")
    parser.add_argument("--largest", type=int, help="the largest session of `growth`: up to 10000000")
    parser.add_argument("--keep", action="store_true", help="--scale keeps what it loaded, in bench-scale, and goes on from there the next time")
    parser.add_argument("--folder", help="where the temporary folder goes: on the disk that is meant (default: target/)")
    parser.add_argument("--out", default=str(BENCH / "results"), help="where results go")
    parser.add_argument("--seconds", type=int, help="a sample's length, in whole seconds")
    parser.add_argument("--shrink", type=int, default=1, help="divide all sizes by this: to see that the benchmark itself works")
    parser.add_argument("--rollbook", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--loader", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--fold-figures", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.load = os.getloadavg()[0]
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for the servers, one for the clients")
    os.sched_setaffinity(0, {CLIENT_CORE})
    groups = ["scale"] if args.scale else args.only or GROUPS + (["growth"] if args.full else [])
    name = "scale" if args.scale else "full" if args.full and not args.only else "quick" if not args.only else "-".join(args.only)
    bench = Bench(args)
    if not args.full and groups != ["scale"]:
        bench.note("quick: sessions of 100k stand in for those of 1M, and 100k ended participants for 10M")
    if args.shrink > 1:
        bench.note(f"all sizes divided by {args.shrink}: no figure of this run means anything")
    try:
        for group in groups:
            try:
                importlib.import_module(f"groups.{group}").measure(bench)
            except (Exception, SystemExit) as error:  # the others are still worth having; this one's figures are "not measured"
                traceback.print_exc()
                bench.failed.append(group)
                bench.note(f"the group {group} failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    finally:
        for server in bench._shared.values():
            for each in server if isinstance(server, tuple) else [server]:
                if hasattr(each, "stop"):
                    each.stop()
        shutil.rmtree(bench.folder, ignore_errors=True)
    result = bench.result()
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (out / f"{name}.md").write_text(report.markdown(result))
    for file, picture in chart.pictures(result):
        (out / f"{name}.{file}.svg").write_text(picture)
    print(report.text(result))
    print(f"\n{out}/{name}.json, .md and .svg")
    if bench.failed:
        raise SystemExit(f"failed: {', '.join(bench.failed)}")


if __name__ == "__main__":
    main()
