-- Nothing to do here: SQLite compresses nothing. Its twin is postgres/0020_crl_storage.sql.
SELECT 1;
