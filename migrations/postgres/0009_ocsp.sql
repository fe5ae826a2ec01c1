-- Who answers OCSP requests for a CA. Twin: sqlite/0009_ocsp.sql.

ALTER TABLE certificate_authorities ADD COLUMN ocsp_responder TEXT COLLATE "C" NOT NULL DEFAULT 'DELEGATED'
    CHECK (ocsp_responder IN ('DELEGATED', 'CA'));

-- Certificates of delegated responders with the places of their keys. Everything is immutable; a row goes with its key, once
-- the certificate has expired or the CA is gone.
CREATE TABLE ocsp_responders (
    ca_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_authorities (id),
    ca_version BIGINT NOT NULL,
    number BIGINT NOT NULL,
    issued_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL REFERENCES keys (id),
    key_version BIGINT NOT NULL,
    certificate BYTEA NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    renew_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT ocsp_responders_number PRIMARY KEY (ca_id, ca_version, number)
);
CREATE INDEX ocsp_responders_issued ON ocsp_responders (issued_id);
CREATE INDEX ocsp_responders_expiry ON ocsp_responders (not_after);
