-- Times are microseconds since 1970 (UTC), kinds are the numbers of `StreamKind` and `LinkKind`. Account, app and stream lead every key,
-- so that a sharded PostgreSQL can split each table. Text that may hold any character is bytea: PostgreSQL's text refuses U+0000.

CREATE TABLE journal (
    account     text COLLATE "C" NOT NULL,
    app         text COLLATE "C" NOT NULL,
    kind        smallint NOT NULL,
    stream      uuid NOT NULL,
    seq         bigint NOT NULL,
    received_at bigint NOT NULL,
    batch       bytea NOT NULL,
    PRIMARY KEY (account, app, kind, stream, seq)
) PARTITION BY HASH (stream);

-- A statement locks each part and its index. This few stay within what PostgreSQL locks without its shared table.
CREATE TABLE journal_0 PARTITION OF journal FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE journal_2 PARTITION OF journal FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE journal_3 PARTITION OF journal FOR VALUES WITH (MODULUS 4, REMAINDER 3);

-- One entry a stream, however many batches it has.
CREATE INDEX journal_streams ON journal (account, app, kind, stream) WHERE seq = 1;

CREATE TABLE links (
    account text COLLATE "C" NOT NULL,
    app     text COLLATE "C" NOT NULL,
    kind    smallint NOT NULL,
    from_id uuid NOT NULL,
    to_kind smallint NOT NULL,
    to_id   uuid NOT NULL,
    PRIMARY KEY (account, app, kind, from_id, to_kind, to_id)
);

-- How each session's and meeting's stream stands towards the catalog. `last_change` is the greatest of its records', null without records.
CREATE TABLE standings (
    account     text COLLATE "C" NOT NULL,
    app         text COLLATE "C" NOT NULL,
    kind        smallint NOT NULL,
    stream      uuid NOT NULL,
    unsettled   boolean NOT NULL,
    last_change bigint,
    PRIMARY KEY (account, app, kind, stream)
);

CREATE INDEX standings_unsettled ON standings (account, app, kind, stream) WHERE unsettled;
-- Settled once and changed since: the records that the list must leave out. Nearly always empty, so that looking there costs little.
CREATE INDEX standings_hidden ON standings (account, app, kind, stream) WHERE unsettled AND last_change IS NOT NULL;
-- What a source's life-cycle may change is at the end of this one, however many sessions the source ever had.
CREATE INDEX standings_settled ON standings (account, app, last_change) WHERE NOT unsettled;

CREATE TABLE sessions (
    account        text COLLATE "C" NOT NULL,
    app            text COLLATE "C" NOT NULL,
    kind           smallint NOT NULL,
    stream         uuid NOT NULL,
    id             uuid NOT NULL,
    meeting        uuid,
    started_at     bigint NOT NULL,
    last_change_at bigint NOT NULL,
    consumed       bigint NOT NULL,
    participants   bigint NOT NULL,
    folded_title   bytea NOT NULL,
    summary        bytea NOT NULL,
    PRIMARY KEY (account, app, kind, stream, id)
);

-- The title is in none of them: an index's rows have a bound that a title has not.
CREATE INDEX sessions_by_start ON sessions (account, app, started_at, id, kind, stream);
CREATE INDEX sessions_by_consumed ON sessions (account, app, consumed, id, kind, stream);
CREATE INDEX sessions_by_meeting ON sessions (account, app, meeting, started_at) WHERE meeting IS NOT NULL;

CREATE TABLE kept (
    account     text COLLATE "C" NOT NULL,
    app         text COLLATE "C" NOT NULL,
    digest      bytea NOT NULL,
    number      bigint GENERATED ALWAYS AS IDENTITY,
    engine      bytea NOT NULL,
    body        bytea NOT NULL,
    received_at bigint NOT NULL,
    PRIMARY KEY (account, app, digest)
);

CREATE INDEX kept_in_order ON kept (account, app, number);

CREATE TABLE probe (
    number integer PRIMARY KEY,
    writes bigint NOT NULL
);
INSERT INTO probe VALUES (1, 0);
