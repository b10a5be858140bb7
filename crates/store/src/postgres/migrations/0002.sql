-- Access tokens, for every node of the ledger: an id to revoke one by, the SHA-256 of the token, and what the caller keeps with it.
CREATE TABLE tokens (
    digest bytea PRIMARY KEY,
    id     text COLLATE "C" NOT NULL UNIQUE,
    number bigint GENERATED ALWAYS AS IDENTITY,
    record text NOT NULL
);

-- Drawn anew at each change. A counter would come to the same number by another way where a backup was put back.
CREATE TABLE tokens_version (
    one     boolean PRIMARY KEY CHECK (one),
    version uuid NOT NULL
);
INSERT INTO tokens_version VALUES (true, gen_random_uuid());

-- Which ledger this is: what a node keeps on its own disk is kept for this one.
CREATE TABLE ledger (
    one boolean PRIMARY KEY CHECK (one),
    id  uuid NOT NULL
);
INSERT INTO ledger VALUES (true, gen_random_uuid());
