-- How far each sink has been given the audit trail. Its twin is postgres/0016_audit_shipping.sql.
CREATE TABLE audit_shipping (
    -- name of the sink in the configuration
    sink TEXT NOT NULL,
    chain TEXT NOT NULL,
    -- the last link that was taken; only rises, by compare-and-swap
    sequence INTEGER NOT NULL,
    -- when that was
    shipped_at INTEGER NOT NULL,
    PRIMARY KEY (sink, chain)
) STRICT, WITHOUT ROWID;
