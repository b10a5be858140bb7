"""Proof: a real Janus reports to rollbook, and the lists say who was there.

    python3 tests/proof/janus.py       (needs the Debian package `janus`)
"""

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
