"""Proof: the official Python SDK (PyPI `cloudflare`), unmodified, reads rollbook. Only its base URL is changed.

    target/proof-venv/bin/python tests/proof/sdk_python.py
"""

import asyncio
import unittest

import cloudflare
import httpx

import harness
import scene
from scene import ACCOUNT, ADA, APP, BEA, BREAKOUT, HENRY, LECTURE, LECTURE_PEERS, MARK, STANDUP, WEEKLY, ZOE

HERE = {"account_id": ACCOUNT, "app_id": APP}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def setUpModule():
    global server, proxy, tokens
    server = unittest.enterModuleContext(harness.Server())
    proxy = unittest.enterModuleContext(harness.RecordingProxy(server.url))
    tokens = scene.load(server)


def direct(**options):
    """The environment may name a proxy; requests to loopback must not go through it."""
    return httpx.Client(trust_env=False, **options)


class Reads:
    """Every sessions call, once for each base URL that clients are configured with."""

    base = ""

    def setUp(self):
        self.client = cloudflare.Cloudflare(api_token=tokens["admin"], base_url=proxy.url + self.base, http_client=direct())
        self.addCleanup(self.client.close)
        self.sessions = self.client.realtime_kit.sessions
        proxy.take()

    def participants(self, session=WEEKLY, **parameters):
        answer = self.sessions.get_session_participants(session, **HERE, **parameters)
        self.assertIs(answer.success, True)
        return answer.data.participants

    def ids(self, session=WEEKLY, **parameters):
        return [row.id for row in self.participants(session, **parameters)]

    def listed(self, **parameters):
        answer = self.sessions.get_sessions(APP, account_id=ACCOUNT, **parameters)
        self.assertIs(answer.success, True)
        return [session.id for session in answer.data.sessions]

    # --- participants of a session

    def test_the_published_example(self):
        henry, mark, zoe = self.participants()
        self.assertEqual(
            mark.to_dict(),
            {
                "id": MARK,
                **scene.MARK_PERSON,
                "joined_at": "2023-02-01T10:51:08.030Z",
                "left_at": "2023-02-01T10:56:56.612Z",
                "duration": 5.8097,
                "created_at": "2023-02-01T10:51:08.020Z",
                "updated_at": "2023-02-01T10:56:56.612Z",
            },
        )
        self.assertEqual((henry.id, henry.duration), (HENRY, 6.9263))
        self.assertEqual((zoe.id, zoe.duration, zoe.user_id, zoe.display_name), (ZOE, 0.5, None, "Zoë Ångström & co"))

    def test_order(self):
        self.assertEqual(self.ids(sort_by="joinedAt"), [HENRY, MARK, ZOE])
        self.assertEqual(self.ids(sort_by="joinedAt", sort_order="DESC"), [ZOE, MARK, HENRY])
        self.assertEqual(self.ids(sort_by="duration", sort_order="ASC"), [ZOE, MARK, HENRY])
        self.assertEqual(self.ids(sort_by="duration", sort_order="DESC"), [HENRY, MARK, ZOE])

    def test_peer_events_only_when_asked(self):
        for row in self.participants(include_peer_events=False):
            self.assertIsNone(row.peer_events)
        mark = self.participants(include_peer_events=True)[1]
        self.assertEqual(
            [(event.event_name, event.peer_id, event.created_at, event.updated_at) for event in mark.peer_events],
            [
                ("PEER_CREATED", MARK, "2023-02-01T10:51:08.020Z", "2023-02-01T10:51:08.020Z"),
                ("PEER_JOINING", MARK, "2023-02-01T10:51:08.030Z", "2023-02-01T10:51:08.030Z"),
                ("PEER_LEAVING", MARK, "2023-02-01T10:56:56.612Z", "2023-02-01T10:56:56.612Z"),
            ],
        )

    def test_consolidated_counts_the_union_over_breakouts(self):
        def durations(view):
            return {row.id: row.duration for row in self.participants(view=view)}

        self.assertEqual(durations("raw"), {HENRY: 6.9263, MARK: 5.8097, ZOE: 0.5})
        self.assertEqual(durations("consolidated"), {HENRY: 8.3859, MARK: 5.8097, ZOE: 0.5})
        henry = self.participants(view="consolidated")[0]
        self.assertEqual((henry.joined_at, henry.left_at), ("2023-02-01T10:50:36.846Z", "2023-02-01T10:59:00.000Z"))

    def test_search(self):
        for text, found in [
            ("HENR", [HENRY]),  # a name, by substring, whatever its case
            ("zOË ångström & CO", [ZOE]),  # space, ampersand and letters beyond ASCII travel in the query
            ("3ugg", [HENRY]),  # a custom id, by prefix
            ("ugg", []),
            (MARK[:8], [MARK]),  # a participant id, by prefix
            ("nobody", []),
        ]:
            with self.subTest(search=text):
                self.assertEqual(self.ids(search=text), found)

    def test_pages(self):
        def paging(**parameters):
            answer = self.sessions.get_session_participants(LECTURE, **HERE, **parameters)
            return len(answer.data.participants), answer.data.to_dict()["paging"]

        everyone = self.ids(LECTURE, per_page=100)
        self.assertEqual(everyone, LECTURE_PEERS)
        self.assertEqual(paging(), (25, {"total_count": 30, "start_offset": 1, "end_offset": 25}))
        self.assertEqual(paging(page_no=0, per_page=0), (25, {"total_count": 30, "start_offset": 1, "end_offset": 25}))
        self.assertEqual(paging(page_no=3.0, per_page=12), (6, {"total_count": 30, "start_offset": 25, "end_offset": 30}))
        self.assertEqual(paging(page_no=9, per_page=12), (0, {"total_count": 30, "start_offset": 0, "end_offset": 0}))
        self.assertEqual(paging(per_page=10_000), (30, {"total_count": 30, "start_offset": 1, "end_offset": 30}))
        pages = [self.ids(LECTURE, page_no=page, per_page=12, sort_by="duration", sort_order="DESC") for page in (1, 2, 3)]
        self.assertEqual(sum(pages, []), list(reversed(LECTURE_PEERS)))

    def test_our_own_parameters(self):
        answer = self.sessions.get_session_participants(
            STANDUP, **HERE, extra_query={"include_stays": "true", "as_of": scene.FACTS["minute_later"]}
        )
        ada = answer.data.to_dict()["participants"][0]
        self.assertEqual((ada["id"], ada["left_at"], ada["duration"]), (ADA, None, 1.0))
        self.assertEqual(ada["anomalies"], [])
        self.assertEqual(ada["stays"], [{"in": scene.FACTS["ada_joined"], "out": None, "closed_by": None, "uncertain_seconds": None}])

    def test_someone_who_is_in(self):
        ada, bea = self.participants(STANDUP)
        self.assertEqual((ada.id, ada.left_at), (ADA, None))
        self.assertGreaterEqual(ada.duration, 2.0)
        self.assertEqual((bea.id, bea.duration), (BEA, 1.0))

    # --- one participant

    def test_participant(self):
        def ask(**parameters):
            return self.sessions.get_session_participant_details(MARK, session_id=WEEKLY, **HERE, **parameters).data.participant

        self.assertEqual((ask().display_name, ask().duration, ask().peer_events), ("Mark", 5.8097, None))
        self.assertEqual(len(ask(include_peer_events=True).peer_events), 3)

    def test_peer_report(self):
        def ask(**parameters):
            return self.sessions.get_participant_data_from_peer_id(MARK, **HERE, **parameters).data.participant

        mark = ask()
        self.assertEqual((mark.id, mark.session_id, mark.role, mark.duration), (MARK, WEEKLY, "webinar_participant", 5.8097))
        self.assertIsNone(mark.peer_events)
        self.assertEqual(len(ask(include_peer_events=True).peer_events), 3)
        for name in ("device_info", "ip_information", "precall_network_information", "events", "quality_stats"):
            self.assertEqual(ask(filters=name).id, MARK)

    # --- sessions

    def test_session(self):
        session = self.sessions.get_session_details(WEEKLY, **HERE).data
        self.assertEqual(
            (session.id, session.associated_id, session.meeting_display_name, session.type, session.status, session.organization_id),
            (WEEKLY, scene.WEEKLY_MEETING, "Weekly & plan", "meeting", "ENDED", APP),
        )
        self.assertEqual((session.live_participants, session.max_concurrent_participants, session.minutes_consumed), (0, 3, 13.236))
        self.assertEqual(
            (session.started_at, session.ended_at, session.created_at),
            ("2023-02-01T10:50:30.000Z", "2023-02-01T10:59:30.000Z", "2023-02-01T10:50:30.000Z"),
        )

    def test_session_with_breakouts(self):
        self.assertFalse(self.sessions.get_session_details(WEEKLY, **HERE, include_breakout_rooms=False).data.breakout_rooms)
        (breakout,) = self.sessions.get_session_details(WEEKLY, **HERE, include_breakout_rooms=True).data.breakout_rooms
        self.assertEqual((breakout["id"], breakout["meeting_display_name"], breakout["status"]), (BREAKOUT, "Corner", "ENDED"))

    def test_live_session(self):
        session = self.sessions.get_session_details(STANDUP, **HERE).data
        self.assertEqual((session.status, session.ended_at, session.live_participants), ("LIVE", None, 1))
        self.assertEqual(session.max_concurrent_participants, 2)

    def test_sessions(self):
        newest_first = [STANDUP, LECTURE, BREAKOUT, WEEKLY]
        for parameters, found in [
            ({}, newest_first),
            ({"sort_by": "createdAt", "sort_order": "ASC"}, newest_first[::-1]),
            # Of ended sessions: the minutes of the live one grow while the proof runs.
            ({"status": "ENDED", "sort_by": "minutesConsumed", "sort_order": "ASC"}, [BREAKOUT, WEEKLY, LECTURE]),
            ({"status": "ENDED", "sort_by": "minutesConsumed", "sort_order": "DESC"}, [LECTURE, WEEKLY, BREAKOUT]),
            ({"status": "LIVE"}, [STANDUP]),
            ({"status": "ENDED"}, newest_first[1:]),
            ({"associated_id": scene.WEEKLY_MEETING}, [WEEKLY]),
            ({"associated_id": UNKNOWN}, []),
            ({"search": "wEEKLY & P"}, [WEEKLY]),
            ({"search": LECTURE[:35]}, newest_first),  # all four ids begin so
            ({"search": LECTURE}, [LECTURE]),
            ({"participants": "3:10"}, [WEEKLY]),
            ({"participants": "30:30"}, [LECTURE]),
            ({"start_time": "2023-02-02T09:00:00Z"}, [STANDUP, LECTURE]),  # inclusive
            ({"start_time": "2023-02-01T10:50:30Z", "end_time": "2023-02-01T10:53:00Z"}, [BREAKOUT, WEEKLY]),
            ({"page_no": 2, "per_page": 3}, [WEEKLY]),
        ]:
            with self.subTest(**parameters):
                self.assertEqual(self.listed(**parameters), found)

    def test_sessions_paging(self):
        answer = self.sessions.get_sessions(APP, account_id=ACCOUNT, page_no=2, per_page=3)
        self.assertEqual((answer.paging.total_count, answer.paging.start_offset, answer.paging.end_offset), (4, 4, 4))

    # --- the client's mistakes: the typed error, a body that says what was wrong, and no retry

    def refused(self, error_class, status, call):
        proxy.take()
        with self.assertRaises(error_class) as caught:
            call(self.sessions)
        body = caught.exception.body
        self.assertEqual(caught.exception.status_code, status)
        self.assertEqual((body["success"], body["error"]["code"]), (False, status))
        self.assertTrue(body["error"]["message"])
        self.assertTrue(all(isinstance(error["code"], int) and error["message"] for error in body["errors"]))
        self.assertEqual([(record["retry_count"], record["status"]) for record in proxy.take()], [("0", status)])
        return body["error"]["message"]

    def as_someone(self, key, call):
        options = {"api_token": tokens.get(key, key)}
        with cloudflare.Cloudflare(base_url=proxy.url + self.base, http_client=direct(), **options) as client:
            call(client.realtime_kit.sessions)

    def test_400(self):
        for name, value in [
            ("per_page", 10_001),
            ("per_page", -1),
            ("per_page", "1.5"),
            ("page_no", -1),
            ("page_no", "two"),
            ("sort_by", "name"),
            ("sort_order", "asc"),
            ("view", "cooked"),
            ("include_peer_events", "maybe"),
            ("as_of", "yesterday"),
        ]:
            with self.subTest(**{name: value}):
                message = self.refused(
                    cloudflare.BadRequestError,
                    400,
                    lambda sessions: sessions.get_session_participants(WEEKLY, **HERE, extra_query={name: value}),
                )
                self.assertIn(name, message)
                self.assertIn(str(value), message)
        for name, value in [("status", "DONE"), ("participants", "many"), ("start_time", "then"), ("sort_by", "joinedAt")]:
            with self.subTest(**{name: value}):
                message = self.refused(
                    cloudflare.BadRequestError,
                    400,
                    lambda sessions: sessions.get_sessions(APP, account_id=ACCOUNT, extra_query={name: value}),
                )
                self.assertIn(name, message)

    def test_401(self):
        self.refused(
            cloudflare.AuthenticationError,
            401,
            lambda _: self.as_someone("no-such-token", lambda sessions: sessions.get_session_participants(WEEKLY, **HERE)),
        )

    def test_403(self):
        self.refused(
            cloudflare.PermissionDeniedError,
            403,
            lambda _: self.as_someone("ingest", lambda sessions: sessions.get_session_participants(WEEKLY, **HERE)),
        )

    def test_404(self):
        for call in [
            lambda sessions: sessions.get_session_participants(UNKNOWN, **HERE),
            lambda sessions: sessions.get_session_participants("not-a-uuid", **HERE),
            lambda sessions: sessions.get_session_details(UNKNOWN, **HERE),
            lambda sessions: sessions.get_session_participant_details(UNKNOWN, session_id=WEEKLY, **HERE),
            lambda sessions: sessions.get_session_participant_details(ADA, session_id=WEEKLY, **HERE),
            lambda sessions: sessions.get_participant_data_from_peer_id(UNKNOWN, **HERE),
        ]:
            self.refused(cloudflare.NotFoundError, 404, call)

    def test_another_tenant_looks_like_nothing(self):
        nothing = self.refused(
            cloudflare.NotFoundError, 404, lambda sessions: sessions.get_session_participants(UNKNOWN, **HERE)
        )
        for key in ("other_app", "other_account"):
            with self.subTest(token=key):
                someones = self.refused(
                    cloudflare.NotFoundError,
                    404,
                    lambda _: self.as_someone(key, lambda sessions: sessions.get_session_participants(WEEKLY, **HERE)),
                )
                self.assertEqual(someones.replace(WEEKLY, UNKNOWN), nothing)

    def test_a_bad_parameter_is_judged_before_the_session(self):
        self.refused(
            cloudflare.BadRequestError,
            400,
            lambda sessions: sessions.get_session_participants(UNKNOWN, **HERE, extra_query={"view": "cooked"}),
        )

    def test_the_proxy_would_see_a_retry(self):
        proxy.refuse_next(503)
        self.assertEqual(self.ids(), [HENRY, MARK, ZOE])
        self.assertEqual([(record["retry_count"], record["status"]) for record in proxy.take()], [("0", 503), ("1", 200)])

    # --- credentials

    def test_api_key_and_email(self):
        with cloudflare.Cloudflare(
            api_email="someone@example.com", api_key=tokens["admin"], base_url=proxy.url + self.base, http_client=direct()
        ) as client:
            answer = client.realtime_kit.sessions.get_session_participants(WEEKLY, **HERE)
        self.assertEqual(len(answer.data.participants), 3)

    def test_wrong_api_key(self):
        def ask(_):
            with cloudflare.Cloudflare(
                api_email="someone@example.com", api_key="no-such-token", base_url=proxy.url + self.base, http_client=direct()
            ) as client:
                client.realtime_kit.sessions.get_session_participants(WEEKLY, **HERE)

        self.refused(cloudflare.AuthenticationError, 401, ask)

    def test_the_realtime_permission_reads_too(self):
        self.as_someone("realtime", lambda sessions: sessions.get_session_participants(WEEKLY, **HERE))

    def test_the_async_client(self):
        async def ask():
            async with cloudflare.AsyncCloudflare(
                api_token=tokens["admin"], base_url=proxy.url + self.base, http_client=httpx.AsyncClient(trust_env=False)
            ) as client:
                return await client.realtime_kit.sessions.get_session_participants(WEEKLY, **HERE)

        self.assertEqual(len(asyncio.run(ask()).data.participants), 3)

    def test_every_answer_carries_a_request_id(self):
        raw = self.sessions.with_raw_response.get_session_participants(WEEKLY, **HERE)
        self.assertTrue(raw.headers.get("x-request-id"), dict(raw.headers))


class WithTheUpstreamPrefix(Reads, unittest.TestCase):
    base = "/client/v4"


class WithoutAPrefix(Reads, unittest.TestCase):
    base = ""


if __name__ == "__main__":
    unittest.main(verbosity=2)
