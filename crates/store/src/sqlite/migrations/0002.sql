-- From here on batches may have version 2: what reads only version 1 must not open the ledger.

-- Look-ups from ids that nobody chose, of peers and of sessions, each of which has a place of its own in the large tree of `links`. They are
-- written here one after the other, a row for each entry of a commit, and move there later, many at a time and in order.
CREATE TABLE fresh (
    number  INTEGER PRIMARY KEY,
    app     INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    to_kind INTEGER NOT NULL,
    to_id   BLOB NOT NULL,
    -- 16 bytes each.
    ids     BLOB NOT NULL
);
