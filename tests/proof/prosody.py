"""Proof: a real Prosody reports to rollbook as Jitsi's event_sync does, and the lists say who was there.

    python3 tests/proof/prosody.py       (needs the Debian package `prosody`)

The reports are made by a module of our own (prosody/mod_rollbook_reports.lua), in the shape of event_sync's; rooms, occupants, and what Prosody tells
its modules when it stops are Prosody's.
"""

import re
import time
import unittest

import harness
from prosody_server import BREAKOUTS, Client, Prosody

ACCOUNT, APP = "acme", "jitsi"


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
    """The sessions of a room, oldest first, without those of its breakout rooms, which have its title too."""
    listed = ask("", sort_by="createdAt", sort_order="ASC", per_page=1000)["sessions"]
    of_room = [session for session in listed if session["meeting_display_name"] == room]
    inner = {breakout["id"] for session in of_room for breakout in breakouts(session)}
    return [session for session in of_room if session["id"] not in inner]


def breakouts(session):
    return ask(f"/{session['id']}", include_breakout_rooms="true")["session"]["breakout_rooms"]


def rows(session, **parameters):
    return ask(f"/{session['id']}/participants", include_stays="true", **parameters)["participants"]


def how(row):
    """How each stay ended: "in", "leave", or what closed it."""
    return ["in" if stay["out"] is None else stay["closed_by"] or "leave" for stay in row["stays"]]


def who(room):
    """For each session of the room, by name: how each stay of theirs ended."""
    return [told(session) for session in sessions(room)]


def told(session):
    return {row["display_name"]: how(row) for row in rows(session)}


def next_second():
    """Jitsi's times are whole seconds. Within one, a connection that comes again is one that never left, and what ends a room does not follow a join."""
    second = int(time.time())
    harness.wait_until(lambda: int(time.time()) > second, True)


class RealProsody(unittest.TestCase):
    def setUp(self):
        # A room of its own for each test, and a Prosody of its own: one that restarts concerns nobody else.
        self.room = self._testMethodName.removeprefix("test_")
        self.prosody = Prosody(f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/jitsi", writer)
        self.addCleanup(self.prosody.close)
        self.prosody.start()
        self.focus = self.open_room()

    def open_room(self):
        """As in Jitsi, someone who only looks after the room is in it first, and is not reported."""
        return Client(self.prosody, "focus").join(self.room, "focus")

    def join(self, user):
        return Client(self.prosody, user).join(self.room, user.title())

    def expect(self, *expected):
        self.wait(lambda: who(self.room), list(expected))

    def wait(self, look, expected):
        try:
            harness.wait_until(look, expected)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.prosody.tail()}") from None

    def reports(self, what, code):
        """How often a report was answered so: 0 is no answer."""
        return len(re.findall(rf"{what}: {code}$", (self.prosody.dir / "prosody.log").read_text(), re.MULTILINE))

    def test_join_and_leave(self):
        ann, bob = self.join("ann"), self.join("bob")
        self.expect({"Ann": ["in"], "Bob": ["in"]})
        (session,) = sessions(self.room)
        self.assertEqual((session["live_participants"], session["max_concurrent_participants"]), (2, 2))
        ann.leave()
        self.expect({"Ann": ["leave"], "Bob": ["in"]})
        bob.close()
        self.expect({"Ann": ["leave"], "Bob": ["leave"]})
        self.assertEqual(sorted(row["custom_participant_id"] for row in rows(session)), ["ann", "bob"])

    def test_the_same_connection_comes_again(self):
        ann = self.join("ann")
        self.expect({"Ann": ["in"]})
        ann.leave()
        self.expect({"Ann": ["leave"]})
        next_second()
        ann.join(self.room, "Ann")
        self.expect({"Ann": ["leave", "in"]})

    def test_kick(self):
        self.join("ann")
        self.join("bob")
        self.expect({"Ann": ["in"], "Bob": ["in"]})
        self.focus.kick("Ann")
        self.expect({"Ann": ["leave"], "Bob": ["in"]})

    def test_vanish(self):
        ann = self.join("ann")
        self.join("bob")
        self.expect({"Ann": ["in"], "Bob": ["in"]})
        ann.vanish()
        self.expect({"Ann": ["leave"], "Bob": ["in"]})

    def test_destroy_with_people_inside(self):
        self.join("ann")
        self.join("bob")
        self.expect({"Ann": ["in"], "Bob": ["in"]})
        next_second()
        self.focus.destroy()
        self.expect({"Ann": ["leave"], "Bob": ["leave"]})
        harness.wait_until(lambda: [session["status"] for session in sessions(self.room)], ["ENDED"])

    def test_breakout(self):
        ann, bob = self.join("ann"), self.join("bob")
        self.expect({"Ann": ["in"], "Bob": ["in"]})
        Client(self.prosody, "focus", "other").join(f"{self.room}+7c1e", "focus", BREAKOUTS)
        bob.leave()
        bob.join(f"{self.room}+7c1e", "Bob", BREAKOUTS)
        self.expect({"Ann": ["in"], "Bob": ["leave"]})
        (session,) = sessions(self.room)
        self.wait(lambda: [told(breakout) for breakout in breakouts(session)], [{"Bob": ["in"]}])
        consolidated = rows(session, view="consolidated")
        self.assertEqual(sorted(row["display_name"] for row in consolidated), ["Ann", "Bob"], "a row a person")
        self.assertEqual([row["left_at"] for row in consolidated], [None, None])
        ann.close()
        bob.close()
        self.expect({"Ann": ["leave"], "Bob": ["leave"]})
        self.wait(lambda: [told(breakout) for breakout in breakouts(session)], [{"Bob": ["leave"]}])

    def test_stop_with_people_inside(self):
        self.join("ann")
        self.join("bob")
        self.expect({"Ann": ["in"], "Bob": ["in"]})
        next_second()
        self.prosody.stop()  # Prosody tells its modules that they leave; what these report may not be under way before it ends
        self.prosody.start()
        self.open_room()
        # Of each report by itself: it arrived, or only the room that is made anew tells.
        self.wait(lambda: sorted(who(self.room)[0]), ["Ann", "Bob"])
        self.wait(lambda: [how for how in who(self.room)[0].values() if how not in (["leave"], ["roster"])], [])
        next_second()
        self.join("ann")
        self.wait(lambda: [how["Ann"][-1] for how in who(self.room)][-1], "in")

    def test_kill_with_people_inside(self):
        self.join("ann")
        self.join("bob")
        self.expect({"Ann": ["in"], "Bob": ["in"]})
        next_second()
        self.prosody.kill()  # Prosody reports nothing; only that the room is made anew tells
        self.prosody.start()
        self.expect({"Ann": ["in"], "Bob": ["in"]})
        self.open_room()
        self.expect({"Ann": ["roster"], "Bob": ["roster"]})
        for row in rows(sessions(self.room)[0]):
            self.assertGreater(row["stays"][0]["uncertain_seconds"], 0)  # last known in when they joined
        self.join("bob")
        self.expect({"Ann": ["roster"], "Bob": ["roster", "in"]})

    def test_rollbook_is_away_for_a_moment(self):
        ann = self.join("ann")
        self.expect({"Ann": ["in"]})
        server.stop()
        self.join("bob")
        ann.leave()
        harness.wait_until(lambda: self.reports("occupant/joined", 0) > 0 and self.reports("occupant/left", 0) > 0, True)
        server.start()  # the module tries again, three times
        self.expect({"Ann": ["leave"], "Bob": ["in"]})

    def test_rollbook_is_away_for_longer(self):
        ann = self.join("ann")
        self.expect({"Ann": ["in"]})
        server.kill()
        bob = self.join("bob")
        ann.leave()
        harness.wait_until(lambda: (self.reports("occupant/joined", 0), self.reports("occupant/left", 0)), (4, 4))
        server.start()
        self.expect({"Ann": ["in"]})  # both reports are lost
        next_second()
        bob.leave()
        self.expect({"Ann": ["in"], "Bob": ["leave"]})  # a leave repeats its join
        self.focus.leave()
        self.expect({"Ann": ["leave"], "Bob": ["leave"]})  # and the room's end repeats everything
        (session,) = sessions(self.room)
        self.assertEqual(session["status"], "ENDED")
        self.assertEqual([row["anomalies"] for row in rows(session)], [[], []])


class Credentials(unittest.TestCase):
    """What Prosody would be told, had it another bearer."""

    def test_wrong(self):
        url = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/jitsi/events/room/created"
        for token, status in ((writer, 200), (None, 401), ("no-such-token", 401), (reader, 403)):
            body = b'{"event_name":"muc-room-created","room_name":"r","room_jid":"r@x","created_at":1795862201,"is_breakout":false}'
            self.assertEqual(harness.post(url, token, body, "application/json").status, status)


if __name__ == "__main__":
    unittest.main(verbosity=2)
