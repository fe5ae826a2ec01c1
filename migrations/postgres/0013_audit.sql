-- The audit trail becomes chains of hashes with signed checkpoints. Its twin is sqlite/0013_audit.sql, which says more.
ALTER TABLE audit_events
    ADD COLUMN door TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN address TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN decided_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN outcome TEXT COLLATE "C" NOT NULL DEFAULT 'SUCCEEDED',
    ADD COLUMN chain TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN previous_hash BYTEA NOT NULL DEFAULT ''::bytea,
    ADD COLUMN hash BYTEA NOT NULL DEFAULT ''::bytea;
CREATE UNIQUE INDEX audit_events_chain ON audit_events (chain, sequence) WHERE sequence > 0;
CREATE INDEX audit_events_before_chains ON audit_events (id) WHERE sequence = 0;

-- More chains than transactions that commit at one moment: nobody waits for another's.
CREATE TABLE audit_chains (
    chain TEXT COLLATE "C" NOT NULL CONSTRAINT audit_chains_chain PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash BYTEA NOT NULL
) WITH (fillfactor = 20);
INSERT INTO audit_chains (chain, sequence, hash)
SELECT lpad(number::text, 2, '0'), 0, decode(repeat('00', 32), 'hex') FROM generate_series(1, 32) AS number;

CREATE TABLE audit_checkpoints (
    number BIGINT NOT NULL CONSTRAINT audit_checkpoints_number PRIMARY KEY,
    statement TEXT COLLATE "C" NOT NULL,
    signature BYTEA NOT NULL
);

CREATE FUNCTION audit_is_only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER audit_events_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_added();
CREATE TRIGGER audit_checkpoints_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_added();
