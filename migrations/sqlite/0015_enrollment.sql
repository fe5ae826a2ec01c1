-- Enrolment tokens: names that a machine without a certificate may ask for, so many times, until then. Its twin is postgres/0015_enrollment.sql.

CREATE TABLE enrollment_tokens (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    name TEXT NOT NULL,
    ca_id TEXT NOT NULL,
    -- name of the profile
    profile TEXT NOT NULL,
    -- JSON: the exact names that may be asked for
    names TEXT NOT NULL,
    uses INTEGER NOT NULL CHECK (uses > 0),
    -- SHA-256 of the secret part
    secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),
    expires_at INTEGER NOT NULL,
    -- mutable
    uses_left INTEGER NOT NULL CHECK (uses_left >= 0 AND uses_left <= uses)
) STRICT;
CREATE UNIQUE INDEX enrollment_tokens_name ON enrollment_tokens (name);
CREATE INDEX enrollment_tokens_end ON enrollment_tokens (expires_at);
