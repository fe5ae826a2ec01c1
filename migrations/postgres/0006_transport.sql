-- CAs that were brought along and may be taken away. Twin: sqlite/0006_transport.sql.

ALTER TABLE certificate_authorities ADD COLUMN exportable BIGINT NOT NULL DEFAULT 0 CHECK (exportable IN (0, 1));
ALTER TABLE certificate_authorities ADD COLUMN crl_number BIGINT;

-- Serials that a CA gave away before it came here. Everything is immutable.
CREATE TABLE ca_known_serials (
    ca_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_authorities (id),
    serial BYTEA NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    revocation_reason TEXT COLLATE "C",
    CONSTRAINT ca_known_serials_serial PRIMARY KEY (ca_id, serial)
);
