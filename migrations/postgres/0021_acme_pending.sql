-- Proofs that are pending are counted for each order that is made: without this, all that the account ever had are looked at.
-- Its twin is sqlite/0021_acme_pending.sql.
CREATE INDEX acme_authorizations_pending ON acme_authorizations (account_id, expires_at) WHERE state = 'pending';
