"""A real Prosody (Debian package `prosody`) as a child process, and people who chat through it: XMPP over plain TCP, on loopback. Standard library only."""

import atexit
import base64
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
STARTED_WITHIN = 30  # seconds
STOPPED_WITHIN = 30
ANSWERED_WITHIN = 30
HOST, ROOMS, BREAKOUTS = "localhost", "conference.localhost", "breakout.localhost"
PASSWORD = "secret"
PEOPLE = ("ann", "bob", "focus")

CONFIG = """
run_as_root = true
daemonize = false
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
plugin_paths = {{ "{plugins}" }}
log = {{ {{ levels = {{ min = "info" }}, to = "file", filename = "{dir}/prosody.log" }} }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{}}
http_ports = {{}}
https_ports = {{}}
modules_enabled = {{ "saslauth", "ping" }}
modules_disabled = {{ "s2s", "tls", "offline", "admin_socket" }}
authentication = "internal_plain"
allow_unencrypted_plain_auth = true
c2s_require_encryption = false

VirtualHost "{host}"

Component "{rooms}" "muc"
    modules_enabled = {{ "rollbook_reports" }}
    restrict_room_creation = false
    muc_room_locking = false
    reports_url = "{url}"
    reports_bearer = "{bearer}"

Component "{breakouts}" "muc"
    modules_enabled = {{ "rollbook_reports" }}
    restrict_room_creation = false
    muc_room_locking = false
    reports_url = "{url}"
    reports_bearer = "{bearer}"
    reports_main_host = "{rooms}"
"""


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prosody:
    """One Prosody whose rooms report to `url`. Its folder goes when it is closed."""

    def __init__(self, url, bearer):
        self._folder = tempfile.TemporaryDirectory(prefix="prosody-")
        self.dir = pathlib.Path(self._folder.name)
        self.port = _free_port()
        self.process = None
        self.clients = []
        self.config = self.dir / "prosody.cfg.lua"
        names = {"dir": self.dir, "plugins": HERE / "prosody", "port": self.port, "host": HOST, "rooms": ROOMS, "breakouts": BREAKOUTS}
        self.config.write_text(CONFIG.format(url=url, bearer=bearer, **names))
        accounts = self.dir / "data" / HOST / "accounts"
        accounts.mkdir(parents=True)
        for name in PEOPLE:
            (accounts / f"{name}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}" }};\n')
        atexit.register(self.close)

    def start(self):
        program = shutil.which("prosody")
        if not program:
            raise AssertionError("the Debian package `prosody` is not installed")
        output = (self.dir / "output").open("ab")
        with output:
            self.process = subprocess.Popen(
                [program, "--config", str(self.config), "-F"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "HOME": str(self.dir)}
            )
        deadline = time.monotonic() + STARTED_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"Prosody did not start:\n{self.tail()}") from None
                time.sleep(0.05)  # nothing tells when it listens

    def stop(self):
        """SIGTERM, with whoever is in."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        process.wait(STOPPED_WITHIN)

    def kill(self):
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def close(self):
        if self.process is not None:
            self.kill()
        while self.clients:
            self.clients.pop().drop()
        self._folder.cleanup()

    def tail(self):
        read = lambda name: (self.dir / name).read_text(errors="replace")[-3000:] if (self.dir / name).exists() else ""
        return read("output") + read("prosody.log")


class Client:
    """One person's connection. What comes in is read by a thread of its own, as text: stanzas are found, not parsed."""

    def __init__(self, prosody, user, resource="phone"):
        self._socket = socket.create_connection(("127.0.0.1", prosody.port), ANSWERED_WITHIN)
        prosody.clients.append(self)
        self._received, self._condition = "", threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._open_stream("</stream:features>")
        login = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self._ask(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{login}</auth>", "<success")
        self._open_stream("</stream:features>")
        bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>"
        self._ask(f"<iq type='set' id='bind'>{bind}</iq>", "</jid>")
        self._ids = 0

    def join(self, room, name, at=ROOMS):
        self._room = f"{room}@{at}"
        self._me = f"{self._room}/{name}"
        self._ask(f"<presence to='{self._me}'><x xmlns='http://jabber.org/protocol/muc'/></presence>", "code='110'")
        return self

    def leave(self):
        self._ask(f"<presence to='{self._me}' type='unavailable'/>", "code='110'")

    def kick(self, name):
        item = f"<item nick='{name}' role='none'/>"
        self._iq(f"<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>")

    def destroy(self):
        self._iq("<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>")

    def close(self):
        """Ends the stream, as a client does that is closed."""
        self._send("</stream:stream>")
        self._socket.close()

    def vanish(self):
        """Cuts the connection without a word."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def drop(self):
        """Lets go of what is left of the connection, once the server is gone."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed already
        self._reader.join(5)
        self._socket.close()

    def _iq(self, query):
        self._ids += 1
        self._ask(f"<iq type='set' id='iq{self._ids}' to='{self._room}'>{query}</iq>", f"id='iq{self._ids}'")

    def _open_stream(self, until):
        opening = f"<?xml version='1.0'?><stream:stream to='{HOST}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        self._ask(opening, until)

    def _ask(self, text, until):
        """Sends, and waits until this comes in."""
        with self._condition:
            self._received = ""
        self._send(text)
        with self._condition:
            found = self._condition.wait_for(lambda: until in self._received or self._ended, ANSWERED_WITHIN)
            if not found or until not in self._received:
                raise AssertionError(f"no {until} after {text}, but: {self._received}")
            if "type='error'" in self._received:
                raise AssertionError(f"refused: {text}: {self._received}")

    def _send(self, text):
        self._socket.sendall(text.encode())

    def _read(self):
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            with self._condition:
                self._received += data.decode(errors="replace")
                self._ended = not data
                self._condition.notify_all()
            if not data:
                return
