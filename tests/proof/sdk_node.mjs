// Proof: the official JavaScript SDK (npm `cloudflare`), unmodified, reads rollbook. Only its base URL is changed.
//
//     (cd tests/proof && npm ci) && node --test tests/proof/sdk_node.mjs
//
// The server, the recording proxy and the meetings are those of the Python proof: harness.py and scene.py.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import Cloudflare from "cloudflare";

const WEEKLY = "6f1d2c1e-7a0b-4c57-9d1e-0d5b5f5b9a01";
const BREAKOUT = "6f1d2c1e-7a0b-4c57-9d1e-0d5b5f5b9a02";
const LECTURE = "6f1d2c1e-7a0b-4c57-9d1e-0d5b5f5b9a03";
const STANDUP = "6f1d2c1e-7a0b-4c57-9d1e-0d5b5f5b9a04";
const WEEKLY_MEETING = "aaaa2c1e-7a0b-4c57-9d1e-0d5b5f5b9b01";
const MARK = "005f4e0c-4d08-4d4e-a391-a76be75cd296";
const HENRY = "51fdf95f-d893-471a-922b-7db7adb14453";
const ZOE = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const ADA = "bbbb6679-7425-40de-944b-e07fc1f90ae7";
const BEA = "cccc6679-7425-40de-944b-e07fc1f90ae7";
const UNKNOWN = "00000000-0000-4000-8000-000000000000";

// Credentials that the environment may hold are not for this server.
for (const name of ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL", "CLOUDFLARE_BASE_URL"]) delete process.env[name];

let harness, facts, here;

before(async () => {
  const script = fileURLToPath(new URL("harness.py", import.meta.url));
  harness = spawn("python3", [script, "scene"], { stdio: ["pipe", "pipe", "inherit"] });
  for await (const line of createInterface({ input: harness.stdout })) {
    facts = JSON.parse(line);
    break;
  }
  assert.ok(facts, "the harness started no server");
  here = { account_id: facts.account, app_id: facts.app };
});

after(async () => {
  const stopped = harness.exitCode === null ? once(harness, "exit") : [harness.exitCode];
  harness.stdin.end(); // the harness stops the server, and fails where the server does not stop by itself
  assert.equal((await stopped)[0], 0);
});

async function takeRecords() {
  return (await fetch(`${facts.proxy}/proxy/records`)).json();
}

for (const base of ["/client/v4", ""]) {
  describe(base ? `with the prefix ${base}` : "without a prefix", () => {
    const connect = (options = { apiToken: facts.tokens.admin }) =>
      new Cloudflare({ baseURL: facts.proxy + base, ...options }).realtimeKit.sessions;
    const participants = async (session = WEEKLY, parameters = {}) => {
      const answer = await connect().getSessionParticipants(session, { ...here, ...parameters });
      assert.equal(answer.success, true);
      return answer.data.participants;
    };
    const ids = async (session, parameters) => (await participants(session, parameters)).map((row) => row.id);

    // --- participants of a session

    test("the published example", async () => {
      const [henry, mark, zoe] = await participants();
      assert.deepEqual(mark, {
        id: MARK,
        user_id: "0a08343d-a9dc-45f0-9feb-6a64afcc4f81",
        custom_participant_id: "83qi0i",
        display_name: "Mark",
        preset_name: "webinar_participant",
        joined_at: "2023-02-01T10:51:08.030Z",
        left_at: "2023-02-01T10:56:56.612Z",
        duration: 5.8097,
        created_at: "2023-02-01T10:51:08.020Z",
        updated_at: "2023-02-01T10:56:56.612Z",
      });
      assert.deepEqual([henry.id, henry.duration], [HENRY, 6.9263]);
      assert.deepEqual([zoe.id, zoe.duration, zoe.user_id, zoe.display_name], [ZOE, 0.5, null, "Zoë Ångström & co"]);
    });

    test("order", async () => {
      assert.deepEqual(await ids(WEEKLY, { sort_by: "joinedAt" }), [HENRY, MARK, ZOE]);
      assert.deepEqual(await ids(WEEKLY, { sort_by: "joinedAt", sort_order: "DESC" }), [ZOE, MARK, HENRY]);
      assert.deepEqual(await ids(WEEKLY, { sort_by: "duration", sort_order: "ASC" }), [ZOE, MARK, HENRY]);
      assert.deepEqual(await ids(WEEKLY, { sort_by: "duration", sort_order: "DESC" }), [HENRY, MARK, ZOE]);
    });

    test("peer events only when asked", async () => {
      for (const row of await participants(WEEKLY, { include_peer_events: false })) assert.equal(row.peer_events, undefined);
      const mark = (await participants(WEEKLY, { include_peer_events: true }))[1];
      assert.deepEqual(
        mark.peer_events.map((event) => [event.event_name, event.peer_id, event.created_at, event.updated_at]),
        [
          ["PEER_CREATED", MARK, "2023-02-01T10:51:08.020Z", "2023-02-01T10:51:08.020Z"],
          ["PEER_JOINING", MARK, "2023-02-01T10:51:08.030Z", "2023-02-01T10:51:08.030Z"],
          ["PEER_LEAVING", MARK, "2023-02-01T10:56:56.612Z", "2023-02-01T10:56:56.612Z"],
        ],
      );
    });

    test("consolidated counts the union over breakouts", async () => {
      const durations = async (view) => (await participants(WEEKLY, { view })).map((row) => [row.id, row.duration]);
      assert.deepEqual(await durations("raw"), [[HENRY, 6.9263], [MARK, 5.8097], [ZOE, 0.5]]);
      assert.deepEqual(await durations("consolidated"), [[HENRY, 8.3859], [MARK, 5.8097], [ZOE, 0.5]]);
    });

    test("search", async () => {
      for (const [search, found] of [
        ["HENR", [HENRY]],
        ["zOË ångström & CO", [ZOE]],
        ["3ugg", [HENRY]],
        ["ugg", []],
        [MARK.slice(0, 8), [MARK]],
        ["nobody", []],
      ]) {
        assert.deepEqual(await ids(WEEKLY, { search }), found, search);
      }
    });

    test("pages", async () => {
      const paging = async (parameters) => {
        const { data } = await connect().getSessionParticipants(LECTURE, { ...here, ...parameters });
        return [data.participants.length, data.paging];
      };
      assert.deepEqual(await ids(LECTURE, { per_page: 100 }), facts.lecture_peers);
      assert.deepEqual(await paging({}), [25, { total_count: 30, start_offset: 1, end_offset: 25 }]);
      assert.deepEqual(await paging({ page_no: 0, per_page: 0 }), [25, { total_count: 30, start_offset: 1, end_offset: 25 }]);
      assert.deepEqual(await paging({ page_no: 3, per_page: 12 }), [6, { total_count: 30, start_offset: 25, end_offset: 30 }]);
      assert.deepEqual(await paging({ page_no: 9, per_page: 12 }), [0, { total_count: 30, start_offset: 0, end_offset: 0 }]);
      const pages = [];
      for (const page_no of [1, 2, 3]) pages.push(...(await ids(LECTURE, { page_no, per_page: 12, sort_by: "duration", sort_order: "DESC" })));
      assert.deepEqual(pages, [...facts.lecture_peers].reverse());
    });

    test("our own parameters", async () => {
      const [ada] = await participants(STANDUP, { include_stays: true, as_of: facts.minute_later });
      assert.deepEqual([ada.id, ada.left_at, ada.duration, ada.anomalies], [ADA, null, 1, []]);
      assert.deepEqual(ada.stays, [{ in: facts.ada_joined, out: null, closed_by: null, uncertain_seconds: null }]);
    });

    test("someone who is in", async () => {
      const [ada, bea] = await participants(STANDUP);
      assert.deepEqual([ada.id, ada.left_at, ada.duration >= 2], [ADA, null, true]);
      assert.deepEqual([bea.id, bea.duration], [BEA, 1]);
    });

    // --- one participant

    test("participant", async () => {
      const ask = async (parameters) =>
        (await connect().getSessionParticipantDetails(MARK, { ...here, session_id: WEEKLY, ...parameters })).data.participant;
      const mark = await ask({});
      assert.deepEqual([mark.display_name, mark.duration, mark.peer_events], ["Mark", 5.8097, undefined]);
      assert.equal((await ask({ include_peer_events: true })).peer_events.length, 3);
    });

    test("peer report", async () => {
      const ask = async (parameters) => (await connect().getParticipantDataFromPeerID(MARK, { ...here, ...parameters })).data.participant;
      const mark = await ask({});
      assert.deepEqual([mark.id, mark.session_id, mark.role, mark.duration], [MARK, WEEKLY, "webinar_participant", 5.8097]);
      assert.equal(mark.peer_events, undefined);
      assert.equal((await ask({ include_peer_events: true })).peer_events.length, 3);
      for (const filters of ["device_info", "ip_information", "precall_network_information", "events", "quality_stats"]) {
        assert.equal((await ask({ filters })).id, MARK);
      }
    });

    // --- sessions

    test("session", async () => {
      const { data } = await connect().getSessionDetails(WEEKLY, here);
      assert.deepEqual(
        [data.id, data.associated_id, data.meeting_display_name, data.type, data.status, data.organization_id],
        [WEEKLY, WEEKLY_MEETING, "Weekly & plan", "meeting", "ENDED", facts.app],
      );
      assert.deepEqual([data.live_participants, data.max_concurrent_participants, data.minutes_consumed], [0, 3, 13.236]);
      assert.deepEqual([data.started_at, data.ended_at], ["2023-02-01T10:50:30.000Z", "2023-02-01T10:59:30.000Z"]);
    });

    test("session with breakouts", async () => {
      const ask = async (include_breakout_rooms) =>
        (await connect().getSessionDetails(WEEKLY, { ...here, include_breakout_rooms })).data.breakout_rooms ?? [];
      assert.deepEqual(await ask(false), []);
      assert.deepEqual((await ask(true)).map((room) => [room.id, room.meeting_display_name, room.status]), [[BREAKOUT, "Corner", "ENDED"]]);
    });

    test("sessions", async () => {
      const newestFirst = [STANDUP, LECTURE, BREAKOUT, WEEKLY];
      for (const [parameters, found] of [
        [{}, newestFirst],
        [{ sort_by: "createdAt", sort_order: "ASC" }, [...newestFirst].reverse()],
        [{ status: "ENDED", sort_by: "minutesConsumed", sort_order: "ASC" }, [BREAKOUT, WEEKLY, LECTURE]],
        [{ status: "LIVE" }, [STANDUP]],
        [{ associated_id: WEEKLY_MEETING }, [WEEKLY]],
        [{ search: "wEEKLY & P" }, [WEEKLY]],
        [{ participants: "3:10" }, [WEEKLY]],
        [{ start_time: "2023-02-01T10:50:30Z", end_time: "2023-02-01T10:53:00Z" }, [BREAKOUT, WEEKLY]],
        [{ page_no: 2, per_page: 3 }, [WEEKLY]],
      ]) {
        const answer = await connect().getSessions(facts.app, { account_id: facts.account, ...parameters });
        assert.deepEqual(answer.data.sessions.map((session) => session.id), found, JSON.stringify(parameters));
      }
    });

    test("sessions paging", async () => {
      const answer = await connect().getSessions(facts.app, { account_id: facts.account, page_no: 2, per_page: 3 });
      assert.deepEqual(answer.paging, { total_count: 4, start_offset: 4, end_offset: 4 });
    });

    // --- the client's mistakes: the typed error, a body that says what was wrong, and no retry

    const refused = async (errorClass, status, call) => {
      await takeRecords();
      const error = await call().then(
        () => assert.fail(`expected ${status}`),
        (thrown) => thrown,
      );
      assert.ok(error instanceof errorClass, `${error}`);
      assert.equal(error.status, status);
      assert.deepEqual([error.error.success, error.error.error.code], [false, status]);
      assert.ok(error.errors.length > 0 && error.errors.every((each) => Number.isInteger(each.code) && each.message));
      assert.deepEqual((await takeRecords()).map((record) => [record.retry_count, record.status]), [["0", status]]);
      return error.error.error.message;
    };
    const asSomeone = (options) => connect(options).getSessionParticipants(WEEKLY, here);

    test("400", async () => {
      for (const [name, value] of [
        ["per_page", 10001],
        ["per_page", -1],
        ["page_no", 1.5],
        ["sort_by", "name"],
        ["sort_order", "asc"],
        ["view", "cooked"],
        ["include_peer_events", "maybe"],
        ["as_of", "yesterday"],
      ]) {
        const message = await refused(Cloudflare.BadRequestError, 400, () =>
          connect().getSessionParticipants(WEEKLY, { ...here, [name]: value }),
        );
        assert.ok(message.includes(name) && message.includes(String(value)), message);
      }
    });

    test("401", () => refused(Cloudflare.AuthenticationError, 401, () => asSomeone({ apiToken: "no-such-token" })));

    test("403", () => refused(Cloudflare.PermissionDeniedError, 403, () => asSomeone({ apiToken: facts.tokens.ingest })));

    test("404", async () => {
      for (const call of [
        () => connect().getSessionParticipants(UNKNOWN, here),
        () => connect().getSessionParticipants("not-a-uuid", here),
        () => connect().getSessionDetails(UNKNOWN, here),
        () => connect().getSessionParticipantDetails(UNKNOWN, { ...here, session_id: WEEKLY }),
        () => connect().getParticipantDataFromPeerID(UNKNOWN, here),
        () => asSomeone({ apiToken: facts.tokens.other_app }),
        () => asSomeone({ apiToken: facts.tokens.other_account }),
      ]) {
        await refused(Cloudflare.NotFoundError, 404, call);
      }
    });

    test("the proxy would see a retry", async () => {
      await takeRecords();
      await fetch(`${facts.proxy}/proxy/refuse-next/503`);
      assert.deepEqual(await ids(WEEKLY), [HENRY, MARK, ZOE]);
      assert.deepEqual((await takeRecords()).map((record) => [record.retry_count, record.status]), [["0", 503], ["1", 200]]);
    });

    // --- credentials

    test("API key and e-mail", async () => {
      const answer = await asSomeone({ apiEmail: "someone@example.com", apiKey: facts.tokens.admin });
      assert.equal(answer.data.participants.length, 3);
    });

    test("wrong API key", () =>
      refused(Cloudflare.AuthenticationError, 401, () => asSomeone({ apiEmail: "someone@example.com", apiKey: "no-such-token" })));

    test("the realtime permission reads too", () => asSomeone({ apiToken: facts.tokens.realtime }));
  });
}
