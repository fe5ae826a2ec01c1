-- Events and webhooks. Its twin is sqlite/0003_events.sql; a test compares tables, columns and nullability.

CREATE TABLE webhooks (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT webhooks_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- mutable; kinds: empty for all, else each kind between commas (",ca.issued,ca.renewed,")
    name TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    kinds TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    -- mutable: rotation, re-wrapping
    root_key_id TEXT COLLATE "C" NOT NULL,
    secret BYTEA NOT NULL
);
CREATE UNIQUE INDEX webhooks_name ON webhooks (name);
CREATE INDEX webhooks_root ON webhooks (root_key_id);

-- The outbox: written in the transaction of the change, aged out after a while.
CREATE TABLE events (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT events_id PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    subject_name TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    details TEXT COLLATE "C" NOT NULL
);
CREATE INDEX events_by_kind ON events (kind, id);
CREATE INDEX events_by_subject ON events (subject_id, id);

-- One row per event and webhook that wants it, written with the event. No foreign keys: a webhook that is deleted at the
-- same moment must not make the change fail that the event tells of; rows without a webhook age out with their event.
CREATE TABLE webhook_deliveries (
    -- immutable
    webhook_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    -- mutable
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED')),
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT,
    last_attempt_at BIGINT,
    last_status BIGINT,
    last_error TEXT COLLATE "C",
    revision BIGINT NOT NULL,
    CONSTRAINT webhook_deliveries_id PRIMARY KEY (webhook_id, id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at, id) WHERE state = 'PENDING';
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (webhook_id, state, id);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event_id, webhook_id);
