-- Indexes of ACME. Its twin is postgres/0021_acme_indexes.sql.

-- Proofs that are pending are counted for each order that is made: without this, all that the account ever had are looked at.
CREATE INDEX acme_authorizations_pending ON acme_authorizations (account_id, expires_at) WHERE state = 'pending';

-- Nonces begin with their time: the primary key is in the order of their ends.
DROP INDEX acme_nonces_expiry;
