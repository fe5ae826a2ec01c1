-- The first schema. Its twin is sqlite/0001_initial.sql; a test compares tables, columns and nullability.
--
-- Conventions: times are milliseconds since 1970-01-01T00:00:00Z, flags are 0 or 1, states are text with a CHECK, lists and
-- rules are JSON text, primary keys are the text ids. A unique index is named <table>_<column>, because PostgreSQL reports
-- the index and callers are told the column. Names are unique among rows that are not DELETED. Texts collate "C", so that
-- pages, cursors and prefix searches order by bytes as in SQLite, whatever the locale of the database.

-- Small named values.
CREATE TABLE meta (
    name TEXT COLLATE "C" NOT NULL CONSTRAINT meta_name PRIMARY KEY,
    value BYTEA NOT NULL
);

-- The configuration epoch: one row.
CREATE TABLE epoch (
    id BIGINT NOT NULL CONSTRAINT epoch_id PRIMARY KEY CHECK (id = 1),
    number BIGINT NOT NULL
);
INSERT INTO epoch (id, number) VALUES (1, 1);

-- Who may run a job until when.
CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL CONSTRAINT leases_name PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    held_until BIGINT NOT NULL
);

CREATE TABLE idempotency_keys (
    caller TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    request_sha256 BYTEA NOT NULL,
    response BYTEA,
    created_at BIGINT NOT NULL,
    in_flight_until BIGINT NOT NULL,
    CONSTRAINT idempotency_keys_idempotency_key PRIMARY KEY (caller, idempotency_key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- CA certificates about to be signed. The CA of a root does not exist yet: no foreign key.
CREATE TABLE signing_intents (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT signing_intents_id PRIMARY KEY,
    ca_id TEXT COLLATE "C" NOT NULL,
    serial BYTEA NOT NULL,
    tbs BYTEA NOT NULL,
    requester TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    completed_at BIGINT
);
CREATE INDEX signing_intents_open ON signing_intents (created_at) WHERE completed_at IS NULL;

CREATE TABLE vaults (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT vaults_id PRIMARY KEY,
    system BIGINT NOT NULL CHECK (system IN (0, 1)),
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('ACTIVE', 'PENDING_DELETION', 'DELETED')),
    deletion_at BIGINT,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX vaults_name ON vaults (name) WHERE state <> 'DELETED';
CREATE INDEX vaults_order ON vaults (name, id);
CREATE INDEX vaults_due ON vaults (deletion_at) WHERE state = 'PENDING_DELETION';

CREATE TABLE vault_keys (
    -- immutable
    vault_id TEXT COLLATE "C" NOT NULL REFERENCES vaults (id),
    number BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- mutable: re-wrapping
    root_key_id TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    CONSTRAINT vault_keys_number PRIMARY KEY (vault_id, number)
);
CREATE INDEX vault_keys_root ON vault_keys (root_key_id);

CREATE TABLE keys (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT keys_id PRIMARY KEY,
    vault_id TEXT COLLATE "C" NOT NULL REFERENCES vaults (id),
    algorithm TEXT COLLATE "C" NOT NULL,
    protection TEXT COLLATE "C" NOT NULL CHECK (protection IN ('SOFTWARE', 'HSM')),
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('ENABLED', 'DISABLED', 'PENDING_DELETION', 'DELETED')),
    state_before_deletion TEXT COLLATE "C" CHECK (state_before_deletion IN ('ENABLED', 'DISABLED')),
    used_by_ca TEXT COLLATE "C",
    latest_version BIGINT NOT NULL,
    deletion_at BIGINT,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX keys_name ON keys (vault_id, name) WHERE state <> 'DELETED';
CREATE INDEX keys_order ON keys (vault_id, name, id);
CREATE INDEX keys_due ON keys (deletion_at) WHERE state = 'PENDING_DELETION';

CREATE TABLE key_versions (
    -- immutable; vault_id repeats the key's, for the re-wrapping job's index
    key_id TEXT COLLATE "C" NOT NULL REFERENCES keys (id),
    number BIGINT NOT NULL,
    vault_id TEXT COLLATE "C" NOT NULL,
    public_key BYTEA,
    created_at BIGINT NOT NULL,
    -- mutable: re-wrapping, destruction (empty)
    vault_key_version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    CONSTRAINT key_versions_number PRIMARY KEY (key_id, number)
);
CREATE INDEX key_versions_sealing ON key_versions (vault_id, vault_key_version, key_id, number) WHERE length(sealed) > 0;

CREATE TABLE certificate_authorities (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT certificate_authorities_id PRIMARY KEY,
    ca_type TEXT COLLATE "C" NOT NULL
        CHECK (ca_type IN ('ROOT', 'SUBORDINATE', 'SUBORDINATE_EXTERNAL', 'EXTERNAL_ROOT', 'IMPORTED')),
    system BIGINT NOT NULL CHECK (system IN (0, 1)),
    issuer_id TEXT COLLATE "C" REFERENCES certificate_authorities (id),
    vault_id TEXT COLLATE "C" REFERENCES vaults (id),
    key_id TEXT COLLATE "C" REFERENCES keys (id),
    signature_algorithm TEXT COLLATE "C",
    subject TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('PENDING_ACTIVATION', 'ACTIVE', 'DISABLED', 'PENDING_DELETION', 'DELETED')),
    state_before_deletion TEXT COLLATE "C" CHECK (state_before_deletion IN ('PENDING_ACTIVATION', 'ACTIVE', 'DISABLED')),
    leaf_max_validity BIGINT NOT NULL,
    subordinate_max_validity BIGINT NOT NULL,
    path_length BIGINT,
    name_constraints TEXT COLLATE "C",
    crl_enabled BIGINT NOT NULL CHECK (crl_enabled IN (0, 1)),
    crl_lifetime BIGINT NOT NULL,
    ocsp_enabled BIGINT NOT NULL CHECK (ocsp_enabled IN (0, 1)),
    current_version BIGINT,
    previous_version BIGINT,
    latest_version BIGINT NOT NULL,
    deletion_at BIGINT,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX certificate_authorities_name ON certificate_authorities (name) WHERE state <> 'DELETED';
CREATE INDEX certificate_authorities_order ON certificate_authorities (name, id);
CREATE INDEX certificate_authorities_children ON certificate_authorities (issuer_id, name, id);
CREATE INDEX certificate_authorities_system ON certificate_authorities (id) WHERE system = 1;
CREATE INDEX certificate_authorities_due ON certificate_authorities (deletion_at) WHERE state = 'PENDING_DELETION';

CREATE TABLE ca_versions (
    -- immutable
    ca_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_authorities (id),
    number BIGINT NOT NULL,
    key_version BIGINT,
    csr BYTEA,
    spki_sha256 BYTEA,
    failed BIGINT NOT NULL CHECK (failed IN (0, 1)),
    created_at BIGINT NOT NULL,
    -- written once, when the certificate is there
    certificate BYTEA,
    chain TEXT COLLATE "C" NOT NULL,
    serial BYTEA,
    fingerprint BYTEA,
    not_before BIGINT,
    not_after BIGINT,
    issued_id TEXT COLLATE "C",
    -- written once, when it is revoked
    revoked_at BIGINT,
    revocation_reason TEXT COLLATE "C",
    CONSTRAINT ca_versions_number PRIMARY KEY (ca_id, number)
);
CREATE INDEX ca_versions_spki ON ca_versions (spki_sha256);

CREATE TABLE profiles (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT profiles_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL,
    document TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX profiles_name ON profiles (name);

-- The inventory. Everything but the revocation is immutable. `names` repeats issued_names so that a page needs no join.
CREATE TABLE issued_certificates (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT issued_certificates_id PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('LEAF', 'CA')),
    ca_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_authorities (id),
    ca_name TEXT COLLATE "C" NOT NULL,
    ca_version BIGINT NOT NULL,
    serial BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL,
    spki_sha256 BYTEA NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    common_name TEXT COLLATE "C" NOT NULL,
    common_name_lower TEXT COLLATE "C" NOT NULL,
    names TEXT COLLATE "C" NOT NULL,
    profile TEXT COLLATE "C" NOT NULL,
    key_algorithm TEXT COLLATE "C" NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    renew_at BIGINT NOT NULL,
    requester TEXT COLLATE "C" NOT NULL,
    requester_name TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    issued_at BIGINT NOT NULL,
    revoked_at BIGINT,
    revocation_reason TEXT COLLATE "C",
    certificate BYTEA NOT NULL
);
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
    value TEXT COLLATE "C" NOT NULL,
    issued_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('dns', 'ip', 'email', 'uri')),
    CONSTRAINT issued_names_kind PRIMARY KEY (value, issued_id, kind)
);

CREATE TABLE tokens (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT tokens_id PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    user_name TEXT COLLATE "C" NOT NULL,
    secret_sha256 BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    -- mutable
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

-- The audit trail: rows are only ever added.
CREATE TABLE audit_events (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT audit_events_id PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    actor_name TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    target_kind TEXT COLLATE "C" NOT NULL,
    target_id TEXT COLLATE "C" NOT NULL,
    target_name TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    details TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_events_by_actor ON audit_events (actor, id);
CREATE INDEX audit_events_by_action ON audit_events (action, id);
CREATE INDEX audit_events_by_target ON audit_events (target_id, id);
CREATE INDEX audit_events_by_request ON audit_events (request_id, id);
