-- Publication elsewhere. Twin: postgres/0010_publication.sql.

-- JSON; NULL: the CA publishes nothing elsewhere.
ALTER TABLE certificate_authorities ADD COLUMN publication TEXT;

-- What CAs published before, under names and URLs that certificates of those days carry. Everything is immutable.
CREATE TABLE past_publications (
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    -- the CA's revision until which it was in force
    number INTEGER NOT NULL,
    publication TEXT NOT NULL,
    -- the last certificate that may name it is expired by then
    retires_at INTEGER NOT NULL,
    PRIMARY KEY (ca_id, number)
) STRICT;

-- Objects of targets: what is there, and how writing goes.
CREATE TABLE published_objects (
    -- immutable
    target TEXT NOT NULL,
    object_name TEXT NOT NULL,
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    ca_version INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('LIST', 'DELTA', 'ISSUER')),
    shards INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    -- mutable; content: id of the list, or fingerprint of the certificate; NULL: not known
    content TEXT,
    number INTEGER,
    published_at INTEGER,
    failures INTEGER NOT NULL,
    last_attempt_at INTEGER,
    last_error TEXT,
    next_attempt_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (target, object_name)
) STRICT;
CREATE INDEX published_objects_ca ON published_objects (ca_id, ca_version, shards, shard, kind);
