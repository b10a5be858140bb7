"""Proof: what LiveKit's own library signs, rollbook takes, and nothing else.

    (cd tests/proof && npm ci) && python3 tests/proof/livekit.py
"""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

import harness

ACCOUNT, APP, KEY, SECRET = "acme", "livekit", "APIproof", "a secret of the proof, longer than it needs to be"


def setUpModule():
    global server, reader
    folder = unittest.enterModuleContext(tempfile.TemporaryDirectory())
    settings = pathlib.Path(folder, "rollbook.toml")
    os.environ["LIVEKIT_PROOF_SECRET"] = SECRET
    settings.write_text(
        f'[[engines]]\naccount = "{ACCOUNT}"\napp = "{APP}"\nengine = "livekit"\n'
        f'secrets = [{{ id = "{KEY}", secret_env = "LIVEKIT_PROOF_SECRET" }}]\n'
    )
    server = unittest.enterModuleContext(harness.Server("--config", str(settings)))
    reader = server.token(ACCOUNT, "realtime", APP)


def signed(*webhooks, secret=SECRET):
    """The webhooks as LiveKit's library writes and signs them."""
    script = pathlib.Path(__file__).with_name("livekit_sdk.mjs")
    lines = "".join(json.dumps(webhook) + "\n" for webhook in webhooks)
    made = subprocess.run(["node", script, KEY, secret], input=lines, capture_output=True, text=True, timeout=60)
    if made.returncode != 0:
        raise AssertionError(made.stderr)
    return [json.loads(line) for line in made.stdout.splitlines()]


def deliver(delivery, **changed):
    delivery = {**delivery, **changed}
    headers = {"authorization": delivery["authorization"], "content-type": "application/webhook+json"}
    url = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/livekit"
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


def rows(room):
    base = f"{server.url}/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions"
    listed = harness.get(base, reader).body["data"]["sessions"]
    (session,) = [session for session in listed if session["meeting_display_name"] == room]
    return harness.get(f"{base}/{session['id']}/participants", reader).body["data"]["participants"]


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


if __name__ == "__main__":
    unittest.main(verbosity=2)
