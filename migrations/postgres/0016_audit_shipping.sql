-- How far each sink has been given the audit trail. Its twin is sqlite/0016_audit_shipping.sql, which says more.
CREATE TABLE audit_shipping (
    sink TEXT COLLATE "C" NOT NULL,
    chain TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    shipped_at BIGINT NOT NULL,
    CONSTRAINT audit_shipping_chain PRIMARY KEY (sink, chain)
);
