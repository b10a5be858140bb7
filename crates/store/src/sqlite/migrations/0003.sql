-- Look-ups of peers and of sessions rest in sorted runs, where what is older knows of none: it must not open the ledger. What `links` has of
-- them stays there.

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    -- Those of one level are merged into one of the next.
    level  INTEGER NOT NULL,
    -- 0 while it is being written.
    whole  INTEGER NOT NULL,
    -- The run that takes this one over, null while none does.
    target INTEGER
);

-- A run in its order, cut into pieces of a page. Each has look-ups of one app and one kind.
CREATE TABLE chunks (
    run     INTEGER NOT NULL,
    app     INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    -- The last of the entries.
    last    BLOB NOT NULL,
    -- 33 bytes each, in ascending order: the id, the kind and the id of the stream.
    entries BLOB NOT NULL,
    UNIQUE (run, app, kind, last)
);
