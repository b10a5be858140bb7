"""What every drill has: rollbook nodes on one database, people who write and read meanwhile, and the count afterwards.

Writers report numbered peers through random nodes and note each answer. Half of them repeat what was not answered with 200, as an engine
or an SDK does; the others go on, so that its fate stays open. Readers ask for lists, and know what had been acknowledged before they asked.
Afterwards each node must list every acknowledged event, nothing twice, and each node the same. Standard library only.
"""

import collections
import contextlib
import http.client
import json
import pathlib
import random
import shutil
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone

import database
import harness

ACCOUNT, APP = "acme", "drill"
EVENTS = f"/v1/accounts/{ACCOUNT}/apps/{APP}/events"
SESSIONS = [str(uuid.UUID(int=0xD417 << 112 | 4 << 76 | 8 << 60 | n)) for n in range(4)]
BEGAN = datetime(2026, 1, 31, 9, tzinfo=timezone.utc)
AS_OF = "2026-02-01T08:00:00Z"  # lists at one `now` can be compared byte for byte
PATIENCE = 10  # seconds for which a node tries, before it answers 503
ANSWER_WITHIN = 60  # longer than a node may take for anything

results = []  # a row for each drill that ended


class Node(harness.Server):
    """A rollbook on a database."""

    def __init__(self, store, name="node", **options):
        super().__init__(store=store, **options)
        self.name = name

    def alive(self):
        return self.process is not None


def ledger(server):
    """The address of an empty ledger in a database of its own."""
    name = f"rollbook_{uuid.uuid4().hex[:12]}"
    server.sql(f"CREATE DATABASE {name} OWNER rollbook")
    return database.address(server).replace("/rollbook?", f"/{name}?")


@contextlib.contextmanager
def nodes(*servers):
    """Starts nodes, and gives each the token that `Load` uses."""
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        share_token(*servers)
        yield servers


def share_token(first, *others):
    """A token for all nodes. Where each keeps its own file, they get copies."""
    first.permit = first.token(ACCOUNT, "realtime_admin", APP)
    file = pathlib.Path(first.data) / "tokens.json"
    for node in others:
        node.permit = first.permit
        if file.exists():
            shutil.copy(file, node.data)


def event(what, session, peer, at):
    """A join or a leave, as JSON."""
    data = {"session": {"id": session}, "peer": {"key": peer, "custom_participant_id": peer}}
    head = {"specversion": "1.0", "type": f"rollbook.peer.{what}", "source": "drill", "id": f"{what} {peer}", "time": at.isoformat()}
    return json.dumps({**head, "data": data})


Try = collections.namedtuple("Try", "kind node sent answered outcome retry_after")


def ask(connections, node, method, path, body=None):
    """(outcome, Answer or None). The outcome is a status, or what became of the connection. Connections are kept, as clients do."""
    connection = connections.get(node.url)
    if connection is None:
        connection = http.client.HTTPConnection(node.url.removeprefix("http://"), timeout=ANSWER_WITHIN)
        connections[node.url] = connection
    headers = {"authorization": f"Bearer {node.permit}"}
    if body is not None:
        headers["content-type"] = "application/cloudevents+json"
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, harness.Answer(answer.status, answer.headers, answer.read())
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        del connections[node.url]
        return {"ConnectionRefusedError": "refused", "TimeoutError": "no answer"}.get(type(error).__name__, "cut off"), None


class Load:
    """Writers and readers, from `with` to its end. Each request takes any node that lives; or, where they `keep` to theirs, each writer
    and reader goes to one node only, so that those of a slow node leave the others alone. Peers of another `prefix` are others."""

    def __init__(self, nodes, writers=6, readers=2, pause=0.01, keep=False, prefix=""):
        self.nodes, self.pause, self.keep, self.prefix = list(nodes), pause, keep, prefix
        self.tries, self.sent, self.acknowledged = [], {}, {}
        self.acked_at = []  # (when, node) of every event that was acknowledged for the first time
        self.joined = collections.Counter()  # acknowledged peers of each session
        self.stale, self.twice = [], []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._writers = [self._thread(self._write, n) for n in range(writers)]
        self._readers = [self._thread(self._read, n) for n in range(readers)]

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self._writers:
            thread.start()
        self.acks(50)
        for thread in self._readers:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._writers + self._readers:
            if thread.ident:
                thread.join(ANSWER_WITHIN + 10)
        self.ended = time.monotonic()

    def adds(self, other):
        """What another load sent to the same ledger counts here as well."""
        self.sent.update(other.sent)
        self.acknowledged.update(other.acknowledged)

    def acks(self, more, within=60, by=None):
        """Waits until so many more events are acknowledged (by one node)."""
        count = lambda: sum(1 for _, node in self.acked_at if by in (None, node))
        with self._changed:
            wanted = count() + more
            if not self._changed.wait_for(lambda: count() >= wanted, within):
                last = [(t.node.name, t.outcome) for t in self.tries[-8:]]
                raise AssertionError(f"not {more} acknowledgements within {within} s; the last answers: {last}")

    def until(self, seen, within=60):
        """Goes on until it has seen something."""
        harness.wait_until(lambda: bool(seen()), True, within)

    def run(self, seconds):
        """Goes on for a while: how long a fault lasts is the drill's to say."""
        time.sleep(seconds)

    def _node(self, number):
        if self.keep:
            return self.nodes[number // 2 % len(self.nodes)]
        return random.choice([node for node in self.nodes if node.alive()] or self.nodes)

    def _note(self, kind, node, sent, outcome, answer):
        retry_after = answer is not None and answer.headers.get("retry-after") is not None
        self.tries.append(Try(kind, node, sent, time.monotonic(), outcome, retry_after))

    def _thread(self, work, number):
        return threading.Thread(target=self._with_connections, args=(work, number), daemon=True)

    def _with_connections(self, work, number):
        connections = {}
        try:
            work(number, connections)
        finally:
            for connection in connections.values():
                connection.close()

    def _write(self, number, connections):
        for n in range(10**9):
            session, peer, at = SESSIONS[(number + n) % len(SESSIONS)], f"{self.prefix}{number}-{n}", BEGAN + timedelta(seconds=n, milliseconds=number)
            joined = self._report(connections, number, "joined", session, peer, at)
            if joined and n % 3 == 0:
                self._report(connections, number, "left", session, peer, at + timedelta(hours=1))
            if self._stop.is_set():
                return

    def _report(self, connections, number, what, session, peer, at):
        """One event, until it is acknowledged or this writer lets it be."""
        key, body = (what, session, peer), event(what, session, peer, at)
        self.sent[key] = self.sent.get(key, 0) + 1
        repeats = number % 2 == 0
        while True:
            node, sent = self._node(number), time.monotonic()
            outcome, answer = ask(connections, node, "POST", EVENTS, body)
            self._note("write", node, sent, outcome, answer)
            if outcome == 200:
                self._acknowledge(key, node, answer.body["data"]["accepted"])
            if outcome == 200 or not repeats or self._stop.wait(self.pause):
                return outcome == 200
            self._stop.wait(0.05)  # between two tries, as a client does

    def _acknowledge(self, key, node, accepted):
        with self._changed:
            if accepted and self.acknowledged.get(key):
                self.twice.append(key)
            self.acknowledged[key] = self.acknowledged.get(key, 0) + accepted
            self.acked_at.append((time.monotonic(), node))
            if key[0] == "joined":
                self.joined[key[1]] += 1
            self._changed.notify_all()

    def _read(self, number, connections):
        while not self._stop.wait(self.pause):
            node, session = self._node(number), random.choice(SESSIONS)
            with self._changed:
                known = self.joined[session]
            sent = time.monotonic()
            outcome, answer = ask(connections, node, "GET", f"{participants(session)}?per_page=5&sort_order=DESC")
            self._note("read", node, sent, outcome, answer)
            listed = answer.body["data"]["paging"]["total_count"] if outcome == 200 else 0
            if outcome in (200, 404) and listed < known:
                self.stale.append((node.name, session, known, listed))


def is_ready(node):
    """What a load balancer asks."""
    try:
        return harness.get(f"{node.url}/readyz").status == 200
    except OSError:
        return False


def participants(session):
    return f"/client/v4/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions/{session}/participants"


def lists(node):
    """Every participant of every session as a node shows them: {session: (rows, bytes of all pages)}."""
    found = {}
    for session in SESSIONS:
        rows, raw = [], []
        while True:
            page = f"?per_page=5000&page_no={len(raw) + 1}&as_of={AS_OF}&include_stays=true"
            answer = harness.get(node.url + participants(session) + page, node.permit)
            if answer.status == 404 and not raw:
                break
            assert answer.status == 200, f"{node.name}: {answer.status} {answer.raw[:500]}"
            rows += answer.body["data"]["participants"]
            raw.append(answer.raw)
            if len(rows) >= answer.body["data"]["paging"]["total_count"]:
                break
        found[session] = rows, b"".join(raw)
    return found


def compare(load, nodes):
    """(lost, twice): acknowledged events that a node does not list, and what is listed or was taken twice. All nodes must list the same."""
    lost, twice = set(), set(load.twice)
    answers = [lists(node) for node in nodes]
    for node, answer in zip(nodes, answers):
        for session, (rows, raw) in answer.items():
            assert raw == answers[0][session][1], f"{node.name} and {nodes[0].name} disagree about {session}"
            listed = collections.Counter(row["custom_participant_id"] for row in rows)
            gone = {row["custom_participant_id"] for row in rows if row["left_at"]}
            twice |= {("row", session, peer) for peer, count in listed.items() if count > 1}
            twice |= {("row nobody sent", session, peer) for peer in listed if ("joined", session, peer) not in load.sent}
            twice |= {("left, and nobody said so", session, peer) for peer in gone if ("left", session, peer) not in load.sent}
            for what, of, peer in load.acknowledged:
                if of == session and peer not in (listed if what == "joined" else gone):
                    lost.add((what, session, peer))
    return lost, twice


def report(name, load, nodes, away=None, allow_lost=False):
    """Counts, notes a row for the table, and insists that nothing was lost, repeated or stale.

    `away` says for how many seconds the drill itself kept the database from the nodes.
    """
    lost, twice = compare(load, nodes)
    times = [load.began] + [when for when, _ in load.acked_at]
    errors = collections.Counter(f"{t.kind} {t.outcome}" for t in load.tries if t.outcome not in (200,))
    longest = {kind: max((t.answered - t.sent for t in load.tries if t.kind == kind), default=0) for kind in ("write", "read")}
    row = {
        "drill": name,
        "acknowledged": len(load.acknowledged),
        "lost": len(lost),
        "twice": len(twice),
        "stale": len(load.stale),
        "away": "" if away is None else f"{away:.1f} s",
        "without writes": f"{max((b - a for a, b in zip(times, times[1:])), default=0):.1f} s",
        "longest write, read": f"{longest['write']:.1f}, {longest['read']:.1f} s",
        "reads": sum(t.kind == "read" and t.outcome == 200 for t in load.tries),
        "errors": ", ".join(f"{count} × {what}" for what, count in sorted(errors.items())) or "none",
    }
    results.append(row)
    print(" · ".join(f"{key}: {value}" for key, value in row.items()), flush=True)
    assert not twice, f"{name}: twice: {sorted(twice)[:5]}"
    assert not load.stale, f"{name}: stale reads (node, session, acknowledged, listed): {load.stale[:5]}"
    silent = [t for t in load.tries if t.outcome == 503 and not t.retry_after and isinstance(t.node, Node)]
    assert not silent, f"{name}: a 503 without retry-after: {silent[:2]}"
    strange = sorted({t.outcome for t in load.tries} - {200, 404, 502, 503, "refused", "cut off"}, key=str)
    assert not strange, f"{name}: clients saw {strange}"
    assert allow_lost or not lost, f"{name}: {len(lost)} acknowledged events are lost: {sorted(lost)[:5]}"
    return row


def print_table():
    """What every drill of this run counted."""
    if results:
        columns = list(results[0])
        widths = [max(len(str(row[column])) for row in [dict(zip(columns, columns)), *results]) for column in columns]
        print()
        for row in [dict(zip(columns, columns)), *results]:
            print("  ".join(str(row[column]).ljust(width) for column, width in zip(columns, widths)).rstrip())
