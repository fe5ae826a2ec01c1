-- The group commit in one turn. Its twin is postgres/0022_group_commit.sql.

-- It has a chain of the audit trail to itself: where that ends is known without a question, because nobody else appends to it.
INSERT INTO audit_chains (chain, sequence, hash) VALUES ('02', 0, zeroblob(32));
