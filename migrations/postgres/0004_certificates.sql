-- Managed certificates: the resource, its versions, and what was tried to renew it. Twin: sqlite/0004_certificates.sql.

CREATE TABLE certificates (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT certificates_id PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('INTERNAL', 'CSR', 'IMPORTED')),
    created_at BIGINT NOT NULL,
    -- mutable; ca_id repeats the wish's, for look-ups
    name TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('ACTIVE', 'DISABLED', 'PENDING_DELETION', 'DELETED')),
    state_before_deletion TEXT COLLATE "C" CHECK (state_before_deletion IN ('ACTIVE', 'DISABLED')),
    ca_id TEXT COLLATE "C" REFERENCES certificate_authorities (id),
    wish TEXT COLLATE "C",
    renewal_interval BIGINT,
    renewal_advance BIGINT,
    renewal_automatic BIGINT NOT NULL CHECK (renewal_automatic IN (0, 1)),
    renewal_key TEXT COLLATE "C" NOT NULL CHECK (renewal_key IN ('NEW', 'SAME')),
    exportable BIGINT NOT NULL CHECK (exportable IN (0, 1)),
    current_version BIGINT,
    previous_version BIGINT,
    latest_version BIGINT NOT NULL,
    next_attempt_at BIGINT,
    overdue_at BIGINT,
    failures BIGINT NOT NULL,
    deletion_at BIGINT,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX certificates_name ON certificates (name) WHERE state <> 'DELETED';
CREATE INDEX certificates_order ON certificates (name, id);
CREATE INDEX certificates_by_ca ON certificates (ca_id, name, id);
CREATE INDEX certificates_due ON certificates (next_attempt_at, id) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX certificates_overdue ON certificates (overdue_at, id) WHERE overdue_at IS NOT NULL;
CREATE INDEX certificates_deletion ON certificates (deletion_at) WHERE state = 'PENDING_DELETION';

-- Everything is immutable. The revocation of a certificate that we signed stands in the inventory alone.
CREATE TABLE certificate_versions (
    certificate_id TEXT COLLATE "C" NOT NULL REFERENCES certificates (id),
    number BIGINT NOT NULL,
    version_name TEXT COLLATE "C",
    key_id TEXT COLLATE "C" REFERENCES keys (id),
    key_version BIGINT,
    csr BYTEA,
    issued_id TEXT COLLATE "C",
    certificate BYTEA NOT NULL,
    chain TEXT COLLATE "C" NOT NULL,
    serial BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL,
    spki_sha256 BYTEA NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    names TEXT COLLATE "C" NOT NULL,
    key_algorithm TEXT COLLATE "C" NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    exportable BIGINT NOT NULL CHECK (exportable IN (0, 1)),
    reason TEXT COLLATE "C" NOT NULL CHECK (reason IN ('CREATED', 'WISH_CHANGED', 'RENEWAL_DUE', 'REQUESTED', 'IMPORTED')),
    created_at BIGINT NOT NULL,
    CONSTRAINT certificate_versions_number PRIMARY KEY (certificate_id, number)
);
CREATE UNIQUE INDEX certificate_versions_version_name ON certificate_versions (certificate_id, version_name)
    WHERE version_name IS NOT NULL;
CREATE INDEX certificate_versions_issued ON certificate_versions (issued_id) WHERE issued_id IS NOT NULL;
CREATE INDEX certificate_versions_key ON certificate_versions (key_id, key_version) WHERE key_id IS NOT NULL;

-- What was tried, for those who ask why; also for CAs. No foreign key: the rows outlive nothing, they are aged out.
CREATE TABLE renewal_attempts (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT renewal_attempts_id PRIMARY KEY,
    subject_id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('RENEWED', 'FAILED')),
    version BIGINT,
    reason TEXT COLLATE "C" NOT NULL
);
CREATE INDEX renewal_attempts_by_subject ON renewal_attempts (subject_id, id);
CREATE INDEX renewal_attempts_age ON renewal_attempts (at, id);

-- Public keys whose private keys are known to others: no certificate may carry them again. Rows are only ever added; the
-- epoch says what a node has not seen yet.
CREATE TABLE compromised_keys (
    spki_sha256 BYTEA NOT NULL CONSTRAINT compromised_keys_spki_sha256 PRIMARY KEY,
    epoch BIGINT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX compromised_keys_epoch ON compromised_keys (epoch);

-- CAs renew by rule. renewal_key is NULL where there is no rule.
ALTER TABLE certificate_authorities ADD COLUMN renewal_key TEXT COLLATE "C" CHECK (renewal_key IN ('SAME', 'ROTATE'));
ALTER TABLE certificate_authorities ADD COLUMN renewal_advance BIGINT;
ALTER TABLE certificate_authorities ADD COLUMN renewal_activation BIGINT;
ALTER TABLE certificate_authorities ADD COLUMN next_renewal_at BIGINT;
ALTER TABLE certificate_authorities ADD COLUMN renewal_failures BIGINT NOT NULL DEFAULT 0;
CREATE INDEX certificate_authorities_renewal ON certificate_authorities (next_renewal_at) WHERE next_renewal_at IS NOT NULL;
