"""Nodes of an earlier rollbook and of this one, side by side on one PostgreSQL, while people write and read.

The earlier one is built from git: the commit that $ROLLBOOK_OLD_REV names, or the one below; $ROLLBOOK_OLD_BIN names one that is built
already. It makes the ledger; this one brings it up to date beside running nodes of the earlier, which go on, start again, and are then
replaced. Throughout, every answer of every node has all that any node had acknowledged before it was asked.
"""

import contextlib
import json
import os
import pathlib
import queue
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import uuid

import harness

LAST_RELEASED = "a12f1ca"
ACCOUNT, APP = "acme", "school"
SESSIONS = [str(uuid.UUID(int=0x5E55 << 112 | 4 << 76 | 8 << 60 | n)) for n in range(3)]
EACH_STAGE = 60  # acknowledged events, and as many lists read, in each stage


def earlier_binary():
    """The earlier rollbook, built in a folder of its own."""
    named = os.environ.get("ROLLBOOK_OLD_BIN")
    if named:
        return str(pathlib.Path(named).resolve())
    revision = os.environ.get("ROLLBOOK_OLD_REV", LAST_RELEASED)
    git = ["git", "-C", str(harness.ROOT)]
    found = subprocess.run([*git, "rev-parse", "--verify", "--quiet", revision + "^{commit}"], capture_output=True, text=True)
    if found.returncode != 0:
        raise SystemExit(f"this clone has no commit {revision}: fetch it (git fetch --unshallow), or name another in ROLLBOOK_OLD_REV")
    commit, place = found.stdout.strip(), harness.ROOT / "target" / "upgrade"
    source = place / commit
    if not source.exists():
        unpacked = place / f"{commit}.part"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir(parents=True)
        archive = subprocess.Popen([*git, "archive", commit], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", unpacked], stdin=archive.stdout, check=True)
        if archive.wait() != 0:
            raise SystemExit(f"git archive {commit} failed")
        unpacked.rename(source)
    # With what it compiles to beside it: Cargo goes by the times of files, which for all of a commit are that of the commit.
    subprocess.run(["cargo", "build", "--locked", "-p", "rollbook", "--target-dir", source / "target"], cwd=source, check=True)
    return str(source / "target" / "debug" / "rollbook")


@contextlib.contextmanager
def database():
    """A PostgreSQL of its own; gives its address. It ends when its standard input closes."""
    script = harness.ROOT / "crates/store/tests/cluster/cluster.sh"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["sh", str(script), tempfile.mkdtemp(prefix="rollbook-pg-"), str(port), "-c", "fsync=off"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if running.stdout.readline() != "done\n":
            raise AssertionError("no PostgreSQL could be run: see above")
        yield f"postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        running.stdin.close()
        running.wait(harness.STOPPED_WITHIN)


def numbers(store):
    """What the database says of its schema."""
    sql = "SELECT row_to_json(s) FROM rollbook_schema s"
    return json.loads(subprocess.run(["psql", "-XAtq", store, "-c", sql], capture_output=True, text=True, check=True).stdout)


class Node(harness.Server):
    """A node of either rollbook."""

    def __init__(self, name, program, store):
        super().__init__()
        self.name, self.program = name, program
        self.settings = {name: value for name, value in os.environ.items() if not name.startswith("ROLLBOOK_")}
        self.settings["ROLLBOOK_STORE"] = store
        self.permit = None

    def start(self):
        command = [self.program, "serve", "--listen", "127.0.0.1:0", "--data", self.data, "--metrics-listen", "127.0.0.1:0"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, env=self.settings
            )
        lines = queue.Queue()
        threading.Thread(target=self._read_stdout, args=(self.process.stdout, lines), daemon=True).start()
        line = lines.get(timeout=harness.READY_WITHIN)
        if line is None:
            raise AssertionError(f"{self.name} did not start:\n{self.tail()}")
        self.url = line.removeprefix("rollbook listening on ").strip()
        if self.permit is None:
            create = [self.program, "token", "create", "--account", ACCOUNT, "--permission", "realtime_admin", "--data", self.data]
            made = subprocess.run(create, capture_output=True, text=True, env=self.settings, timeout=harness.READY_WITHIN)
            if made.returncode != 0:
                raise AssertionError(f"{self.name}: token create: {made.stderr}")
            self.permit = made.stdout.strip()
        return self


def join(session, peer):
    return {
        "specversion": "1.0",
        "type": "rollbook.peer.joined",
        "source": "sfu",
        "id": f"joined-{peer}",
        "time": f"2026-01-31T09:{peer // 60 % 60:02}:{peer % 60:02}Z",
        "data": {"session": {"id": session}, "peer": {"key": str(peer), "custom_participant_id": str(peer)}},
    }


def listed(node, session):
    """Who is listed, and the list, as of one time."""
    where = f"{node.url}/client/v4/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions/{session}/participants"
    answer = harness.get(f"{where}?per_page=10000&as_of=2026-02-01T08:00:00Z", node.permit)
    if answer.status == 404:
        return set(), None
    if answer.status != 200:
        raise AssertionError(f"{node.name}: {answer}")
    people = [row["custom_participant_id"] for row in answer.body["data"]["participants"]]
    assert len(people) == len(set(people)), f"{node.name} lists someone twice"
    return set(people), answer.body["data"]["participants"]


class People:
    """Who was reported, and acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next = 0
        self.acknowledged = {session: set() for session in SESSIONS}

    def report(self, node):
        """Reports someone."""
        with self.lock:
            self.next += 1
            peer, session = self.next, random.choice(SESSIONS)
        assert harness.post_events(node.url, ACCOUNT, APP, node.permit, [join(session, peer)]) == {"accepted": 1, "duplicates": 0}
        with self.lock:
            self.acknowledged[session].add(str(peer))

    def look(self, node):
        """Reads a list that must have everyone who was acknowledged before."""
        session = random.choice(SESSIONS)
        with self.lock:
            must = set(self.acknowledged[session])
        missing = must - listed(node, session)[0]
        assert not missing, f"{node.name} does not know of {sorted(missing)}"

    def come(self, nodes):
        """Writes and reads through all nodes at once."""
        failures = []

        def work(node, what):
            try:
                for _ in range(EACH_STAGE // len(nodes)):
                    what(node)
            except BaseException as error:  # whatever it is, the proof has failed
                failures.append(error)

        threads = [threading.Thread(target=work, args=(node, what)) for node in nodes for what in (self.report, self.look)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        self.compare(nodes)

    def compare(self, nodes):
        """Every node lists exactly those who were acknowledged; nodes of one rollbook in the same words."""
        for session in SESSIONS:
            answers = {}
            for node in nodes:
                people, rows = listed(node, session)
                assert people == self.acknowledged[session], f"{node.name}: {people ^ self.acknowledged[session]}"
                assert answers.setdefault(node.program, rows) == rows, f"{node.name} answers otherwise than its like"


def stage(text, people, nodes):
    people.come(nodes)
    print(f"{text}: {sum(map(len, people.acknowledged.values()))} events acknowledged, each in the answers of {len(nodes)} nodes", flush=True)


def main():
    earlier, this = earlier_binary(), harness.binary()
    with database() as store, contextlib.ExitStack() as stack:
        people = People()

        def node(name, program):
            return stack.enter_context(Node(name, program, store))

        old = [node("old 1", earlier), node("old 2", earlier)]
        stage("two nodes of the earlier rollbook", people, old)
        before = numbers(store)
        first = node("new 1", this)
        print(f"this rollbook has started beside them; the schema was {before} and is {numbers(store)}", flush=True)
        stage("one of this rollbook beside them", people, [*old, first])
        old[0].stop()
        old[0].start()
        stage("a node of the earlier one has started again", people, [*old, first])
        old[1].process.send_signal(signal.SIGKILL)
        old[1].process.wait()
        old[1].start()
        stage("another was killed, and has started again", people, [*old, first])
        old[0].stop()
        second = node("new 2", this)
        stage("one was replaced", people, [old[1], first, second])
        old[1].stop()
        stage("all were replaced", people, [first, second])
        old[0].start()
        stage("back to the earlier one, beside this", people, [old[0], first, second])
    print("an upgrade loses nothing, and so does the way back")


if __name__ == "__main__":
    main()
