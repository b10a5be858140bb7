// better-sqlite3: one file, WAL, every commit synced.
import Database from 'better-sqlite3';

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cache_size = -262144;
  PRAGMA mmap_size = 1073741824;
  CREATE TABLE IF NOT EXISTS sessions (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS participants (
    session INTEGER NOT NULL, id TEXT NOT NULL, user_id TEXT, custom_participant_id TEXT, display_name TEXT, preset_name TEXT,
    joined_at TEXT NOT NULL, left_at TEXT, duration REAL NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    PRIMARY KEY (session, id)
  );
  CREATE INDEX IF NOT EXISTS by_joined ON participants (session, joined_at, id);
  CREATE INDEX IF NOT EXISTS by_duration ON participants (session, duration, id);
  CREATE TABLE IF NOT EXISTS events (source TEXT NOT NULL, id TEXT NOT NULL, session INTEGER NOT NULL, type TEXT NOT NULL, time TEXT NOT NULL,
    data TEXT NOT NULL, PRIMARY KEY (session, source, id)) WITHOUT ROWID;
`;
const COLUMNS = 'id, user_id, custom_participant_id, display_name, preset_name, joined_at, left_at, duration, created_at, updated_at';

export function open(file) {
  const db = new Database(file);
  db.exec(SCHEMA);
  const by = (key) => db.prepare(`SELECT ${COLUMNS} FROM participants WHERE session = ? ORDER BY ${key}, id LIMIT ? OFFSET ?`);
  const pages = { joined: by('joined_at'), duration: by('duration') };
  const counted = db.prepare('SELECT count(*) FROM participants WHERE session = ?').pluck();
  const known = db.prepare('SELECT no FROM sessions WHERE id = ?').pluck();
  const named = db.prepare('INSERT INTO sessions (id) VALUES (?) ON CONFLICT (id) DO UPDATE SET id = id RETURNING no').pluck();
  const load = db.prepare(`INSERT INTO participants (session, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const told = db.prepare('INSERT INTO events (session, source, id, type, time, data) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const came = db.prepare(`INSERT INTO participants (session, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 0, ?, ?)
    ON CONFLICT (session, id) DO UPDATE SET left_at = NULL, updated_at = excluded.updated_at`);
  const sessions = new Map();
  const counts = new Map();

  function number(id) {
    if (!sessions.has(id)) sessions.set(id, named.get(id));
    return sessions.get(id);
  }

  function total(no, fresh) {
    if (fresh || !counts.has(no)) counts.set(no, counted.get(no));
    return counts.get(no);
  }

  const take = db.transaction(({ source, id, type, time, data: { session, peer } }) => {
    const no = number(session.key);
    const { changes } = told.run(no, source, id, type, time, JSON.stringify(peer));
    if (changes) came.run(no, peer.key, peer.user_id, peer.custom_participant_id, peer.display_name, peer.preset_name, time, time, time);
    return changes;
  });

  return {
    page(session, { by, offset, limit, fresh }) {
      const no = known.get(session);
      return no && { participants: pages[by].all(no, limit, offset), total: total(no, fresh) };
    },
    take,
    load: db.transaction((session, rows) => {
      const no = number(session);
      for (const row of rows) load.run(no, ...Object.values(row));
    }),
    loaded: () => db.exec('ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)'),
  };
}
