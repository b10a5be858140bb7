"""Proof: what LiveKit's own library signs, rollbook takes, and nothing else; and what is lost on the way, it learns by asking.

    (cd tests/proof && npm ci) && python3 tests/proof/livekit.py
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

import harness
from livekit_server import LiveKit as Fake

ACCOUNT, APP, KEY, SECRET = "acme", "livekit", "APIproof", "a secret of the proof, longer than it needs to be"


# A second LiveKit reports to an app of its own, and is asked every second.
ASKED = "livekit-asked"


def setUpModule():
    global server, reader, asked_reader, fake
    fake = unittest.enterModuleContext(Fake(KEY, SECRET))
    folder = unittest.enterModuleContext(tempfile.TemporaryDirectory())
    settings = pathlib.Path(folder, "rollbook.toml")
    os.environ["LIVEKIT_PROOF_SECRET"] = SECRET
    settings.write_text(
        f'[[engines]]\naccount = "{ACCOUNT}"\napp = "{APP}"\nengine = "livekit"\n'
        f'secrets = [{{ id = "{KEY}", secret_env = "LIVEKIT_PROOF_SECRET" }}]\n'
        f'[[engines]]\naccount = "{ACCOUNT}"\napp = "{ASKED}"\nengine = "livekit"\n'
        f'secrets = [{{ id = "{KEY}", secret_env = "LIVEKIT_PROOF_SECRET" }}]\n'
        f'poll = {{ urls = ["{fake.url.replace("http", "ws")}"], seconds = 1 }}\n'
    )
    server = unittest.enterModuleContext(harness.Server("--config", str(settings)))
    reader, asked_reader = server.token(ACCOUNT, "realtime", APP), server.token(ACCOUNT, "realtime", ASKED)


def signed(*webhooks, secret=SECRET):
    """The webhooks as LiveKit's library writes and signs them."""
    script = pathlib.Path(__file__).with_name("livekit_sdk.mjs")
    lines = "".join(json.dumps(webhook) + "\n" for webhook in webhooks)
    made = subprocess.run(["node", script, KEY, secret], input=lines, capture_output=True, text=True, timeout=60)
    if made.returncode != 0:
        raise AssertionError(made.stderr)
    return [json.loads(line) for line in made.stdout.splitlines()]


def deliver(delivery, app=APP, **changed):
    delivery = {**delivery, **changed}
    headers = {"authorization": delivery["authorization"], "content-type": "application/webhook+json"}
    url = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{app}/engines/livekit"
    return harness.request("POST", url, body=delivery["body"].encode(), headers=headers)


def webhook(event, identity, room="algebra", at=0, **participant):
    now = BEGAN + at
    return {
        "event": event,
        "id": f"EV_{event}_{identity}_{at}",
        "createdAt": str(now),
        "room": {"sid": f"RM_{room}", "name": room, "creationTime": str(BEGAN), "numParticipants": 2},
        "participant": {"sid": f"PA_{identity}", "identity": identity, "name": identity.title(), "joinedAt": str(BEGAN), "joinedAtMs": str(BEGAN * 1000 + 250), **participant},
    }


BEGAN = int(time.time()) - 60


def rows(room, app=APP, **parameters):
    token = asked_reader if app == ASKED else reader
    base = f"{server.url}/accounts/{ACCOUNT}/realtime/kit/{app}/sessions"
    listed = harness.get(base, token).body["data"]["sessions"]
    found = [session for session in listed if session["meeting_display_name"] == room]
    if not found:
        return []
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return harness.get(f"{base}/{found[0]['id']}/participants?{query}", token).body["data"]["participants"]


class LiveKit(unittest.TestCase):
    def test_what_the_library_signs_is_taken(self):
        deliveries = signed(
            webhook("participant_joined", "ann"),
            webhook("participant_joined", "recorder", kind="EGRESS"),
            webhook("participant_left", "ann", at=30, disconnectReason="CLIENT_INITIATED", attributes={"team": "x"}),
            webhook("track_published", "ann", at=31),
        )
        taken = [deliver(delivery) for delivery in deliveries]
        self.assertEqual([(answer.status, answer.body["data"]["accepted"]) for answer in taken], [(200, 1), (200, 1), (200, 1), (200, 0)])
        again = [deliver(delivery).body["data"] for delivery in deliveries[:3]]
        self.assertEqual(again, [{"accepted": 0, "duplicates": 1}] * 3)
        (ann,) = rows("algebra")
        self.assertEqual((ann["custom_participant_id"], ann["display_name"]), ("ann", "Ann"))
        self.assertAlmostEqual(ann["duration"] * 60, 29.75, delta=0.01)

    def test_nothing_else_is(self):
        (good,) = signed(webhook("participant_joined", "eve", room="forged"))
        (other,) = signed(webhook("participant_joined", "eve", room="forged"), secret="another secret")
        for changed in (
            {"body": good["body"].replace("Eve", "Ev1")},
            {"body": good["body"] + " "},
            {"authorization": good["authorization"][:-3] + "AAA"},
            {"authorization": "Bearer " + good["authorization"]},
            {"authorization": other["authorization"]},
        ):
            self.assertEqual(deliver(good, **changed).status, 401, changed)
        self.assertEqual(deliver(good).status, 200)


class Asked(unittest.TestCase):
    """The LiveKit that is asked is a stand-in; LiveKit's own client says that it answers as the real one does."""

    def tearDown(self):
        fake.down = False
        fake.rooms.clear()

    def who(self, room):
        """[(name, "in" or what closed the stay: "leave", "roster" …)]"""
        stays = [(row["display_name"], row["stays"]) for row in rows(room, ASKED, include_stays="true")]
        return [(name, "in" if stay["out"] is None else stay["closed_by"] or "leave") for name, (stay,) in stays]

    def polls(self, outcome="ok"):
        text = harness.get(f"{server.metrics}/metrics").raw.decode()
        (count,) = re.findall(rf'^rollbook_engine_polls_total{{.*outcome="{outcome}"}} (\d+)$', text, re.MULTILINE) or ["0"]
        return int(count)

    def await_polls(self, further, outcome="ok"):
        wanted = self.polls(outcome) + further
        harness.wait_until(lambda: self.polls(outcome) >= wanted, True)

    def hear(self, *webhooks):
        for delivery in signed(*webhooks):
            self.assertEqual(deliver(delivery, app=ASKED).status, 200)

    def test_livekits_own_client_understands_the_stand_in(self):
        fake.join("client", "ann", ago=30)
        fake.join("client", "recorder", ago=20, kind="EGRESS")
        fake.join("other", "bob")
        script = pathlib.Path(__file__).with_name("livekit_ask.mjs")
        ask = lambda secret: subprocess.run(["node", script, fake.url, KEY, secret], capture_output=True, text=True, timeout=60)
        told = json.loads(ask(SECRET).stdout)
        ann, recorder = told["rooms"]["client"]["participants"]
        self.assertEqual((ann["sid"], ann["identity"], ann["name"], ann["state"], ann["kind"]), ("PA_ann", "ann", "Ann", 2, 0))
        self.assertAlmostEqual(ann["joinedAtMs"] / 1000, time.time() - 30, delta=30)
        self.assertEqual((ann["joinedAt"], recorder["kind"]), (ann["joinedAtMs"] // 1000, 2))
        self.assertEqual((told["rooms"]["client"]["sid"], told["rooms"]["client"]["numParticipants"]), ("RM_client", 2))
        self.assertEqual(told["some"], list(told["rooms"])[:1])
        self.assertNotEqual(ask("another secret").returncode, 0)

    def test_a_lost_join_appears_and_a_lost_leave_ends(self):
        # Of three joins one comes through; the others are learnt by asking, with the time at which they were.
        self.hear(webhook("participant_joined", "ann", room="drill"))
        fake.join("drill", "ann", ago=65)
        for ago, identity in ((60, "bob"), (50, "eve")):
            fake.join("drill", identity, ago=ago)
        fake.join("drill", "recorder", kind="EGRESS")
        fake.join("drill", "early", state="JOINED")
        harness.wait_until(lambda: self.who("drill"), [("Ann", "in"), ("Bob", "in"), ("Eve", "in")])
        joined = {row["display_name"]: row["joined_at"] for row in rows("drill", ASKED)}
        told = int(fake.rooms["drill"].participants["eve"]["joined_at_ms"])
        self.assertEqual(joined["Eve"], f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(told // 1000))}.{told % 1000:03}Z")
        self.await_polls(2)  # a poll that agrees: from then on it is known who was in

        # Of three leaves one comes through.
        left = webhook("participant_left", "eve", room="drill", at=int(time.time()) - BEGAN, joinedAt="0", joinedAtMs=str(told))
        fake.leave("drill", "bob")
        fake.leave("drill", "eve")
        self.hear(left)
        harness.wait_until(lambda: self.who("drill"), [("Ann", "in"), ("Bob", "roster"), ("Eve", "leave")])
        bob = next(row for row in rows("drill", ASKED, include_stays="true") if row["display_name"] == "Bob")
        self.assertLess(bob["stays"][0]["uncertain_seconds"], 30)

        # The room ends, and nobody is told.
        fake.finish("drill")
        harness.wait_until(lambda: self.who("drill"), [("Ann", "roster"), ("Bob", "roster"), ("Eve", "leave")])

    def test_a_room_of_which_nothing_came_through(self):
        fake.join("silent", "zoe", ago=300)
        harness.wait_until(lambda: self.who("silent"), [("Zoe", "in")])
        (zoe,) = rows("silent", ASKED)
        self.assertAlmostEqual(zoe["duration"] * 60, 300, delta=60)

    def test_a_livekit_that_is_down_ends_nobodys_stay(self):
        self.hear(webhook("participant_joined", "ann", room="down"))
        fake.join("down", "ann")
        self.await_polls(1)
        fake.down = True
        self.await_polls(2, "refused")
        self.assertEqual(self.who("down"), [("Ann", "in")])
        fake.down = False
        self.await_polls(1)
        self.assertEqual(self.who("down"), [("Ann", "in")])

    def test_where_both_agree_nothing_is_recorded(self):
        fake.join("calm", "ann", ago=0)
        self.hear(webhook("participant_joined", "ann", room="calm", joinedAtMs=fake.rooms["calm"].participants["ann"]["joined_at_ms"]))
        self.await_polls(10)  # by then she has been in for longer than anything may be on its way
        (ann,) = rows("calm", ASKED, include_stays="true")
        # A roster that has her would be a later word of her.
        self.assertEqual((ann["updated_at"], ann["anomalies"]), (ann["joined_at"], []))


if __name__ == "__main__":
    unittest.main(verbosity=2)
