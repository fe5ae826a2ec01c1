-- CAs that were brought along and may be taken away. Twin: postgres/0006_transport.sql.

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
