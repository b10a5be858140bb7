// pg: a pool, prepared statements, one round trip a request.
import pg from 'pg';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS sessions (no int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS participants (
    session int NOT NULL, id text COLLATE "C" NOT NULL, user_id text, custom_participant_id text, display_name text, preset_name text,
    joined_at timestamptz NOT NULL, left_at timestamptz, duration float8 NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    PRIMARY KEY (session, id)
  );
  CREATE INDEX IF NOT EXISTS by_joined ON participants (session, joined_at, id);
  CREATE INDEX IF NOT EXISTS by_duration ON participants (session, duration, id);
  CREATE TABLE IF NOT EXISTS events (session int NOT NULL, source text NOT NULL, id text NOT NULL, type text NOT NULL, time timestamptz NOT NULL,
    data jsonb NOT NULL, PRIMARY KEY (session, source, id));
`;
const FIELDS = ['id', 'user_id', 'custom_participant_id', 'display_name', 'preset_name', 'joined_at', 'left_at', 'duration', 'created_at', 'updated_at'];
const COLUMNS = FIELDS.join(', ');
const KEYS = { joined: 'joined_at', duration: 'duration' };

// As the database writes it, in the form of the answer: cheaper than a Date for each.
function shown(time) {
  const clock = time.slice(11, -3);
  return `${time.slice(0, 10)}T${clock.length === 8 ? `${clock}.000` : clock.padEnd(12, '0').slice(0, 12)}Z`;
}
pg.types.setTypeParser(1184, shown);

export async function open(url) {
  const pool = new pg.Pool({ connectionString: url, max: 16, options: '-c timezone=UTC' });
  await pool.query(SCHEMA);
  const run = async (name, text, values) => (await pool.query({ name, text, values })).rows;
  const sessions = new Map();
  const counts = new Map();

  async function number(id, add) {
    if (!sessions.has(id)) {
      if (add) await run('named', 'INSERT INTO sessions (id) VALUES ($1) ON CONFLICT DO NOTHING', [id]);
      const [found] = await run('known', 'SELECT no FROM sessions WHERE id = $1', [id]);
      if (found) sessions.set(id, found.no);
    }
    return sessions.get(id);
  }

  async function total(no, fresh) {
    if (fresh || !counts.has(no)) {
      const [{ count }] = await run('count', 'SELECT count(*)::int FROM participants WHERE session = $1', [no]);
      counts.set(no, count);
    }
    return counts.get(no);
  }

  const plain = (key) => `SELECT ${COLUMNS} FROM participants WHERE session = $1 ORDER BY ${key}, id LIMIT $2 OFFSET $3`;
  // What is passed over is passed over in the index alone.
  const deferred = (key) => `SELECT ${COLUMNS} FROM participants JOIN
    (SELECT id FROM participants WHERE session = $1 ORDER BY ${key}, id LIMIT $2 OFFSET $3) AS slice USING (id) WHERE session = $1 ORDER BY ${key}, id`;
  const TAKE = `WITH told AS (INSERT INTO events VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1),
    came AS (INSERT INTO participants (session, ${COLUMNS}) SELECT $1, $7, $8, $9, $10, $11, $5, NULL, 0, $5, $5 FROM told
      ON CONFLICT (session, id) DO UPDATE SET left_at = NULL, updated_at = excluded.updated_at)
    SELECT count(*)::int AS accepted FROM told`;

  return {
    async page(session, { by, offset, limit, fresh, deferred: skip }) {
      const no = await number(session, false);
      if (no === undefined) return undefined;
      const text = (skip ? deferred : plain)(KEYS[by]);
      const rows = run(`${by}-${skip}`, text, [no, limit, offset]);
      return { participants: await rows, total: await total(no, fresh) };
    },
    async take({ source, id, type, time, data: { session, peer } }) {
      const no = await number(session.key, true);
      const person = [peer.key, peer.user_id, peer.custom_participant_id, peer.display_name, peer.preset_name];
      const [{ accepted }] = await run('take', TAKE, [no, source, id, type, time, JSON.stringify(peer), ...person]);
      return accepted;
    },
    async load(session, rows) {
      const no = await number(session, true);
      await pool.query(`INSERT INTO participants SELECT $1, r.* FROM json_populate_recordset(NULL::participants, $2) AS p,
        LATERAL (SELECT ${FIELDS.map((field) => `p.${field}`).join(', ')}) AS r`, [no, JSON.stringify(rows)]);
    },
    loaded: () => pool.query('VACUUM ANALYZE').then(() => pool.query('CHECKPOINT')),
  };
}
