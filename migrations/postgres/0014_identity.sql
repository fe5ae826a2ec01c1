-- Who may come in with a token of somebody else's. Its twin is sqlite/0014_identity.sql.

-- Machines that an identity provider vouches for are no users: what a token that was given for theirs stands for, as JSON.
ALTER TABLE tokens ADD COLUMN workload TEXT COLLATE "C";
CREATE INDEX tokens_workload ON tokens (expires_at) WHERE workload IS NOT NULL;

CREATE TABLE identity_providers (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT identity_providers_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL,
    -- JSON: issuer, audiences, source of keys, rules
    settings TEXT COLLATE "C" NOT NULL,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX identity_providers_name ON identity_providers (name);
