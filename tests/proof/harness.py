"""Starts rollbook for the proofs, and stops it. Standard library only.

As a module: `Server`, `RecordingProxy`, `wait_until`, `get`, `post`.
As a program: `harness.py scene` starts a server behind a recording proxy, loads scene.py, prints one
line of JSON that says where everything is, and stops when its standard input closes. The Node proof
uses it, so that both languages ask the same server the same questions.
"""

import atexit
import http.client
import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY_WITHIN = 30  # seconds; a debug build on a busy machine starts well within it
STOPPED_WITHIN = 20
ANSWER_WITHIN = 30

# A request to loopback never goes through a proxy that the environment may name.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def binary():
    """The rollbook to prove: $ROLLBOOK_BIN, else what cargo built last as release, else as debug."""
    named = os.environ.get("ROLLBOOK_BIN")
    if named:
        return str(pathlib.Path(named).resolve())
    for profile in ("release", "debug"):
        built = ROOT / "target" / profile / "rollbook"
        if built.exists():
            return str(built)
    raise SystemExit("no rollbook: run `cargo build -p rollbook`, or set ROLLBOOK_BIN")


class Server:
    """One rollbook on a folder of its own, with further arguments. `with Server() as server:` starts and stops it.

    `store` is the address of a database in place of the folder; `host` is where it listens; `within` goes before the command.
    """

    def __init__(self, *arguments, store=None, host="127.0.0.1", within=()):
        self.arguments = arguments
        self.host, self.within = host, list(within)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ROLLBOOK_")}
        if store:
            self.environment["ROLLBOOK_STORE"] = store
        self.data = tempfile.mkdtemp(prefix="rollbook-proof-")
        self.log = pathlib.Path(self.data + ".log")
        self.process = None
        self.url = None
        atexit.register(self._leave_nothing)  # an interrupted proof leaves no server behind

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self._leave_nothing()

    def _leave_nothing(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.data, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def start(self):
        """Starts it, and returns once it says that it is ready. A second start takes the same port."""
        listen = self.url.removeprefix("http://") if self.url else f"{self.host}:0"
        command = [*self.within, binary(), "serve", "--listen", listen, "--data", self.data, "--metrics-listen", "127.0.0.1:0", *self.arguments]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment
            )
        lines = queue.Queue()
        threading.Thread(target=self._read_stdout, args=(self.process.stdout, lines), daemon=True).start()
        deadline = time.monotonic() + READY_WITHIN
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                self.kill()
                raise AssertionError(f"rollbook was not ready within {READY_WITHIN} s:\n{self.tail()}")
            if line.startswith("rollbook listening on http://"):
                self.url = line.removeprefix("rollbook listening on ").strip()
                return self

    @staticmethod
    def _read_stdout(stdout, lines):
        with stdout:
            for line in stdout:
                lines.put(line)
        lines.put(None)  # it ended

    def stop(self):
        """SIGTERM: it must stop by itself, with exit code 0."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"rollbook did not stop within {STOPPED_WITHIN} s of SIGTERM:\n{self.tail()}") from None
        if code != 0:
            raise AssertionError(f"rollbook stopped with {code}:\n{self.tail()}")

    def kill(self):
        """kill -9, as a power cut would."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    @property
    def metrics(self):
        """Where its metrics are: only the log tells, as the port is any free one."""
        found = re.findall(r"metrics_address\W*(127\.0\.0\.1:\d+)", re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace")))
        return f"http://{found[-1]}"

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:]

    def token(self, account, permission, app=None):
        """A new token, made beside the running server."""
        command = [binary(), "token", "create", "--account", account, "--permission", permission, "--data", self.data]
        if app:
            command += ["--app", app]
        made = subprocess.run(
            command, capture_output=True, text=True, timeout=READY_WITHIN, stdin=subprocess.DEVNULL, env=self.environment
        )
        if made.returncode != 0 or len(made.stdout.split()) != 1:
            raise AssertionError(f"token create answered {made.returncode}: {made.stdout!r} {made.stderr!r}")
        return made.stdout.strip()


class Answer:
    """Status, headers and body (parsed, where it is JSON) of an answer."""

    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        try:
            self.body = json.loads(raw)
        except ValueError:
            self.body = raw.decode(errors="replace")

    def __repr__(self):
        return f"{self.status} {self.body}"


def request(method, url, token=None, body=None, headers=None):
    """One request. An error status is an answer like any other."""
    headers = dict(headers or {})
    if token:
        headers["authorization"] = f"Bearer {token}"
    asked = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with _open(asked, timeout=ANSWER_WITHIN) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def get(url, token=None):
    return request("GET", url, token)


def post(url, token, body, content_type, headers=None):
    return request("POST", url, token, body, {"content-type": content_type, **(headers or {})})


def post_events(server_url, account, app, token, events):
    """Posts a list of events as one batch, and returns {"accepted": n, "duplicates": m}."""
    url = f"{server_url}/v1/accounts/{account}/apps/{app}/events"
    answer = post(url, token, json.dumps(events).encode(), "application/cloudevents-batch+json")
    if answer.status != 200 or answer.body.get("success") is not True:
        raise AssertionError(f"events were not accepted: {answer}")
    return answer.body["data"]


def wait_until(look, expected, within=30, every=0.1):
    """Looks again and again until it sees `expected`; after `within` seconds says what it saw instead."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen == expected:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {within} s\nexpected: {expected}\nseen:     {seen}")
        time.sleep(every)  # between two looks; nothing pushes the list to its readers


class Listener:
    """An HTTP server of a test's own, on a free port of the loopback, while it is entered."""

    def __init__(self, handler):
        self._httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._httpd.server_port}"

    def __enter__(self):
        threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._httpd.shutdown()
        self._httpd.server_close()


class RecordingProxy(Listener):
    """A reverse proxy that keeps what passed: method, path, the SDK's retry count, and the status.

    The official SDKs count their own retries in a header, so a retry can't hide from it. `refuse_next`
    makes it answer some requests with a status of its own: that is how the proofs see that a retry would be seen.
    """

    def __init__(self, target):
        self.target = target.removeprefix("http://")
        self.records = []
        self._lock = threading.Lock()
        self._refusals = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path == "/proxy/records":
                    return self._answer(200, [("content-type", "application/json")], json.dumps(proxy.take()).encode())
                if self.path.startswith("/proxy/refuse-next/"):
                    proxy.refuse_next(int(self.path.rsplit("/", 1)[1]))
                    return self._answer(200, [], b"")
                return self._pass_on()

            def do_POST(self):
                return self._pass_on()

            def _pass_on(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                refusal = proxy._next_refusal()
                if refusal:
                    status, headers, content = refusal, [], b""
                else:
                    connection = http.client.HTTPConnection(proxy.target, timeout=ANSWER_WITHIN)
                    try:
                        sent = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                        connection.request(self.command, self.path, body or None, sent)
                        answer = connection.getresponse()
                        status, headers, content = answer.status, answer.getheaders(), answer.read()
                    finally:
                        connection.close()
                proxy._record(self.command, self.path, self.headers.get("x-stainless-retry-count"), status)
                self._answer(status, headers, content)

            def _answer(self, status, headers, content):
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        super().__init__(Handler)

    def refuse_next(self, status):
        with self._lock:
            self._refusals.append(status)

    def take(self):
        """What passed since the last take."""
        with self._lock:
            taken, self.records = self.records, []
            return taken

    def _next_refusal(self):
        with self._lock:
            return self._refusals.pop(0) if self._refusals else None

    def _record(self, method, path, retry_count, status):
        with self._lock:
            self.records.append({"method": method, "path": path, "retry_count": retry_count, "status": status})


def _serve_scene():
    import scene

    with Server() as server, RecordingProxy(server.url) as proxy:
        print(json.dumps({"proxy": proxy.url, "tokens": scene.load(server), **scene.FACTS}), flush=True)
        sys.stdin.read()  # until the other side goes away


if __name__ == "__main__":
    if sys.argv[1:] != ["scene"]:
        raise SystemExit(__doc__)
    _serve_scene()
