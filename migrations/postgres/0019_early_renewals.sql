-- Calls to renew early: one call moves the renewal of many certificates. Its twin is sqlite/0019_early_renewals.sql.
CREATE TABLE early_renewals (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT early_renewals_id PRIMARY KEY,
    ca_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    -- of which certificates: issued before, with this profile, for accounts of this ACME directory
    issued_before BIGINT NOT NULL,
    profile TEXT COLLATE "C",
    directory_id TEXT COLLATE "C",
    -- when, spread over how many milliseconds
    renew_from BIGINT NOT NULL,
    spread BIGINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    explanation_url TEXT COLLATE "C",
    -- mutable: how far the inventory has been gone through (the last id), how many were moved, when that was done
    reached TEXT COLLATE "C" NOT NULL,
    moved BIGINT NOT NULL,
    settled_at BIGINT,
    withdrawn_at BIGINT,
    revision BIGINT NOT NULL
);
CREATE INDEX early_renewals_by_ca ON early_renewals (ca_id, id);
CREATE INDEX early_renewals_open ON early_renewals (id) WHERE settled_at IS NULL;

-- Certificates whose renewal was moved. What is due stands in the inventory; here stands what it would be otherwise.
CREATE TABLE moved_renewals (
    issued_id TEXT COLLATE "C" NOT NULL CONSTRAINT moved_renewals_issued_id PRIMARY KEY,
    early_renewal_id TEXT COLLATE "C" NOT NULL,
    renew_at BIGINT NOT NULL,
    usual_renew_at BIGINT NOT NULL
);
CREATE INDEX moved_renewals_by_call ON moved_renewals (early_renewal_id, issued_id);
