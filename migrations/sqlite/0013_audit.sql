-- The audit trail becomes chains of hashes with signed checkpoints. Its twin is postgres/0013_audit.sql.
--
-- Events from before have no chain and sequence 0; the first checkpoint binds how many they are and the last id.
ALTER TABLE audit_events ADD COLUMN door TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN outcome TEXT NOT NULL DEFAULT 'SUCCEEDED';
ALTER TABLE audit_events ADD COLUMN chain TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_events ADD COLUMN previous_hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE audit_events ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
CREATE UNIQUE INDEX audit_events_chain ON audit_events (chain, sequence) WHERE sequence > 0;
-- No new row enters it.
CREATE INDEX audit_events_before_chains ON audit_events (id) WHERE sequence = 0;

-- Where each chain ends. A transaction takes one of them that is free as its last lock, and appends. There is one writer,
-- so one chain is enough; PostgreSQL has more.
CREATE TABLE audit_chains (
    chain TEXT NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO audit_chains (chain, sequence, hash) VALUES ('01', 0, zeroblob(32));

-- Signed statements of where the chains stood (`domain::audit::checkpoint` says what the text is).
CREATE TABLE audit_checkpoints (
    number INTEGER NOT NULL PRIMARY KEY,
    statement TEXT NOT NULL,
    signature BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;
CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'audit checkpoints are never changed'); END;
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'audit checkpoints are never deleted'); END;
