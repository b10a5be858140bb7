-- UUIDs are 16-byte blobs, times are microseconds since 1970 (UTC), kinds are the numbers of `StreamKind` and `LinkKind`.

CREATE TABLE apps (
    number  INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    app     TEXT NOT NULL,
    UNIQUE (account, app)
);

-- A rowid table: batches land one after the other at the end of the file, and only the small key is written where it sorts.
CREATE TABLE journal (
    app         INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    stream      BLOB NOT NULL,
    seq         INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    batch       BLOB NOT NULL,
    UNIQUE (app, kind, stream, seq)
);

CREATE TABLE links (
    app     INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    from_id BLOB NOT NULL,
    to_kind INTEGER NOT NULL,
    to_id   BLOB NOT NULL,
    PRIMARY KEY (app, kind, from_id, to_kind, to_id)
) WITHOUT ROWID;

-- How each session's and meeting's stream stands towards the catalog. `last_change` is the greatest of its records', null without records.
CREATE TABLE standings (
    app         INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    stream      BLOB NOT NULL,
    unsettled   INTEGER NOT NULL,
    last_change INTEGER,
    PRIMARY KEY (app, kind, stream)
) WITHOUT ROWID;

CREATE INDEX standings_unsettled ON standings (app, kind, stream) WHERE unsettled = 1;
-- Settled once and changed since: the records that the list must leave out. Nearly always empty, so that looking there costs little.
CREATE INDEX standings_hidden ON standings (app, kind, stream) WHERE unsettled = 1 AND last_change IS NOT NULL;
-- What a source's life-cycle may change is at the end of this one, however many sessions the source ever had.
CREATE INDEX standings_settled ON standings (app, last_change) WHERE unsettled = 0;

CREATE TABLE sessions (
    app            INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    stream         BLOB NOT NULL,
    id             BLOB NOT NULL,
    meeting        BLOB,
    started_at     INTEGER NOT NULL,
    last_change_at INTEGER NOT NULL,
    consumed       INTEGER NOT NULL,
    participants   INTEGER NOT NULL,
    folded_title   TEXT NOT NULL,
    summary        BLOB NOT NULL,
    UNIQUE (app, kind, stream, id)
);

-- Each has all that the list filters and sorts by: counting, sorting and skipping never touch the records themselves.
CREATE INDEX sessions_by_start ON sessions (app, started_at, id, kind, stream, consumed, participants, meeting, folded_title);
CREATE INDEX sessions_by_consumed ON sessions (app, consumed, id, kind, stream, started_at, participants, meeting, folded_title);
CREATE INDEX sessions_by_meeting ON sessions (app, meeting, started_at) WHERE meeting IS NOT NULL;

CREATE TABLE kept (
    number      INTEGER PRIMARY KEY,
    app         INTEGER NOT NULL,
    digest      BLOB NOT NULL,
    engine      TEXT NOT NULL,
    body        BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (app, digest)
);

CREATE TABLE probe (
    number INTEGER PRIMARY KEY,
    writes INTEGER NOT NULL
);
INSERT INTO probe VALUES (1, 0);
