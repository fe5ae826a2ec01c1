-- CAs that were brought along and may be taken away, and certificates of others. Twin: sqlite/0005_transport.sql.

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

-- Named sets of foreign certificates, for those who must trust them.
CREATE TABLE ca_bundles (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT ca_bundles_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    certificates TEXT COLLATE "C" NOT NULL,
    changed_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX ca_bundles_name ON ca_bundles (name);
CREATE INDEX ca_bundles_order ON ca_bundles (name, id);
