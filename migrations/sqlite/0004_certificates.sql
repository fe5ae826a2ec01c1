-- Managed certificates: the resource, its versions, and what was tried to renew it. Twin: postgres/0004_certificates.sql.

CREATE TABLE certificates (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('INTERNAL', 'CSR', 'IMPORTED')),
    created_at INTEGER NOT NULL,
    -- mutable; ca_id repeats the wish's, for look-ups
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'DISABLED', 'PENDING_DELETION', 'DELETED')),
    state_before_deletion TEXT CHECK (state_before_deletion IN ('ACTIVE', 'DISABLED')),
    ca_id TEXT REFERENCES certificate_authorities (id),
    wish TEXT,
    renewal_interval INTEGER,
    renewal_advance INTEGER,
    renewal_automatic INTEGER NOT NULL CHECK (renewal_automatic IN (0, 1)),
    renewal_key TEXT NOT NULL CHECK (renewal_key IN ('NEW', 'SAME')),
    exportable INTEGER NOT NULL CHECK (exportable IN (0, 1)),
    current_version INTEGER,
    previous_version INTEGER,
    latest_version INTEGER NOT NULL,
    next_attempt_at INTEGER,
    overdue_at INTEGER,
    failures INTEGER NOT NULL,
    deletion_at INTEGER,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX certificates_name ON certificates (name) WHERE state <> 'DELETED';
CREATE INDEX certificates_order ON certificates (name, id);
CREATE INDEX certificates_by_ca ON certificates (ca_id, name, id);
CREATE INDEX certificates_due ON certificates (next_attempt_at, id) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX certificates_overdue ON certificates (overdue_at, id) WHERE overdue_at IS NOT NULL;
CREATE INDEX certificates_deletion ON certificates (deletion_at) WHERE state = 'PENDING_DELETION';

-- Everything is immutable. The revocation of a certificate that we signed stands in the inventory alone.
CREATE TABLE certificate_versions (
    certificate_id TEXT NOT NULL REFERENCES certificates (id),
    number INTEGER NOT NULL,
    version_name TEXT,
    key_id TEXT REFERENCES keys (id),
    key_version INTEGER,
    csr BLOB,
    issued_id TEXT,
    certificate BLOB NOT NULL,
    chain TEXT NOT NULL,
    serial BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    spki_sha256 BLOB NOT NULL,
    subject TEXT NOT NULL,
    names TEXT NOT NULL,
    key_algorithm TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    exportable INTEGER NOT NULL CHECK (exportable IN (0, 1)),
    reason TEXT NOT NULL CHECK (reason IN ('CREATED', 'WISH_CHANGED', 'RENEWAL_DUE', 'REQUESTED', 'IMPORTED')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (certificate_id, number)
) STRICT;
CREATE UNIQUE INDEX certificate_versions_version_name ON certificate_versions (certificate_id, version_name)
    WHERE version_name IS NOT NULL;
CREATE INDEX certificate_versions_issued ON certificate_versions (issued_id) WHERE issued_id IS NOT NULL;
CREATE INDEX certificate_versions_key ON certificate_versions (key_id, key_version) WHERE key_id IS NOT NULL;

-- What was tried, for those who ask why; also for CAs. No foreign key: the rows outlive nothing, they are aged out.
CREATE TABLE renewal_attempts (
    id TEXT NOT NULL PRIMARY KEY,
    subject_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('RENEWED', 'FAILED')),
    version INTEGER,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX renewal_attempts_by_subject ON renewal_attempts (subject_id, id);
CREATE INDEX renewal_attempts_age ON renewal_attempts (at, id);

-- Public keys whose private keys are known to others: no certificate may carry them again. Rows are only ever added; the
-- epoch says what a node has not seen yet.
CREATE TABLE compromised_keys (
    spki_sha256 BLOB NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX compromised_keys_epoch ON compromised_keys (epoch);

-- CAs renew by rule. renewal_key is NULL where there is no rule.
ALTER TABLE certificate_authorities ADD COLUMN renewal_key TEXT CHECK (renewal_key IN ('SAME', 'ROTATE'));
ALTER TABLE certificate_authorities ADD COLUMN renewal_advance INTEGER;
ALTER TABLE certificate_authorities ADD COLUMN renewal_activation INTEGER;
ALTER TABLE certificate_authorities ADD COLUMN next_renewal_at INTEGER;
ALTER TABLE certificate_authorities ADD COLUMN renewal_failures INTEGER NOT NULL DEFAULT 0;
CREATE INDEX certificate_authorities_renewal ON certificate_authorities (next_renewal_at) WHERE next_renewal_at IS NOT NULL;
