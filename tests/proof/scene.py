"""The meetings that both SDK proofs ask about.

Times, names and ids of the weekly meeting are those of the published example, so its durations
(5.8097 and 6.9263 minutes) must come out as they are printed there.
"""

import uuid
from datetime import datetime, timedelta, timezone

import harness

ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353"
APP = "14a396e7-ca44-4937-bf1f-050a69118543"
OTHER_APP = "other-app"

WEEKLY = "6f1d2c1e-7a0b-4c57-9d1e-0d5b5f5b9a01"
BREAKOUT = "6f1d2c1e-7a0b-4c57-9d1e-0d5b5f5b9a02"
LECTURE = "6f1d2c1e-7a0b-4c57-9d1e-0d5b5f5b9a03"
STANDUP = "6f1d2c1e-7a0b-4c57-9d1e-0d5b5f5b9a04"
WEEKLY_MEETING = "aaaa2c1e-7a0b-4c57-9d1e-0d5b5f5b9b01"

MARK = "005f4e0c-4d08-4d4e-a391-a76be75cd296"
HENRY = "51fdf95f-d893-471a-922b-7db7adb14453"
ZOE = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
MARK_IN_BREAKOUT = "79d87ca5-7e47-452a-b3c1-b6842ad84bf5"
HENRY_IN_BREAKOUT = "94af3bac-f30b-40b9-ab45-4b9e6eff191a"
ADA = "bbbb6679-7425-40de-944b-e07fc1f90ae7"
BEA = "cccc6679-7425-40de-944b-e07fc1f90ae7"

MARK_PERSON = {"user_id": "0a08343d-a9dc-45f0-9feb-6a64afcc4f81", "custom_participant_id": "83qi0i", "display_name": "Mark", "preset_name": "webinar_participant"}
HENRY_PERSON = {"user_id": "85e7f0fd-7c16-45e9-9d68-f17ef007c4eb", "custom_participant_id": "3uggr", "display_name": "Henry", "preset_name": "webinar_participant"}
ZOE_PERSON = {"custom_participant_id": "zoe-1", "display_name": "Zoë Ångström & co"}

_now = datetime.now(timezone.utc).replace(microsecond=0)
ADA_JOINED = _now - timedelta(seconds=120)

# The lecture's peers have only a key, so rollbook derives their ids: UUIDv5 in the app's name space.
_app_namespace = uuid.uuid5(uuid.NAMESPACE_URL, f"rollbook:{ACCOUNT}/{APP}")
LECTURE_PEERS = [str(uuid.uuid5(_app_namespace, f"peer:{LECTURE}:seat-{seat:02}")) for seat in range(30)]

FACTS = {
    "account": ACCOUNT,
    "app": APP,
    "other_app": OTHER_APP,
    "lecture_peers": LECTURE_PEERS,
    "ada_joined": ADA_JOINED.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "minute_later": (ADA_JOINED + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
}


def _event(number, kind, time, **data):
    return {"specversion": "1.0", "id": f"e{number:03}", "source": "urn:engine:1", "type": f"rollbook.{kind}", "time": time, "data": data}


def events():
    weekly = {"id": WEEKLY, "meeting_id": WEEKLY_MEETING, "meeting_title": "Weekly & plan"}
    breakout = {"id": BREAKOUT, "meeting_key": "breakout", "meeting_title": "Corner", "parent_id": WEEKLY}
    lecture = {"id": LECTURE, "meeting_key": "lecture", "meeting_title": "Lecture"}
    standup = {"id": STANDUP, "meeting_key": "standup", "meeting_title": "Stand-up"}
    mark = {"id": MARK, **MARK_PERSON}
    henry = {"id": HENRY, **HENRY_PERSON}
    zoe = {"id": ZOE, **ZOE_PERSON}
    recorder = {"key": "recorder", "kind": "robot", "display_name": "Recorder"}
    mark_again = {"id": MARK_IN_BREAKOUT, **MARK_PERSON}
    henry_again = {"id": HENRY_IN_BREAKOUT, **HENRY_PERSON}

    def day(clock):
        return f"2023-02-01T{clock}Z"

    story = [
        ("session.started", day("10:50:30.000"), {"session": weekly}),
        ("peer.joined", day("10:50:36.846"), {"session": weekly, "peer": henry}),
        ("peer.joined", day("10:50:40.000"), {"session": weekly, "peer": recorder}),
        ("peer.created", day("10:51:08.020"), {"session": weekly, "peer": mark}),
        ("peer.joined", day("10:51:08.030"), {"session": weekly, "peer": mark}),
        ("peer.joined", day("10:52:00.000"), {"session": weekly, "peer": zoe}),
        ("peer.left", day("10:52:30.000"), {"session": weekly, "peer": {"id": ZOE}}),
        # Inside his time in the main room: a person is not counted twice.
        ("peer.joined", day("10:53:00.000"), {"session": breakout, "peer": mark_again}),
        ("peer.left", day("10:55:00.000"), {"session": breakout, "peer": {"id": MARK_IN_BREAKOUT}}),
        ("peer.left", day("10:56:56.612"), {"session": weekly, "peer": {"id": MARK}}),
        # Partly outside his time in the main room: the union reaches from 10:50:36.846 to 10:59:00.
        ("peer.joined", day("10:57:00.000"), {"session": breakout, "peer": henry_again}),
        ("peer.left", day("10:57:32.424"), {"session": weekly, "peer": {"id": HENRY}}),
        ("peer.left", day("10:59:00.000"), {"session": breakout, "peer": {"id": HENRY_IN_BREAKOUT}}),
        ("peer.left", day("10:59:05.000"), {"session": weekly, "peer": {"key": "recorder"}}),
        ("session.ended", day("10:59:10.000"), {"session": {"id": BREAKOUT}}),
        ("session.ended", day("10:59:30.000"), {"session": {"id": WEEKLY}}),
    ]
    for seat in range(30):
        # Each comes a second later and stays two seconds longer than the one before.
        peer = {"key": f"seat-{seat:02}", "display_name": f"Student {seat:02}"}
        story.append(("peer.joined", f"2023-02-02T09:00:{seat:02}.000Z", {"session": lecture, "peer": peer}))
        story.append(("peer.left", f"2023-02-02T09:{10 + (seat * 3) // 60}:{(seat * 3) % 60:02}.000Z", {"session": lecture, "peer": {"key": peer["key"]}}))
    story.append(("session.ended", "2023-02-02T10:00:00.000Z", {"session": {"id": LECTURE}}))

    def ago(seconds):
        return (_now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    story += [
        ("peer.joined", ago(120), {"session": standup, "peer": {"id": ADA, "display_name": "Ada", "user_id": "ada"}}),
        ("peer.joined", ago(110), {"session": standup, "peer": {"id": BEA, "display_name": "Bea", "user_id": "bea"}}),
        ("peer.left", ago(50), {"session": standup, "peer": {"id": BEA}}),
    ]
    return [_event(number, kind, time, **data) for number, (kind, time, data) in enumerate(story)]


def load(server):
    """Posts the scene, and returns one token of each kind."""
    tokens = {
        "admin": server.token(ACCOUNT, "realtime_admin", APP),
        "realtime": server.token(ACCOUNT, "realtime"),
        "ingest": server.token(ACCOUNT, "ingest", APP),
        "other_app": server.token(ACCOUNT, "realtime_admin", OTHER_APP),
        "other_account": server.token("another-account", "realtime_admin"),
    }
    sent = events()
    answer = harness.post_events(server.url, ACCOUNT, APP, tokens["ingest"], sent)
    expected = {"accepted": len(sent), "duplicates": 0}
    if answer != expected:
        raise AssertionError(f"the scene was not taken: {answer}, expected {expected}")
    return tokens
