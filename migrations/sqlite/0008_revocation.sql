-- Revocation lists. Twin: postgres/0008_revocation.sql.

ALTER TABLE certificate_authorities ADD COLUMN crl_interval INTEGER NOT NULL DEFAULT 5000;
ALTER TABLE certificate_authorities ADD COLUMN crl_shards INTEGER NOT NULL DEFAULT 1;
-- NULL: no delta lists.
ALTER TABLE certificate_authorities ADD COLUMN delta_lifetime INTEGER;
ALTER TABLE certificate_authorities ADD COLUMN delta_interval INTEGER NOT NULL DEFAULT 5000;
ALTER TABLE certificate_authorities ADD COLUMN hold_enabled INTEGER NOT NULL DEFAULT 0 CHECK (hold_enabled IN (0, 1));

-- When it is to be told that the version nears its end; NULL: it was told, or there is no certificate yet.
ALTER TABLE ca_versions ADD COLUMN expiry_warning_at INTEGER;
UPDATE ca_versions SET expiry_warning_at = not_after - MIN((not_after - not_before) / 3, 7776000000)
    WHERE not_after IS NOT NULL;
CREATE INDEX ca_versions_expiry_warning ON ca_versions (expiry_warning_at) WHERE expiry_warning_at IS NOT NULL;

-- Certificates with the same key, when it is compromised.
CREATE INDEX issued_certificates_by_key ON issued_certificates (spki_sha256);

-- What revocation lists carry, narrow, in the order in which lists are written. place: the last two bytes of the serial;
-- lists are cut into shards by it. change: the CA's counter when the row was written last.
CREATE TABLE revocations (
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    place INTEGER NOT NULL,
    serial BLOB NOT NULL,
    -- of the certificate; NULL: not known, the entry stays for ever
    expires_at INTEGER,
    revoked_at INTEGER NOT NULL,
    revocation_reason TEXT NOT NULL,
    -- taken off hold: full lists leave it out, the next delta lists tell
    released INTEGER NOT NULL CHECK (released IN (0, 1)),
    change INTEGER NOT NULL,
    PRIMARY KEY (ca_id, place, serial)
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_changes ON revocations (ca_id, change);
CREATE INDEX revocations_released ON revocations (ca_id, change) WHERE released = 1;
CREATE INDEX revocations_expiry ON revocations (expires_at) WHERE expires_at IS NOT NULL;

-- change: revocations of the CA so far; number: of its newest list.
CREATE TABLE crl_counters (
    ca_id TEXT NOT NULL PRIMARY KEY REFERENCES certificate_authorities (id),
    change INTEGER NOT NULL,
    number INTEGER NOT NULL
) STRICT;

-- Into how many shards a CA's lists were ever cut: certificates name the shard of their day.
CREATE TABLE crl_partitions (
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    shards INTEGER NOT NULL,
    -- NULL: certificates made today name it; otherwise the last of those that do is expired by then
    retires_at INTEGER,
    PRIMARY KEY (ca_id, shards)
) STRICT, WITHOUT ROWID;
INSERT INTO crl_partitions (ca_id, shards, retires_at) SELECT id, 1, NULL FROM certificate_authorities;

-- The lists that a CA's version publishes.
CREATE TABLE crl_series (
    -- immutable
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    ca_version INTEGER NOT NULL,
    shards INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('FULL', 'DELTA')),
    -- mutable; crl_id NULL: none was published yet; due_at NULL: no further one is made here
    crl_id TEXT,
    due_at INTEGER,
    earliest_at INTEGER NOT NULL,
    overdue_at INTEGER,
    failures INTEGER NOT NULL,
    last_attempt_at INTEGER,
    last_error TEXT,
    PRIMARY KEY (ca_id, ca_version, shards, shard, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX crl_series_due ON crl_series (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX crl_series_overdue ON crl_series (overdue_at) WHERE overdue_at IS NOT NULL;
CREATE UNIQUE INDEX crl_series_crl_id ON crl_series (crl_id);

-- Lists. Immutable but for published_at, which is written once.
CREATE TABLE crls (
    id TEXT NOT NULL PRIMARY KEY,
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    ca_version INTEGER NOT NULL,
    shards INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('FULL', 'DELTA')),
    -- NULL: an uploaded list without a number, or with one that is too large
    number INTEGER,
    base_number INTEGER,
    change INTEGER NOT NULL,
    uploaded INTEGER NOT NULL CHECK (uploaded IN (0, 1)),
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    published_at INTEGER
) STRICT;
CREATE UNIQUE INDEX crls_number ON crls (number, ca_id, ca_version, shards, shard, kind) WHERE published_at IS NOT NULL;
CREATE INDEX crls_age ON crls (created_at, id);

CREATE TABLE crl_chunks (
    crl_id TEXT NOT NULL REFERENCES crls (id),
    position INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (crl_id, position)
) STRICT;

-- What was revoked before there were lists.
INSERT INTO revocations (ca_id, place, serial, expires_at, revoked_at, revocation_reason, released, change)
    SELECT ca_id,
        (instr('0123456789ABCDEF', substr('0000' || hex(serial), -4, 1)) - 1) * 4096
        + (instr('0123456789ABCDEF', substr('0000' || hex(serial), -3, 1)) - 1) * 256
        + (instr('0123456789ABCDEF', substr('0000' || hex(serial), -2, 1)) - 1) * 16
        + instr('0123456789ABCDEF', substr('0000' || hex(serial), -1, 1)) - 1,
        serial, expires_at, revoked_at, revocation_reason, 0, 1
    FROM (
        SELECT ca_id, serial, not_after AS expires_at, revoked_at, revocation_reason FROM issued_certificates
            WHERE revoked_at IS NOT NULL
        UNION ALL
        SELECT ca_id, serial, expires_at, revoked_at, revocation_reason FROM ca_known_serials k
            WHERE revoked_at IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM issued_certificates i WHERE i.serial = k.serial AND i.ca_id = k.ca_id
                AND i.revoked_at IS NOT NULL)
    ) AS revoked;
INSERT INTO crl_counters (ca_id, change, number) SELECT id, 1, COALESCE(crl_number, 0) FROM certificate_authorities;
