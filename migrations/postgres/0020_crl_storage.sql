-- Parts of lists are stored as they are: to compress them took longer than to write them. Its twin is
-- sqlite/0020_crl_storage.sql.
ALTER TABLE crl_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
