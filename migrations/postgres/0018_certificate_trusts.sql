-- Which certificates of our own let a machine in, and tokens that are good with one certificate alone. Its twin is sqlite/0018_certificate_trusts.sql.

CREATE TABLE certificate_trusts (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT certificate_trusts_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    ca_id TEXT COLLATE "C" NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL,
    -- JSON: patterns of the certificates' names, groups, names that may be asked for
    settings TEXT COLLATE "C" NOT NULL,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX certificate_trusts_name ON certificate_trusts (name);

-- SHA-256 of the DER of the client certificate without which the token is good for nothing; NULL: there is none
ALTER TABLE tokens ADD COLUMN bound_sha256 BYTEA CHECK (length(bound_sha256) = 32);
