"""Proof: a real Janus reports to rollbook, and the lists say who was there; what is lost on the way, rollbook learns by asking it.

    python3 tests/proof/janus.py       (needs the Debian package `janus`)
"""

import pathlib
import re
import tempfile
import time
import unittest

import harness
from janus_server import SESSION_TIMEOUT, Client, Janus

ACCOUNT, APP = "acme", "janus"


def setUpModule():
    global server, reader, writer
    server = unittest.enterModuleContext(harness.Server())
    reader = server.token(ACCOUNT, "realtime", APP)
    writer = server.token(ACCOUNT, "ingest", APP)


def ask(path, **parameters):
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    answer = harness.get(f"{server.url}/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions{path}?{query}", reader)
    if answer.status != 200:
        raise AssertionError(f"{path}: {answer}")
    return answer.body["data"]


def sessions(room):
    """The sessions of a room, oldest first. An engine without sessions: rollbook finds where each begins."""
    listed = ask("", sort_by="createdAt", sort_order="ASC", per_page=1000)["sessions"]
    return [session for session in listed if session["meeting_display_name"] == room]


def rows(session):
    return ask(f"/{session['id']}/participants", include_stays="true")["participants"]


def who(room):
    """For each session of the room: [(name, "in" or what closed the stay: "leave", "session_ended" …)], by time of joining."""
    return [[(row["display_name"], how(row)) for row in rows(session)] for session in sessions(room)]


def how(row):
    (stay,) = row["stays"]
    if (stay["out"] is None) != (row["left_at"] is None):
        raise AssertionError(f"the row and its stay contradict each other: {row}")
    return "in" if stay["out"] is None else stay["closed_by"] or "leave"


def numbers(room):
    """For each session of the room: (people in, peak)."""
    return [(session["live_participants"], session["max_concurrent_participants"]) for session in sessions(room)]


class RealJanus(unittest.TestCase):
    def setUp(self):
        # A room of its own for each test, and a Janus of its own: one that restarts concerns nobody else.
        self.room = self._testMethodName.removeprefix("test_")
        backend = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/janus"
        self.janus = Janus(f"janus-{self.room}", backend, writer)
        self.addCleanup(self.janus.close)
        self.janus.start()
        self.open_room()

    def open_room(self):
        """Someone who only looks after the room, and is never in it."""
        self.host = Client(self.janus)
        self.host.request("create", room=self.room, permanent=False, publishers=10, description=self.room)

    def join(self, identity, display=None):
        return Client(self.janus).join(self.room, identity, display or identity.title())

    def expect(self, *expected):
        harness.wait_until(lambda: who(self.room), list(expected))

    def test_join_and_leave(self):
        ann = self.join("ann")
        bob = self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        self.assertEqual(numbers(self.room), [(2, 2)])

        ann.leave()
        self.expect([("Ann", "leave"), ("Bob", "in")])
        bob.close()
        self.expect([("Ann", "leave"), ("Bob", "leave")])
        self.assertEqual(numbers(self.room), [(0, 2)])

        (session,) = sessions(self.room)
        self.assertEqual(session["status"], "LIVE")  # it is kept alive for a minute after the last leave
        first, second = rows(session)
        self.assertEqual([first["custom_participant_id"], second["custom_participant_id"]], ["ann", "bob"])
        self.assertEqual(session["started_at"], first["joined_at"])

    def test_rejoin(self):
        ann = self.join("ann")
        self.expect([("Ann", "in")])
        ann.leave()
        ann.close()
        self.expect([("Ann", "leave")])
        self.join("ann")  # a new connection with the same id: a new row, in the same session
        self.expect([("Ann", "leave"), ("Ann", "in")])
        first, second = rows(sessions(self.room)[0])
        self.assertNotEqual(first["id"], second["id"])
        self.assertEqual(numbers(self.room), [(1, 1)])

    def test_kick(self):
        self.join("ann")
        self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        self.host.request("kick", room=self.room, id="ann")  # Janus reports `kicked`, and no `leaving`
        self.expect([("Ann", "leave"), ("Bob", "in")])

    def test_vanish(self):
        ann = self.join("ann")
        self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        ann.vanish()
        self.expect([("Ann", "leave"), ("Bob", "in")])
        ann_row = rows(sessions(self.room)[0])[0]
        self.assertGreaterEqual(ann_row["duration"] * 60, SESSION_TIMEOUT - 1)

    def test_destroy_with_people_inside(self):
        self.join("ann")
        self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        self.host.request("destroy", room=self.room)  # Janus reports `destroyed`, and no `leaving`
        self.expect([("Ann", "session_ended"), ("Bob", "session_ended")])
        (session,) = sessions(self.room)
        self.assertEqual((session["status"], session["live_participants"]), ("ENDED", 0))
        self.assertEqual([row["left_at"] for row in rows(session)], [session["ended_at"]] * 2)

        # The same room again, however soon, is a new session.
        self.host.request("create", room=self.room, permanent=False, description=self.room)
        self.join("ann")
        self.expect([("Ann", "session_ended"), ("Bob", "session_ended")], [("Ann", "in")])

    def test_stop_with_people_inside(self):
        self.join("ann")
        self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        self.janus.stop()  # Janus reports its shutdown, and no `leaving`
        self.expect([("Ann", "source_stopped"), ("Bob", "source_stopped")])
        self.assertEqual(numbers(self.room), [(0, 2)])

        self.janus.start()
        self.open_room()
        self.join("ann")
        self.expect([("Ann", "source_stopped"), ("Bob", "source_stopped"), ("Ann", "in")])
        self.assertEqual(numbers(self.room), [(1, 2)])

    def test_kill_with_people_inside(self):
        self.join("ann")
        self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        self.janus.kill()  # Janus reports nothing; only its next start tells
        self.expect([("Ann", "in"), ("Bob", "in")])

        self.janus.start()
        self.expect([("Ann", "source_started"), ("Bob", "source_started")])
        for row in rows(sessions(self.room)[0]):
            (stay,) = row["stays"]
            self.assertGreater(stay["uncertain_seconds"], 0)  # last known in when they joined
        self.open_room()
        self.join("bob")
        self.expect([("Ann", "source_started"), ("Bob", "source_started"), ("Bob", "in")])

    def test_one_janus_that_stops_concerns_nobody_else(self):
        other = Janus("janus-elsewhere", f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/janus", writer)
        self.addCleanup(other.close)
        other.start()
        self.join("ann")
        self.expect([("Ann", "in")])
        room = "elsewhere"
        Client(other).request("create", room=room, permanent=False, description=room)
        Client(other).join(room, "zed", "Zed")
        harness.wait_until(lambda: who(room), [[("Zed", "in")]])
        other.stop()
        harness.wait_until(lambda: who(room), [[("Zed", "source_stopped")]])
        self.expect([("Ann", "in")])

    def test_rollbook_restarts_meanwhile(self):
        ann = self.join("ann")
        self.expect([("Ann", "in")])
        server.stop()
        self.join("bob")  # Janus keeps the event, and tries again
        server.start()
        self.expect([("Ann", "in"), ("Bob", "in")])
        server.kill()
        ann.leave()
        server.start()
        self.expect([("Ann", "leave"), ("Bob", "in")])


class RealAudioBridge(unittest.TestCase):
    """The other plugin, whose reports come compressed here."""

    def setUp(self):
        self.room = self._testMethodName.removeprefix("test_")
        backend = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/janus"
        self.janus = Janus(f"janus-{self.room}", backend, writer, compress=True)
        self.addCleanup(self.janus.close)
        self.janus.start()
        self.host = Client(self.janus, "audiobridge")
        self.host.request("create", room=self.room, permanent=False, description=self.room)

    def join(self, identity):
        return Client(self.janus, "audiobridge").join(self.room, identity, identity.title())

    def expect(self, *expected):
        harness.wait_until(lambda: who(self.room), list(expected))

    def test_audio_join_and_leave(self):
        ann = self.join("ann")
        bob = self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        ann.leave()
        self.expect([("Ann", "leave"), ("Bob", "in")])
        bob.close()
        self.expect([("Ann", "leave"), ("Bob", "leave")])

    def test_audio_kick(self):
        self.join("ann")
        self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        self.host.request("kick", room=self.room, id="ann")
        self.expect([("Ann", "leave"), ("Bob", "in")])

    def test_audio_kick_all(self):
        self.join("ann")
        self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        self.host.request("kick_all", room=self.room)
        # `kicked_all` puts everyone out at once; the leaves that follow name each.
        self.expect([("Ann", "leave"), ("Bob", "leave")])

    def test_audio_destroy(self):
        self.join("ann")
        self.expect([("Ann", "in")])
        self.host.request("destroy", room=self.room)
        self.expect([("Ann", "session_ended")])


class Asked(unittest.TestCase):
    """A Janus that is asked every second, by a rollbook that is down for longer than Janus tries."""

    def setUp(self):
        global server, reader
        self.room = self._testMethodName.removeprefix("test_")
        before = server, reader
        self.addCleanup(lambda: globals().update(server=before[0], reader=before[1]))
        folder = self.enterContext(tempfile.TemporaryDirectory())
        settings = pathlib.Path(folder, "rollbook.toml")
        settings.write_text("")
        server = self.enterContext(harness.Server("--config", str(settings)))
        reader = server.token(ACCOUNT, "realtime", APP)
        backend = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/janus"
        self.janus = Janus(f"janus-{self.room}", backend, server.token(ACCOUNT, "ingest", APP), tries=3)
        self.addCleanup(self.janus.close)
        self.janus.start()
        # Now that both have their ports, rollbook is told of Janus.
        server.stop()
        settings.write_text(
            f'[[engines]]\naccount = "{ACCOUNT}"\napp = "{APP}"\nengine = "janus"\n'
            f'poll = {{ urls = ["http://127.0.0.1:{self.janus.port}/janus"], seconds = 1 }}\n'
        )
        server.start()

    def open_room(self, plugin, **more):
        self.plugin = plugin
        self.host = Client(self.janus, plugin)
        self.host.request("create", room=self.room, permanent=False, description=self.room, **more)

    def join(self, identity):
        return Client(self.janus, self.plugin).join(self.room, identity, identity.title())

    def expect(self, *expected):
        harness.wait_until(lambda: who(self.room), list(expected), within=60)

    def unheard(self, do):
        """Does something that rollbook does not hear of: it is down until Janus has given up."""
        server.stop()
        given_up = lambda: len(re.findall("Maximum number of retransmissions reached", self.janus.log()))
        before = given_up()
        do()

        def all_given_up():
            # What one request makes Janus report may go out as several deliveries, one after the other: each takes it less than a second.
            seen = given_up()
            time.sleep(2)
            return seen > before and given_up() == seen

        harness.wait_until(all_given_up, True)
        server.start()

    def heals(self):
        ann = self.join("ann")
        self.expect([("Ann", "in")])
        self.unheard(lambda: (self.join("bob"), ann.leave()))
        self.expect([("Ann", "roster"), ("Bob", "in")])
        ann_row, bob_row = rows(sessions(self.room)[0])
        self.assertEqual((bob_row["custom_participant_id"], bob_row["anomalies"][0]["kind"]), ("bob", "joined_by_roster"))
        # The leave of someone whose join was lost is heard like any other.
        self.unheard(lambda: self.join("eve"))
        self.expect([("Ann", "roster"), ("Bob", "in"), ("Eve", "in")])
        self.host.request("kick", room=self.room, id="bob")
        self.expect([("Ann", "roster"), ("Bob", "leave"), ("Eve", "in")])
        # A room that goes unheard has nobody in.
        self.unheard(lambda: self.host.request("destroy", room=self.room))
        self.expect([("Ann", "roster"), ("Bob", "leave"), ("Eve", "roster")])

    def test_asked_videoroom(self):
        self.open_room("videoroom", publishers=10)
        self.heals()

    def test_asked_audiobridge(self):
        self.open_room("audiobridge")
        self.heals()

    def test_asked_private_room(self):
        """It is not listed; rollbook asks about it since it knows it."""
        self.open_room("videoroom", publishers=10, is_private=True)
        ann = self.join("ann")
        self.join("bob")
        self.expect([("Ann", "in"), ("Bob", "in")])
        self.unheard(ann.leave)
        self.expect([("Ann", "roster"), ("Bob", "in")])

    def test_asked_where_both_agree(self):
        self.open_room("videoroom", publishers=10)
        self.join("ann")
        self.expect([("Ann", "in")])
        polls = lambda: int(re.findall(r'rollbook_engine_polls_total\{.*outcome="ok"\} (\d+)', harness.get(f"{server.metrics}/metrics").raw.decode())[0])
        wanted = polls() + 10  # by then she has been in for longer than anything may be on its way
        harness.wait_until(lambda: polls() >= wanted, True, within=60)
        (ann,) = rows(sessions(self.room)[0])
        self.assertEqual((ann["updated_at"], ann["anomalies"]), (ann["joined_at"], []))


class Credentials(unittest.TestCase):
    """What Janus would be told, had it other credentials."""

    def post(self, token, **headers):
        url = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/janus"
        return harness.post(url, token, b"[]", "application/json", headers).status

    def test_bearer(self):
        self.assertEqual(self.post(writer), 200)

    def test_wrong(self):
        self.assertEqual(self.post(None), 401)
        self.assertEqual(self.post("no-such-token"), 401)
        self.assertEqual(self.post(None, authorization="Basic amFudXM6bm8tc3VjaC10b2tlbg=="), 401)

    def test_a_reader_may_not_report(self):
        self.assertEqual(self.post(reader), 403)


if __name__ == "__main__":
    unittest.main(verbosity=2)
