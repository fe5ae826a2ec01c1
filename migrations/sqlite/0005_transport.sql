-- CAs that were brought along and may be taken away, and certificates of others. Twin: postgres/0005_transport.sql.

ALTER TABLE certificate_authorities ADD COLUMN exportable INTEGER NOT NULL DEFAULT 0 CHECK (exportable IN (0, 1));
ALTER TABLE certificate_authorities ADD COLUMN crl_number INTEGER;

-- Serials that a CA gave away before it came here. Everything is immutable.
CREATE TABLE ca_known_serials (
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    serial BLOB NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    revocation_reason TEXT,
    PRIMARY KEY (ca_id, serial)
) STRICT, WITHOUT ROWID;

-- Named sets of foreign certificates, for those who must trust them.
CREATE TABLE ca_bundles (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    -- mutable
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    certificates TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX ca_bundles_name ON ca_bundles (name);
CREATE INDEX ca_bundles_order ON ca_bundles (name, id);
