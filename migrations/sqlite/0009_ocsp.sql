-- Who answers OCSP requests for a CA. Twin: postgres/0009_ocsp.sql.

ALTER TABLE certificate_authorities ADD COLUMN ocsp_responder TEXT NOT NULL DEFAULT 'DELEGATED'
    CHECK (ocsp_responder IN ('DELEGATED', 'CA'));

-- Certificates of delegated responders with the places of their keys. Everything is immutable; a row goes with its key, once
-- the certificate has expired or the CA is gone.
CREATE TABLE ocsp_responders (
    ca_id TEXT NOT NULL REFERENCES certificate_authorities (id),
    ca_version INTEGER NOT NULL,
    number INTEGER NOT NULL,
    issued_id TEXT NOT NULL,
    key_id TEXT NOT NULL REFERENCES keys (id),
    key_version INTEGER NOT NULL,
    certificate BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    renew_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (ca_id, ca_version, number)
) STRICT;
CREATE INDEX ocsp_responders_issued ON ocsp_responders (issued_id);
CREATE INDEX ocsp_responders_expiry ON ocsp_responders (not_after);
