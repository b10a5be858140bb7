"""Proof: the official CloudEvents SDK (PyPI `cloudevents`) writes rollbook, in every mode of the HTTP binding.

    target/proof-venv/bin/python tests/proof/cloudevents_sdk.py

The SDK has no batch mode, so a batch here is a JSON array of what the SDK writes as structured events.
"""

import json
import unittest
import uuid
from datetime import datetime, timedelta, timezone

from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

import harness

ACCOUNT, APP = "acme", "lectures"
START = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)


def setUpModule():
    global server, reader, writer
    server = unittest.enterModuleContext(harness.Server())
    reader = server.token(ACCOUNT, "realtime", APP)
    writer = server.token(ACCOUNT, "ingest", APP)


def event(identity, kind, minute, session, peer=None, source="urn:engine:cloudevents", time=None):
    data = {"session": {"id": session, "meeting_key": "algebra", "meeting_title": "Algebra"}}
    if peer:
        data["peer"] = {"key": peer, "display_name": peer.title()}
    attributes = {
        "id": identity,
        "source": source,
        "type": f"rollbook.{kind}",
        "time": time or START + timedelta(minutes=minute),
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, data)


def send(message, token=None):
    """One HTTP request with exactly the headers and the body that the SDK made."""
    url = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/events"
    return harness.request("POST", url, token or writer, message.body, dict(message.headers))


def send_batch(events, content_type="application/cloudevents-batch+json"):
    written = [to_structured(each, JSONFormat()).body for each in events]
    if content_type == "application/x-ndjson":
        body = b"\n".join(written) + b"\n"
    else:
        body = b"[" + b",".join(written) + b"]"
    return harness.post(f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/events", writer, body, content_type)


class CloudEvents(unittest.TestCase):
    def setUp(self):
        self.session = str(uuid.uuid4())

    def taken(self, answer, accepted, duplicates=0):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.body, {"success": True, "data": {"accepted": accepted, "duplicates": duplicates}})

    def rows(self):
        path = f"/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions/{self.session}/participants"
        answer = harness.get(server.url + path, reader)
        self.assertEqual(answer.status, 200, answer)
        return [(row["display_name"], row["joined_at"], row["left_at"], row["duration"]) for row in answer.body["data"]["participants"]]

    def story(self):
        """Ann is in for 50 minutes, Bob for 20; it ends at 9:55."""
        return [
            event("1", "peer.joined", 0, self.session, "ann"),
            event("2", "peer.joined", 5, self.session, "bob"),
            event("3", "peer.left", 25, self.session, "bob"),
            event("4", "peer.left", 50, self.session, "ann"),
            event("5", "session.ended", 55, self.session),
        ]

    LIST = [
        ("Ann", "2026-03-02T09:00:00.000Z", "2026-03-02T09:50:00.000Z", 50.0),
        ("Bob", "2026-03-02T09:05:00.000Z", "2026-03-02T09:25:00.000Z", 20.0),
    ]

    def test_structured(self):
        for each in self.story():
            self.taken(send(to_structured(each, JSONFormat())), 1)
        self.assertEqual(self.rows(), self.LIST)

    def test_binary(self):
        for each in self.story():
            self.taken(send(to_binary(each, JSONFormat())), 1)
        self.assertEqual(self.rows(), self.LIST)

    def test_batch(self):
        self.taken(send_batch(self.story()), 5)
        self.assertEqual(self.rows(), self.LIST)

    def test_lines(self):
        self.taken(send_batch(self.story(), "application/x-ndjson"), 5)
        self.assertEqual(self.rows(), self.LIST)

    def test_the_last_comes_first(self):
        for each in reversed(self.story()):
            self.taken(send(to_structured(each, JSONFormat())), 1)
        self.assertEqual(self.rows(), self.LIST)

    def test_the_same_event_in_every_mode_is_one_event(self):
        story = self.story()
        self.taken(send_batch(story + story), 5, 5)
        self.taken(send_batch(story), 0, 5)
        for each in story:
            self.taken(send(to_structured(each, JSONFormat())), 0, 1)
            self.taken(send(to_binary(each, JSONFormat())), 0, 1)
        self.assertEqual(self.rows(), self.LIST)

    def test_the_same_instant_in_another_time_zone_is_the_same_event(self):
        here = event("1", "peer.joined", 0, self.session, "ann")
        there = event("1", "peer.joined", 0, self.session, "ann", time=START.astimezone(timezone(timedelta(hours=5, minutes=30))))
        self.taken(send(to_structured(here, JSONFormat())), 1)
        self.taken(send(to_structured(there, JSONFormat())), 0, 1)

    def test_names_travel_in_binary_headers(self):
        """The SDK percent-encodes what a header can't carry: `source` here, and its decoded form is the identity."""
        source = "urn:engine:Zürich 1"
        joined = event("é 1", "peer.joined", 0, self.session, "ann", source=source)
        self.taken(send(to_binary(joined, JSONFormat())), 1)
        self.taken(send(to_structured(joined, JSONFormat())), 0, 1)

    def test_extension_attributes_are_no_part_of_the_content(self):
        joined = event("1", "peer.joined", 0, self.session, "ann")
        traced = CloudEvent({**joined.get_attributes(), "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, joined.get_data())
        self.taken(send(to_structured(joined, JSONFormat())), 1)
        self.taken(send(to_structured(traced, JSONFormat())), 0, 1)
        self.taken(send(to_binary(traced, JSONFormat())), 0, 1)

    def test_a_batch_with_a_bad_event_is_refused_whole(self):
        story = self.story()
        story[2] = event("3", "peer.vanished", 25, self.session, "bob")
        answer = send_batch(story)
        self.assertEqual(answer.status, 400, answer)
        self.assertIs(answer.body["success"], False)
        self.assertEqual([error["index"] for error in answer.body["errors"]], [2])
        self.taken(send_batch(self.story()), 5)  # nothing of it was stored

    def test_other_content_under_the_same_identity_is_a_bad_event(self):
        self.taken(send(to_structured(event("1", "peer.joined", 0, self.session, "ann"), JSONFormat())), 1)
        answer = send(to_structured(event("1", "peer.joined", 1, self.session, "ann"), JSONFormat()))
        self.assertEqual(answer.status, 400, answer)  # not 409: clients retry that

    def test_other_content_types_are_refused(self):
        message = to_structured(self.story()[0], JSONFormat())
        url = f"{server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/events"
        self.assertEqual(harness.post(url, writer, message.body, "application/xml").status, 415)

    def test_a_reader_may_not_write(self):
        message = to_structured(self.story()[0], JSONFormat())
        self.assertEqual(send(message, reader).status, 403)
        self.assertEqual(send(message, "no-such-token").status, 401)

    def test_what_was_accepted_outlives_kill_9(self):
        self.taken(send_batch(self.story()), 5)
        server.kill()
        server.start()
        self.assertEqual(self.rows(), self.LIST)
        self.taken(send_batch(self.story()), 0, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
