// What a user would write instead: a table of participants behind fastify. It answers the same page in the same shape, and takes the same
// event; it checks no token, keeps no stays, and takes late or repeated events as they come.
//
//   node server.mjs sqlite FILE | postgres URL     prints the port that it listens on
import Fastify from 'fastify';
import { page as schema } from './shape.mjs';

const [kind, place] = process.argv.slice(2);
const { open } = await import(`./${kind}.mjs`);
const table = await open(place);
const app = Fastify({ logger: false });
app.addContentTypeParser('application/cloudevents+json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));

const list = '/client/v4/accounts/:account/realtime/kit/:app/sessions/:session/participants';
app.get(list, { schema: { response: { 200: schema } } }, async (request, reply) => {
  const { page_no, per_page, sort_by, count, skip } = request.query;
  const page = Math.max(Number(page_no ?? 1), 1);
  const size = Number(per_page ?? 25);
  const asked = { by: sort_by === 'duration' ? 'duration' : 'joined', offset: (page - 1) * size, limit: size, fresh: count === 'fresh', deferred: skip === 'deferred' };
  const found = await table.page(request.params.session, asked);
  if (!found) return reply.code(404).send({ success: false });
  const { participants, total } = found;
  const shown = participants.length;
  const paging = { total_count: total, start_offset: shown ? asked.offset + 1 : 0, end_offset: shown ? asked.offset + shown : 0 };
  return { success: true, data: { participants, paging } };
});

app.post('/v1/accounts/:account/apps/:app/events', async (request) => {
  const accepted = await table.take(request.body);
  return { success: true, data: { accepted, duplicates: 1 - accepted } };
});

// Rows to begin with, as rollbook's list shows them.
app.post('/load/:session', { bodyLimit: 64 << 20 }, async (request) => {
  await table.load(request.params.session, request.body);
  return { loaded: request.body.length };
});

app.post('/loaded', async () => {
  await table.loaded();
  return {};
});

await app.listen({ host: '127.0.0.1', port: 0 });
console.log(app.server.address().port);
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0));
