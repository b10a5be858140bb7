"""A real Janus (Debian package `janus`) as a child process, and people who use its HTTP API. Standard library only."""

import atexit
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid

STARTED_WITHIN = 30  # seconds
STOPPED_WITHIN = 30
SESSION_TIMEOUT = 3  # seconds without a request after which Janus gives a client up
KEEPALIVE_EVERY = 0.5

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Janus:
    """One Janus that reports to `backend`, compressed if asked to. Its folder goes when it is closed.

    By default it tries more often than Janus does of itself (5), so that a restart of rollbook on a busy machine loses nothing.
    """

    def __init__(self, name, backend, token, compress=False, tries=8):
        self.name = name
        self.process = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="janus-proof-"))
        self.port = _free_port()
        atexit.register(self.close)  # an interrupted proof leaves no Janus behind
        self._write(
            "janus.jcfg",
            f"""
            general: {{
                server_name = "{name}"
                session_timeout = {SESSION_TIMEOUT}
                debug_level = 4
            }}
            nat: {{ ice_ignore_list = "vmnet" }}
            plugins: {{ disable = "{self._all_but("plugins", "videoroom", "audiobridge")}" }}
            transports: {{ disable = "{self._all_but("transports", "http")}" }}
            loggers: {{ disable = "{self._all_but("loggers", "")}" }}
            events: {{
                broadcast = true
                disable = "{self._all_but("events", "sampleevh")}"
            }}
            """,
        )
        self._write(
            "janus.transport.http.jcfg",
            f"""
            general: {{ json = "compact" base_path = "/janus" http = true port = {self.port} ip = "127.0.0.1" https = false }}
            admin: {{ admin_http = false admin_https = false }}
            """,
        )
        # The user of the basic credentials doesn't matter; the password is a token of rollbook.
        self._write(
            "janus.eventhandler.sampleevh.jcfg",
            f"""
            general: {{
                enabled = true
                events = "plugins,core"
                grouping = true
                json = "compact"
                backend = "{backend}"
                backend_user = "janus"
                backend_pwd = "{token}"
                max_retransmissions = {tries}
                retransmissions_backoff = 100
                compress = {str(compress).lower()}
            }}
            """,
        )
        self._write("janus.plugin.videoroom.jcfg", "general: { string_ids = true }")
        self._write("janus.plugin.audiobridge.jcfg", "general: { string_ids = true }")

    def _write(self, name, text):
        (self.folder / name).write_text(text)

    @staticmethod
    def _all_but(kind, *kept):
        found = sorted(pathlib.Path("/usr/lib").glob(f"*/janus/{kind}/*.so"))
        return ",".join(library.name for library in found if library.stem.removeprefix("libjanus_") not in kept)

    def start(self):
        """Returns once its HTTP API answers."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["janus", "--configs-folder", str(self.folder), "--config", str(self.folder / "janus.jcfg"), "--disable-colors"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        deadline = time.monotonic() + STARTED_WITHIN
        while True:
            try:
                with _open(f"http://127.0.0.1:{self.port}/janus/info", timeout=5):
                    return self
            except (urllib.error.URLError, ConnectionError) as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"Janus did not start: {error}\n{self.tail()}") from None
            time.sleep(0.05)  # it has no other way to say that it is ready

    def stop(self):
        """SIGTERM, with whoever is inside."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"Janus did not stop within {STOPPED_WITHIN} s of SIGTERM\n{self.tail()}") from None

    def kill(self):
        """kill -9: Janus reports nothing."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def close(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def tail(self):
        return self.log()[-4000:]

    def call(self, path, message):
        body = json.dumps({"transaction": uuid.uuid4().hex, **message}).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/janus{path}", data=body, method="POST")
        with _open(asked, timeout=10) as answer:
            answered = json.loads(answer.read())
        if answered["janus"] == "error":
            raise AssertionError(f"Janus refused {message}: {answered}")
        return answered

    def events_of(self, session):
        with _open(f"http://127.0.0.1:{self.port}/janus/{session}?maxev=10", timeout=60) as answer:
            return json.loads(answer.read())


class Client:
    """One browser's connection: a Janus session with one handle on a room plugin."""

    def __init__(self, janus, plugin="videoroom"):
        self.janus, self.plugin = janus, plugin
        self.session = janus.call("", {"janus": "create"})["data"]["id"]
        attach = {"janus": "attach", "plugin": f"janus.plugin.{plugin}", "opaque_id": uuid.uuid4().hex}
        self.handle = janus.call(f"/{self.session}", attach)["data"]["id"]
        self._gone = threading.Event()
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def _keep_alive(self):
        while not self._gone.wait(KEEPALIVE_EVERY):
            try:
                self.janus.call(f"/{self.session}", {"janus": "keepalive"})
            except (OSError, AssertionError):
                return  # Janus is down, or has forgotten us

    def request(self, request, **fields):
        """A request that the plugin answers at once (create, destroy, kick)."""
        answer = self.janus.call(f"/{self.session}/{self.handle}", {"janus": "message", "body": {"request": request, **fields}})
        data = answer["plugindata"]["data"]
        if "error" in data:
            raise AssertionError(f"the room refused {request}: {data}")
        return data

    def _ask(self, expected, request, **fields):
        """A request that the plugin acknowledges, and answers in an event."""
        self.janus.call(f"/{self.session}/{self.handle}", {"janus": "message", "body": {"request": request, **fields}})
        while True:
            for event in self.janus.events_of(self.session):
                data = event.get("plugindata", {}).get("data", {})
                if "error" in data:
                    raise AssertionError(f"the room refused {request}: {data}")
                if expected(data):
                    return

    def join(self, room, identity, display):
        as_publisher = {"ptype": "publisher"} if self.plugin == "videoroom" else {}
        self._ask(lambda data: data.get(self.plugin) == "joined", "join", room=room, id=identity, display=display, **as_publisher)
        return self

    def leave(self):
        """Leaves the room; the connection to Janus stays."""
        self._ask(lambda data: data.get("leaving") == "ok" or data.get(self.plugin) == "left" or data.get("left") == "ok", "leave")

    def close(self):
        """A tab that is closed properly: the Janus session is destroyed."""
        self._gone.set()
        self.janus.call(f"/{self.session}", {"janus": "destroy"})

    def vanish(self):
        """A laptop lid: not another word."""
        self._gone.set()
