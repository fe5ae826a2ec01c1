"""Foreign roots as bundles: what goes in comes out for openssl and Java."""

from harness import tools
from harness.case import ServerCase, on_both

PASSWORD = "correct horse"
BUNDLE = "/v1/ca-bundles/partners"


@on_both
class CaBundles(ServerCase):
    """CA bundles, by other people's programs."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        pki = tools.OpensslCa(cls.scratch / "partner")
        cls.leaf = pki.leaf("theirs", "DNS:theirs.example.com")
        cls.certificates = pki.root.read_text() + pki.sub.read_text()
        cls.made = cls.house.made(
            cls.curl.post("/v1/ca-bundles", {"name": "partners", "certificates": cls.certificates})
        )

    def test_openssl_trusts_by_what_comes_out(self):
        file = self.scratch / "partners.pem"
        file.write_bytes(self.assert_status(self.curl.get(f"{BUNDLE}?format=pem"), 200).body)
        tools.openssl("verify", "-CAfile", file, self.leaf)
        p7 = self.assert_status(self.curl.get(f"{BUNDLE}?format=p7"), 200).body
        listed = tools.openssl("pkcs7", "-inform", "DER", "-print_certs", data=p7).decode()
        self.assertEqual(listed.count("BEGIN CERTIFICATE"), 2)
        self.assertEqual(self.made["certificateCount"], 2)

    def test_keytool_lists_the_trust_stores(self):
        for kind, store, compat in (("p12", "PKCS12", False), ("p12", "PKCS12", True), ("jks", "JKS", False)):
            with self.subTest(kind=kind, compat=compat):
                body = {"format": kind, "password": PASSWORD, "compat": compat}
                answer = self.assert_status(self.curl.post(f"{BUNDLE}/trust-store", body), 200)
                file = self.scratch / f"partners-{compat}.{kind}"
                file.write_bytes(answer.body)
                done = tools.run(
                    "keytool", "-J-Duser.language=en", "-list", "-keystore", file, "-storetype", store,
                    "-storepass", PASSWORD,
                )  # fmt: skip
                self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
                self.assertEqual(done.stdout.count(b"trustedCertEntry"), 2)

    def test_a_leaf_is_no_ca(self):
        body = {"name": "wrong", "certificates": self.leaf.read_text()}
        self.assert_problem(self.curl.post("/v1/ca-bundles", body), 400)
        self.assert_problem(self.curl.get("/v1/ca-bundles/wrong"), 404)
