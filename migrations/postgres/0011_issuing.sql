-- The issuing path writes fewer index entries. Its twin is sqlite/0011_issuing.sql, which says why.
ALTER TABLE issued_certificates DROP CONSTRAINT issued_certificates_ca_id_fkey;
DROP INDEX issued_certificates_fingerprint;
DROP INDEX issued_certificates_by_common_name;
CREATE INDEX issued_certificates_by_fingerprint ON issued_certificates (fingerprint);

ALTER TABLE issued_names DROP CONSTRAINT issued_names_kind_check;
ALTER TABLE issued_names
    ADD CONSTRAINT issued_names_kind_check CHECK (kind IN ('cn', 'dns', 'ip', 'email', 'uri'));
INSERT INTO issued_names (value, issued_id, kind)
SELECT c.common_name_lower, c.id, 'cn' FROM issued_certificates c
WHERE c.common_name_lower <> ''
    AND NOT EXISTS (SELECT 1 FROM issued_names n WHERE n.value = c.common_name_lower AND n.issued_id = c.id);
