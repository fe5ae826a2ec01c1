-- CA bundles: named sets of foreign CA certificates. Twin: postgres/0005_ca_bundles.sql.

CREATE TABLE ca_bundles (
    -- immutable
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    -- mutable; certificates is a JSON list of DER as base64
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    certificates TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX ca_bundles_name ON ca_bundles (name);
CREATE INDEX ca_bundles_order ON ca_bundles (name, id);
