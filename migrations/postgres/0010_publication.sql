-- Publication elsewhere. Twin: sqlite/0010_publication.sql.

-- JSON; NULL: the CA publishes nothing elsewhere.
ALTER TABLE certificate_authorities ADD COLUMN publication TEXT COLLATE "C";

-- What CAs published before, under names and URLs that certificates of those days carry. Everything is immutable.
CREATE TABLE past_publications (
    ca_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_authorities (id),
    -- the CA's revision until which it was in force
    number BIGINT NOT NULL,
    publication TEXT COLLATE "C" NOT NULL,
    -- the last certificate that may name it is expired by then
    retires_at BIGINT NOT NULL,
    CONSTRAINT past_publications_number PRIMARY KEY (ca_id, number)
);

-- Objects of targets: what is there, and how writing goes.
CREATE TABLE published_objects (
    -- immutable
    target TEXT COLLATE "C" NOT NULL,
    object_name TEXT COLLATE "C" NOT NULL,
    ca_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_authorities (id),
    ca_version BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('LIST', 'DELTA', 'ISSUER')),
    shards BIGINT NOT NULL,
    shard BIGINT NOT NULL,
    -- mutable; content: id of the list, or fingerprint of the certificate; NULL: not known
    content TEXT COLLATE "C",
    number BIGINT,
    published_at BIGINT,
    failures BIGINT NOT NULL,
    last_attempt_at BIGINT,
    last_error TEXT COLLATE "C",
    next_attempt_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT published_objects_object_name PRIMARY KEY (target, object_name)
);
CREATE INDEX published_objects_ca ON published_objects (ca_id, ca_version, shards, shard, kind);
