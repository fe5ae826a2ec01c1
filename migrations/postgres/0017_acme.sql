-- ACME (RFC 8555): directories, accounts, keys for external account bindings, orders, proofs. Its twin is sqlite/0017_acme.sql.
--
-- What an order is (pending, ready, invalid) follows from its authorizations; stored are only the ends.

-- What nonces and the keys for external account bindings are derived from, sealed under a root key.
CREATE TABLE acme_secrets (
    id BIGINT NOT NULL CONSTRAINT acme_secrets_id PRIMARY KEY CHECK (id = 1),
    sealed BYTEA NOT NULL,
    root_key_id TEXT COLLATE "C" NOT NULL
);

CREATE TABLE acme_directories (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT acme_directories_id PRIMARY KEY,
    ca_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL,
    -- JSON: profiles, challenges, names, ranges
    settings TEXT COLLATE "C" NOT NULL,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX acme_directories_name ON acme_directories (name);

CREATE TABLE acme_accounts (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT acme_accounts_id PRIMARY KEY,
    directory_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    eab_key_id TEXT COLLATE "C",
    -- JSON: patterns of names that its binding lets it have; NULL: directory and profile decide
    names TEXT COLLATE "C",
    -- mutable
    jwk TEXT COLLATE "C" NOT NULL,
    thumbprint BYTEA NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('valid', 'deactivated', 'revoked')),
    -- JSON: URLs
    contacts TEXT COLLATE "C" NOT NULL,
    terms_agreed_at BIGINT,
    revision BIGINT NOT NULL
);
-- One account for a key, whatever has become of it.
CREATE UNIQUE INDEX acme_accounts_key ON acme_accounts (directory_id, thumbprint);

CREATE TABLE acme_eab_keys (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT acme_eab_keys_id PRIMARY KEY,
    directory_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    names TEXT COLLATE "C",
    expires_at BIGINT,
    -- mutable
    uses_left BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX acme_eab_keys_name ON acme_eab_keys (directory_id, name) WHERE revoked_at IS NULL;

CREATE TABLE acme_authorizations (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT acme_authorizations_id PRIMARY KEY,
    account_id TEXT COLLATE "C" NOT NULL,
    directory_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    identifier TEXT COLLATE "C" NOT NULL,
    -- mutable
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked')),
    expires_at BIGINT NOT NULL,
    -- JSON: challenges
    challenges TEXT COLLATE "C" NOT NULL,
    due_at BIGINT,
    revision BIGINT NOT NULL
);
CREATE INDEX acme_authorizations_account ON acme_authorizations (account_id, identifier, state);
CREATE INDEX acme_authorizations_due ON acme_authorizations (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX acme_authorizations_expiry ON acme_authorizations (expires_at);

CREATE TABLE acme_orders (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT acme_orders_id PRIMARY KEY,
    account_id TEXT COLLATE "C" NOT NULL,
    directory_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    -- JSON: names; ids, one for each name
    identifiers TEXT COLLATE "C" NOT NULL,
    authorizations TEXT COLLATE "C" NOT NULL,
    profile TEXT COLLATE "C" NOT NULL,
    not_before BIGINT,
    not_after BIGINT,
    replaces_id TEXT COLLATE "C",
    replaces TEXT COLLATE "C",
    expires_at BIGINT NOT NULL,
    -- mutable: how it ended
    issued_id TEXT COLLATE "C",
    error_kind TEXT COLLATE "C",
    error_detail TEXT COLLATE "C",
    revision BIGINT NOT NULL
);
CREATE INDEX acme_orders_account ON acme_orders (account_id, id);
CREATE INDEX acme_orders_directory ON acme_orders (directory_id, id);
CREATE INDEX acme_orders_expiry ON acme_orders (expires_at);
-- A certificate is replaced once.
CREATE UNIQUE INDEX acme_orders_replaces ON acme_orders (replaces_id)
    WHERE replaces_id IS NOT NULL AND issued_id IS NOT NULL;

-- Nonces that were used and could be used again but for this row.
CREATE TABLE acme_nonces (
    nonce BYTEA NOT NULL CONSTRAINT acme_nonces_nonce PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX acme_nonces_expiry ON acme_nonces (expires_at);
