-- Events and webhooks. Its twin is postgres/0003_events.sql; a test compares tables, columns and nullability.

CREATE TABLE webhooks (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    -- mutable; kinds: empty for all, else each kind between commas (",ca.issued,ca.renewed,")
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    kinds TEXT NOT NULL,
    revision INTEGER NOT NULL,
    -- mutable: rotation, re-wrapping
    root_key_id TEXT NOT NULL,
    secret BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX webhooks_name ON webhooks (name);
CREATE INDEX webhooks_root ON webhooks (root_key_id);

-- The outbox: written in the transaction of the change, aged out after a while.
CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    subject_name TEXT NOT NULL,
    request_id TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_kind ON events (kind, id);
CREATE INDEX events_by_subject ON events (subject_id, id);

-- One row per event and webhook that wants it, written with the event. No foreign keys: a webhook that is deleted at the
-- same moment must not make the change fail that the event tells of; rows without a webhook age out with their event.
CREATE TABLE webhook_deliveries (
    -- immutable
    webhook_id TEXT NOT NULL,
    id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- mutable
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED')),
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER,
    last_attempt_at INTEGER,
    last_status INTEGER,
    last_error TEXT,
    revision INTEGER NOT NULL,
    PRIMARY KEY (webhook_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at, id) WHERE state = 'PENDING';
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (webhook_id, state, id);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event_id, webhook_id);
