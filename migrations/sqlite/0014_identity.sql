-- Who may come in with a token of somebody else's. Its twin is postgres/0014_identity.sql.

-- Machines that an identity provider vouches for are no users: what a token that was given for theirs stands for, as JSON.
ALTER TABLE tokens ADD COLUMN workload TEXT;
CREATE INDEX tokens_workload ON tokens (expires_at) WHERE workload IS NOT NULL;

CREATE TABLE identity_providers (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    -- mutable
    name TEXT NOT NULL,
    -- JSON: issuer, audiences, source of keys, rules
    settings TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX identity_providers_name ON identity_providers (name);
