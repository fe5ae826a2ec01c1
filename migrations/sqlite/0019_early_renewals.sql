-- Calls to renew early: one call moves the renewal of many certificates. Its twin is postgres/0019_early_renewals.sql.
CREATE TABLE early_renewals (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    ca_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- of which certificates: issued before, with this profile, for accounts of this ACME directory
    issued_before INTEGER NOT NULL,
    profile TEXT,
    directory_id TEXT,
    -- when, spread over how many milliseconds
    renew_from INTEGER NOT NULL,
    spread INTEGER NOT NULL,
    reason TEXT NOT NULL,
    explanation_url TEXT,
    -- mutable: how far the inventory has been gone through (the last id), how many were moved, when that was done
    reached TEXT NOT NULL,
    moved INTEGER NOT NULL,
    settled_at INTEGER,
    withdrawn_at INTEGER,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX early_renewals_by_ca ON early_renewals (ca_id, id);
CREATE INDEX early_renewals_open ON early_renewals (id) WHERE settled_at IS NULL;

-- Certificates whose renewal was moved. What is due stands in the inventory; here stands what it would be otherwise.
CREATE TABLE moved_renewals (
    issued_id TEXT NOT NULL PRIMARY KEY,
    early_renewal_id TEXT NOT NULL,
    renew_at INTEGER NOT NULL,
    usual_renew_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX moved_renewals_by_call ON moved_renewals (early_renewal_id, issued_id);
