-- The issuing path writes fewer pages. Its twin is postgres/0011_issuing.sql.
--
-- An entry at a random place of an index is a page of the log for every certificate, and the most expensive part of
-- recording it. So only the serial (unique) and the names keep such an index:
--  * row_number counts the rows; digests are looked up in blocks of 2,048 rows, each small enough that a batch writes few
--    of its pages. A look-up enters every block once: a million certificates are 489 blocks. (This column is SQLite's alone;
--    PostgreSQL logs entries, not pages. No function in these indexes: one that may fail costs a journal again.)
--  * A common name that no alternative name repeats stands among the names, as kind 'cn'.
--  * The fingerprint is unique because issuer and serial are. The foreign key to the CA is gone: CAs are never removed,
--    and its check costs every batch a journal.
CREATE TABLE issued_certificates_new (
    row_number INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('LEAF', 'CA')),
    ca_id TEXT NOT NULL,
    ca_name TEXT NOT NULL,
    ca_version INTEGER NOT NULL,
    serial BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    spki_sha256 BLOB NOT NULL,
    subject TEXT NOT NULL,
    common_name TEXT NOT NULL,
    common_name_lower TEXT NOT NULL,
    names TEXT NOT NULL,
    profile TEXT NOT NULL,
    key_algorithm TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    renew_at INTEGER NOT NULL,
    requester TEXT NOT NULL,
    requester_name TEXT NOT NULL,
    request_id TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revocation_reason TEXT,
    certificate BLOB NOT NULL
) STRICT;
INSERT INTO issued_certificates_new (
    id, kind, ca_id, ca_name, ca_version, serial, fingerprint, spki_sha256, subject, common_name, common_name_lower, names,
    profile, key_algorithm, not_before, not_after, renew_at, requester, requester_name, request_id, issued_at, revoked_at,
    revocation_reason, certificate
)
SELECT
    id, kind, ca_id, ca_name, ca_version, serial, fingerprint, spki_sha256, subject, common_name, common_name_lower, names,
    profile, key_algorithm, not_before, not_after, renew_at, requester, requester_name, request_id, issued_at, revoked_at,
    revocation_reason, certificate
FROM issued_certificates ORDER BY id;
DROP TABLE issued_certificates;
ALTER TABLE issued_certificates_new RENAME TO issued_certificates;
CREATE UNIQUE INDEX issued_certificates_id ON issued_certificates (id);
-- serial first: the same index finds a serial whatever the CA.
CREATE UNIQUE INDEX issued_certificates_serial ON issued_certificates (serial, ca_id);
CREATE INDEX issued_certificates_by_fingerprint ON issued_certificates (row_number >> 11, fingerprint);
CREATE INDEX issued_certificates_by_key ON issued_certificates (row_number >> 11, spki_sha256);
CREATE INDEX issued_certificates_by_ca ON issued_certificates (ca_id, id);
CREATE INDEX issued_certificates_by_ca_expiry ON issued_certificates (ca_id, not_after, id);
CREATE INDEX issued_certificates_by_profile ON issued_certificates (profile, id);
CREATE INDEX issued_certificates_by_requester ON issued_certificates (requester, id);
CREATE INDEX issued_certificates_by_requester_name ON issued_certificates (requester_name, id);
CREATE INDEX issued_certificates_by_expiry ON issued_certificates (not_after, id);
CREATE INDEX issued_certificates_by_renewal ON issued_certificates (renew_at, id);
CREATE INDEX issued_certificates_revoked ON issued_certificates (id, revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE issued_names_new (
    value TEXT NOT NULL,
    issued_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('cn', 'dns', 'ip', 'email', 'uri')),
    PRIMARY KEY (value, issued_id, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO issued_names_new (value, issued_id, kind) SELECT value, issued_id, kind FROM issued_names;
DROP TABLE issued_names;
ALTER TABLE issued_names_new RENAME TO issued_names;
INSERT INTO issued_names (value, issued_id, kind)
SELECT c.common_name_lower, c.id, 'cn' FROM issued_certificates c
WHERE c.common_name_lower <> ''
    AND NOT EXISTS (SELECT 1 FROM issued_names n WHERE n.value = c.common_name_lower AND n.issued_id = c.id);
