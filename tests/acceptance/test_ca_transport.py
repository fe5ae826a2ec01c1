"""A CA made by openssl comes along with its key, goes on issuing under its old root, leaves, and comes back."""

import base64

from harness import tools
from harness.case import ServerCase, on_both

PASSWORD = "correct horse"
CAS = "/v1/certificate-authorities"
INDEX = "V\t370101000000Z\t\t1000\tunknown\t/CN=one\nR\t370101000000Z\t260203040506Z,keyCompromise\t1001\tunknown\t/CN=two\n"


@on_both
class CaTransport(ServerCase):
    """CAs in files: PKCS#12 and PEM, in and out."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.vault()
        cls.pki = tools.OpensslCa(cls.scratch / "old")
        cls.key = cls.pki.folder / "sub.key"

    def pkcs12(self, name: str, *options: object) -> str:
        """The subordinate with its key and root, by openssl, in base64."""
        file = self.scratch / f"{name}.p12"
        tools.openssl(
            "pkcs12", "-export", "-in", self.pki.sub, "-inkey", self.key, "-certfile", self.pki.root, "-out", file,
            "-passout", f"pass:{PASSWORD}", *options,
        )  # fmt: skip
        return base64.b64encode(file.read_bytes()).decode()

    def bring(self, name: str, **body) -> dict:
        return self.house.made(self.curl.post(CAS, self.imported(name, **body)))

    def imported(self, name: str, **body) -> dict:
        return {"name": name, "type": "IMPORTED", "vault": "default", "key": f"{name}-key", **body}

    def issue_and_verify(self, ca: str) -> None:
        """Who trusts the old root alone trusts what is issued now."""
        issued = self.house.issue(ca, "web.example.com", ["web.example.com"])
        leaf = self.scratch / f"{ca}-leaf.pem"
        leaf.write_text(issued["certificate"])
        tools.openssl(
            "verify", "-x509_strict", "-CAfile", self.pki.root, "-untrusted", self.pki.sub, leaf
        )

    def public_key(self, key: bytes) -> bytes:
        return tools.openssl("pkey", "-pubout", data=key)

    def test_pkcs12_modern_and_legacy(self):
        for name, options in (("modern", []), ("legacy", ["-legacy"])):
            with self.subTest(name):
                file = self.pkcs12(name, *options)
                wrong = self.curl.post(CAS, self.imported(name, pkcs12=file, password="wrong"))
                error = self.assert_problem(wrong, 400)["errors"][0]
                self.assertEqual((error["pointer"], error["code"]), ("/password", "wrong_password"))
                made = self.bring(name, pkcs12=file, password=PASSWORD, opensslIndex=INDEX, crlNumber=65)
                self.assertEqual((made["state"], made["crlNumber"], made["exportable"]), ("ACTIVE", 65, False))
                self.issue_and_verify(name)
                refused = self.curl.post(f"{CAS}/{name}/export", {"password": PASSWORD})
                self.assert_problem(refused, 409, "ca_not_exportable")

    def test_pem_in_any_order_with_an_encrypted_key(self):
        encrypted = tools.openssl("pkey", "-in", self.key, "-aes256", "-passout", f"pass:{PASSWORD}").decode()
        heap = self.pki.root.read_text() + encrypted + self.pki.sub.read_text() + self.pki.root.read_text()
        self.bring("heap", certificate=heap, passphrase=PASSWORD)
        self.issue_and_verify("heap")
        locked = self.curl.post(CAS, self.imported("locked", certificate=heap))
        self.assertEqual(self.assert_problem(locked, 400)["errors"][0]["code"], "password_needed")

    def test_it_leaves_and_comes_back(self):
        self.bring("traveller", pkcs12=self.pkcs12("traveller"), password=PASSWORD, exportable=True)
        mine = self.public_key(self.key.read_bytes())
        for compat in (False, True):
            with self.subTest(compat=compat):
                answer = self.curl.post(f"{CAS}/traveller/export", {"password": "silver", "compat": compat})
                self.assert_status(answer, 200)
                self.assertEqual(answer.headers["cache-control"], "no-store")
                file = self.scratch / f"out-{compat}.p12"
                file.write_bytes(answer.body)
                legacy = ["-legacy"] if compat else []
                text = tools.openssl("pkcs12", "-in", file, "-passin", "pass:silver", "-nodes", *legacy)
                self.assertEqual(text.count(b"BEGIN CERTIFICATE"), 2)
                self.assertEqual(self.public_key(text), mine)
                back = f"back-{compat}".lower()
                self.bring(back, pkcs12=base64.b64encode(answer.body).decode(), password="silver")
                self.issue_and_verify(back)
        pem = self.curl.post(f"{CAS}/traveller/export", {"password": "silver", "format": "pem"})
        self.assert_status(pem, 200)
        key = tools.openssl("pkey", "-passin", "pass:silver", data=pem.body)
        self.assertEqual(self.public_key(key), mine)
        audited = self.curl.get("/v1/audit-events?action=ca.export").json["items"]
        self.assertEqual(len(audited), 3)

    def test_what_does_not_fit_is_refused_by_name(self):
        key = self.key.read_text()
        other = tools.new_key(self.scratch, "stranger").read_text()
        certificate = self.pki.sub.read_text()
        leaf = self.pki.leaf("lost", "DNS:lost.example.com").read_text()
        for body, pointer, code in (
            ({"certificate": certificate, "privateKey": other}, "/privateKey", "key_mismatch"),
            ({"certificate": certificate, "privateKey": key, "chain": leaf}, "/chain", "broken_chain"),
            ({"certificate": certificate, "privateKey": key, "usedSerials": ["x"]}, "/usedSerials/0", "invalid_serial"),
            ({"certificate": certificate, "privateKey": key, "opensslIndex": "V"}, "/opensslIndex", "invalid_index"),
            ({"pkcs12": "AAAA", "password": ""}, "/pkcs12", "malformed_container"),
        ):
            with self.subTest(code=code):
                problem = self.assert_problem(self.curl.post(CAS, self.imported("refused", **body)), 400)
                error = problem["errors"][0]
                self.assertEqual((error["pointer"], error["code"]), (pointer, code))
        self.assert_problem(self.curl.get(f"{CAS}/refused"), 404)
