-- ACME (RFC 8555): directories, accounts, keys for external account bindings, orders, proofs. Its twin is postgres/0017_acme.sql.
--
-- What an order is (pending, ready, invalid) follows from its authorizations; stored are only the ends.

-- What nonces and the keys for external account bindings are derived from, sealed under a root key.
CREATE TABLE acme_secrets (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL,
    root_key_id TEXT NOT NULL
) STRICT;

CREATE TABLE acme_directories (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    ca_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- mutable
    name TEXT NOT NULL,
    -- JSON: profiles, challenges, names, ranges
    settings TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX acme_directories_name ON acme_directories (name);

CREATE TABLE acme_accounts (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    directory_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    eab_key_id TEXT,
    -- JSON: patterns of names that its binding lets it have; NULL: directory and profile decide
    names TEXT,
    -- mutable
    jwk TEXT NOT NULL,
    thumbprint BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('valid', 'deactivated', 'revoked')),
    -- JSON: URLs
    contacts TEXT NOT NULL,
    terms_agreed_at INTEGER,
    revision INTEGER NOT NULL
) STRICT;
-- One account for a key, whatever has become of it.
CREATE UNIQUE INDEX acme_accounts_key ON acme_accounts (directory_id, thumbprint);

CREATE TABLE acme_eab_keys (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    directory_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    name TEXT NOT NULL,
    names TEXT,
    expires_at INTEGER,
    -- mutable
    uses_left INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX acme_eab_keys_name ON acme_eab_keys (directory_id, name) WHERE revoked_at IS NULL;

CREATE TABLE acme_authorizations (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    directory_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    identifier TEXT NOT NULL,
    -- mutable
    state TEXT NOT NULL CHECK (state IN ('pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked')),
    expires_at INTEGER NOT NULL,
    -- JSON: challenges
    challenges TEXT NOT NULL,
    due_at INTEGER,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX acme_authorizations_account ON acme_authorizations (account_id, identifier, state);
CREATE INDEX acme_authorizations_due ON acme_authorizations (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX acme_authorizations_expiry ON acme_authorizations (expires_at);

CREATE TABLE acme_orders (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    directory_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- JSON: names; ids, one for each name
    identifiers TEXT NOT NULL,
    authorizations TEXT NOT NULL,
    profile TEXT NOT NULL,
    not_before INTEGER,
    not_after INTEGER,
    replaces_id TEXT,
    replaces TEXT,
    expires_at INTEGER NOT NULL,
    -- mutable: how it ended
    issued_id TEXT,
    error_kind TEXT,
    error_detail TEXT,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX acme_orders_account ON acme_orders (account_id, id);
CREATE INDEX acme_orders_directory ON acme_orders (directory_id, id);
CREATE INDEX acme_orders_expiry ON acme_orders (expires_at);
-- A certificate is replaced once.
CREATE UNIQUE INDEX acme_orders_replaces ON acme_orders (replaces_id)
    WHERE replaces_id IS NOT NULL AND issued_id IS NOT NULL;

-- Nonces that were used and could be used again but for this row.
CREATE TABLE acme_nonces (
    nonce BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_nonces_expiry ON acme_nonces (expires_at);
