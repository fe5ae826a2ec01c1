-- Enrolment tokens: names that a machine without a certificate may ask for, so many times, until then. Its twin is sqlite/0015_enrollment.sql.

CREATE TABLE enrollment_tokens (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT enrollment_tokens_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    ca_id TEXT COLLATE "C" NOT NULL,
    -- name of the profile
    profile TEXT COLLATE "C" NOT NULL,
    -- JSON: the exact names that may be asked for
    names TEXT COLLATE "C" NOT NULL,
    uses BIGINT NOT NULL CHECK (uses > 0),
    -- SHA-256 of the secret part
    secret_sha256 BYTEA NOT NULL CHECK (length(secret_sha256) = 32),
    expires_at BIGINT NOT NULL,
    -- mutable
    uses_left BIGINT NOT NULL CHECK (uses_left >= 0 AND uses_left <= uses)
);
CREATE UNIQUE INDEX enrollment_tokens_name ON enrollment_tokens (name);
CREATE INDEX enrollment_tokens_end ON enrollment_tokens (expires_at);
