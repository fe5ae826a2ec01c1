-- The first schema. Its twin is postgres/0001_initial.sql; a test compares tables, columns and nullability.
--
-- Conventions: times are milliseconds since 1970-01-01T00:00:00Z, flags are 0 or 1, states are text with a CHECK, lists and
-- rules are JSON text, primary keys are the text ids. A unique index is named <table>_<column>, because PostgreSQL reports
-- the index and callers are told the column. Names are unique among rows that are not DELETED.

-- Small named values.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- The configuration epoch: one row.
CREATE TABLE epoch (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO epoch (id, number) VALUES (1, 1);

-- Who may run a job until when.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until INTEGER NOT NULL
) STRICT;

CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_sha256 BLOB NOT NULL,
    response BLOB,
    created_at INTEGER NOT NULL,
    in_flight_until INTEGER NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
) STRICT;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- CA certificates about to be signed. The CA of a root does not exist yet: no foreign key.
CREATE TABLE signing_intents (
    id TEXT NOT NULL PRIMARY KEY,
    ca_id TEXT NOT NULL,
    serial BLOB NOT NULL,
    tbs BLOB NOT NULL,
    requester TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    completed_at INTEGER
) STRICT;
CREATE INDEX signing_intents_open ON signing_intents (created_at) WHERE completed_at IS NULL;

CREATE TABLE vaults (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    system INTEGER NOT NULL CHECK (system IN (0, 1)),
    created_at INTEGER NOT NULL,
    -- mutable
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'PENDING_DELETION', 'DELETED')),
    deletion_at INTEGER,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX vaults_name ON vaults (name) WHERE state <> 'DELETED';
CREATE INDEX vaults_order ON vaults (name, id);
CREATE INDEX vaults_due ON vaults (deletion_at) WHERE state = 'PENDING_DELETION';

CREATE TABLE vault_keys (
    -- immutable
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    number INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- mutable: re-wrapping
    root_key_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (vault_id, number)
) STRICT;
CREATE INDEX vault_keys_root ON vault_keys (root_key_id);

CREATE TABLE keys (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    algorithm TEXT NOT NULL,
    protection TEXT NOT NULL CHECK (protection IN ('SOFTWARE', 'HSM')),
    created_at INTEGER NOT NULL,
    -- mutable
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ENABLED', 'DISABLED', 'PENDING_DELETION', 'DELETED')),
    state_before_deletion TEXT CHECK (state_before_deletion IN ('ENABLED', 'DISABLED')),
    used_by_ca TEXT,
    latest_version INTEGER NOT NULL,
    deletion_at INTEGER,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX keys_name ON keys (vault_id, name) WHERE state <> 'DELETED';
CREATE INDEX keys_order ON keys (vault_id, name, id);
CREATE INDEX keys_due ON keys (deletion_at) WHERE state = 'PENDING_DELETION';

CREATE TABLE key_versions (
    -- immutable; vault_id repeats the key's, for the re-wrapping job's index
    key_id TEXT NOT NULL REFERENCES keys (id),
    number INTEGER NOT NULL,
    vault_id TEXT NOT NULL,
    public_key BLOB,
    created_at INTEGER NOT NULL,
    -- mutable: re-wrapping, destruction (empty)
    vault_key_version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (key_id, number)
) STRICT;
CREATE INDEX key_versions_sealing ON key_versions (vault_id, vault_key_version, key_id, number) WHERE length(sealed) > 0;

CREATE TABLE certificate_authorities (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    ca_type TEXT NOT NULL
        CHECK (ca_type IN ('ROOT', 'SUBORDINATE', 'SUBORDINATE_EXTERNAL', 'EXTERNAL_ROOT', 'IMPORTED')),
    system INTEGER NOT NULL CHECK (system IN (0, 1)),
    issuer_id TEXT REFERENCES certificate_authorities (id),
    vault_id TEXT REFERENCES vaults (id),
    key_id TEXT REFERENCES keys (id),
    signature_algorithm TEXT,
    subject TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- mutable
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('PENDING_ACTIVATION', 'ACTIVE', 'DISABLED', 'PENDING_DELETION', 'DELETED')),
    state_before_deletion TEXT CHECK (state_before_deletion IN ('PENDING_ACTIVATION', 'ACTIVE', 'DISABLED')),
    leaf_max_validity INTEGER NOT NULL,
    subordinate_max_validity INTEGER NOT NULL,
    path_length INTEGER,
    name_constraints TEXT,
    crl_enabled INTEGER NOT NULL CHECK (crl_enabled IN (0, 1)),
    crl_lifetime INTEGER NOT NULL,
    ocsp_enabled INTEGER NOT NULL CHECK (ocsp_enabled IN (0, 1)),
    current_version INTEGER,
    previous_version INTEGER,
    latest_version INTEGER NOT NULL,
    deletion_at INTEGER,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX certificate_authorities_name ON certificate_authorities (name) WHERE state <> 'DELETED';
CREATE INDEX certificate_authorities_order ON certificate_authorities (name, id);
CREATE INDEX certificate_authorities_children ON certificate_authorities (issuer_id, name, id);
CREATE INDEX certificate_authorities_system ON certificate_authorities (id) WHERE system = 1;
CREATE INDEX certificate_authorities_due ON certificate_authorities (deletion_at) WHERE state = 'PENDING_DELETION';

CREATE TABLE ca_versions (
    -- immutable
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    number INTEGER NOT NULL,
    key_version INTEGER,
    csr BLOB,
    spki_sha256 BLOB,
    failed INTEGER NOT NULL CHECK (failed IN (0, 1)),
    created_at INTEGER NOT NULL,
    -- written once, when the certificate is there
    certificate BLOB,
    chain TEXT NOT NULL,
    serial BLOB,
    fingerprint BLOB,
    not_before INTEGER,
    not_after INTEGER,
    issued_id TEXT,
    -- written once, when it is revoked
    revoked_at INTEGER,
    revocation_reason TEXT,
    PRIMARY KEY (ca_id, number)
) STRICT;
CREATE INDEX ca_versions_spki ON ca_versions (spki_sha256);

CREATE TABLE profiles (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    -- mutable
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX profiles_name ON profiles (name);

-- The inventory. Everything but the revocation is immutable. `names` repeats issued_names so that a page needs no join.
CREATE TABLE issued_certificates (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('LEAF', 'CA')),
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    ca_name TEXT NOT NULL,
    ca_version INTEGER NOT NULL,
    serial BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    spki_sha256 BLOB NOT NULL,
    subject TEXT NOT NULL,
    common_name TEXT NOT NULL,
    common_name_lower TEXT NOT NULL,
    names TEXT NOT NULL,
    profile TEXT NOT NULL,
    key_algorithm TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    renew_at INTEGER NOT NULL,
    requester TEXT NOT NULL,
    requester_name TEXT NOT NULL,
    request_id TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revocation_reason TEXT,
    certificate BLOB NOT NULL
) STRICT;
-- serial first: the same index finds a serial whatever the CA.
CREATE UNIQUE INDEX issued_certificates_serial ON issued_certificates (serial, ca_id);
CREATE UNIQUE INDEX issued_certificates_fingerprint ON issued_certificates (fingerprint);
CREATE INDEX issued_certificates_by_ca ON issued_certificates (ca_id, id);
CREATE INDEX issued_certificates_by_ca_expiry ON issued_certificates (ca_id, not_after, id);
CREATE INDEX issued_certificates_by_profile ON issued_certificates (profile, id);
CREATE INDEX issued_certificates_by_requester ON issued_certificates (requester, id);
CREATE INDEX issued_certificates_by_requester_name ON issued_certificates (requester_name, id);
CREATE INDEX issued_certificates_by_expiry ON issued_certificates (not_after, id);
CREATE INDEX issued_certificates_by_renewal ON issued_certificates (renew_at, id);
CREATE INDEX issued_certificates_by_common_name ON issued_certificates (common_name_lower, id);
CREATE INDEX issued_certificates_revoked ON issued_certificates (id, revoked_at) WHERE revoked_at IS NOT NULL;

-- Subject alternative names, for the search by name. No foreign key: the rows are written and deleted with their
-- certificate, and the check would need one more index on the issuing path.
CREATE TABLE issued_names (
    value TEXT NOT NULL,
    issued_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('dns', 'ip', 'email', 'uri')),
    PRIMARY KEY (value, issued_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    user_name TEXT NOT NULL,
    secret_sha256 BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    -- mutable
    revoked_at INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

-- The audit trail: rows are only ever added.
CREATE TABLE audit_events (
    id TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id TEXT NOT NULL,
    target_name TEXT NOT NULL,
    request_id TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_by_actor ON audit_events (actor, id);
CREATE INDEX audit_events_by_action ON audit_events (action, id);
CREATE INDEX audit_events_by_target ON audit_events (target_id, id);
CREATE INDEX audit_events_by_request ON audit_events (request_id, id);
