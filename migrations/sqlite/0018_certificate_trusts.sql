-- Which certificates of our own let a machine in, and tokens that are good with one certificate alone. Its twin is postgres/0018_certificate_trusts.sql.

CREATE TABLE certificate_trusts (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    ca_id TEXT NOT NULL,
    -- mutable
    name TEXT NOT NULL,
    -- JSON: patterns of the certificates' names, groups, names that may be asked for
    settings TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX certificate_trusts_name ON certificate_trusts (name);

-- SHA-256 of the DER of the client certificate without which the token is good for nothing; NULL: there is none
ALTER TABLE tokens ADD COLUMN bound_sha256 BLOB CHECK (length(bound_sha256) = 32);
