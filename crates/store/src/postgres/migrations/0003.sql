-- Meeting engines that were added by command, for every node of the ledger. What the caller keeps of one has no secret in the clear.
CREATE TABLE engines (
    account text COLLATE "C" NOT NULL,
    app     text COLLATE "C" NOT NULL,
    engine  text COLLATE "C" NOT NULL,
    number  bigint GENERATED ALWAYS AS IDENTITY,
    record  text NOT NULL,
    PRIMARY KEY (account, app, engine)
);

-- Drawn anew at each change, as that of the tokens is.
CREATE TABLE engines_version (
    one     boolean PRIMARY KEY CHECK (one),
    version uuid NOT NULL
);
INSERT INTO engines_version VALUES (true, gen_random_uuid());
