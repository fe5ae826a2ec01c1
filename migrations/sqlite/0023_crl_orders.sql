-- Whoever orders a CA's lists anew. Its twin is postgres/0023_crl_orders.sql.

-- How often the CA's lists were ordered anew, by a change of what they show or by hand: a list that was begun before that is not
-- published after it, since its plan would put off the one that was ordered.
ALTER TABLE crl_counters ADD COLUMN orders INTEGER NOT NULL DEFAULT 0;
