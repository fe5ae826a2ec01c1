-- CA bundles: named sets of foreign CA certificates. Twin: sqlite/0005_ca_bundles.sql.

CREATE TABLE ca_bundles (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT ca_bundles_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- mutable; certificates is a JSON list of DER as base64
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    certificates TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX ca_bundles_name ON ca_bundles (name);
CREATE INDEX ca_bundles_order ON ca_bundles (name, id);
