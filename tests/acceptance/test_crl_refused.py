"""What cannot be revoked, and what is no list: problem documents that say why."""

from cryptography.hazmat.primitives.hashes import SHA256
from harness import crl, tools
from harness.case import on_both
from harness.revoking import CAS, Revoking

LIST = {"Content-Type": "application/pkix-crl"}


@on_both
class RefusedRevocations(Revoking):
    """Bad input to revocation."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("sub", "root")
        cls.foreign = tools.OpensslCa(cls.scratch / "foreign")

    def revoke_named(self, body: dict):
        return self.curl.post("/v1/issued-certificates/revoke", body)

    def test_a_foreign_certificate(self):
        leaf = tools.pem_blocks(self.foreign.leaf("stranger", "DNS:a.example.com").read_text())[0]
        problem = self.assert_problem(self.revoke_named({"certificate": leaf}), 404, "not_found")
        self.assertIn(f"{crl.load(leaf).fingerprint(SHA256()).hex()}", problem["detail"])
        serial = f"{crl.load(leaf).serial_number:x}"
        self.assert_problem(self.revoke_named({"serial": serial, "ca": "sub"}), 404, "not_found")
        self.assert_problem(self.curl.post(f"/v1/issued-certificates/{serial}/revoke", {}), 404, "not_found")

    def test_a_root_and_a_ca_certificate(self):
        problem = self.assert_problem(self.curl.post(f"{CAS}/root/versions/1/revoke", {}), 409, "not_revocable")
        self.assertIn("distrusted", problem["hint"])
        for ca in ("root", "sub"):
            problem = self.assert_problem(self.revoke_named({"certificate": self.house.certificate_of(ca)}), 409)
            self.assertEqual(problem["code"], "ca_certificate")
            self.assertIn(f"POST {CAS}/{ca}/versions/1/revoke", problem["hint"])
        self.assert_problem(self.curl.post(f"{CAS}/sub/versions/9/revoke", {}), 404, "not_found")

    def test_twice_and_for_odd_reasons(self):
        issued = self.leaf("sub", "twice")
        path = f"/v1/issued-certificates/{issued['serial']}/revoke"
        for reason in ("nonsense", "removeFromCRL", "", "KEYCOMPROMISE", "x" * 5000):
            problem = self.assert_problem(self.curl.post(path, {"reason": reason}), 400)
            self.assertEqual(problem["errors"][0]["pointer"], "/reason", reason)
        self.assert_problem(self.curl.post(path, {"reason": 1}), 400)
        self.assert_problem(self.curl.post(path, {"reason": "certificateHold"}), 409, "hold_not_enabled")
        first = self.assert_status(self.curl.post(path, {"reason": "superseded"}), 200).json
        again = self.assert_status(self.curl.post(path, {"reason": "superseded"}), 200).json
        self.assertEqual(again["revokedAt"], first["revokedAt"])
        self.assert_problem(self.curl.post(path, {"reason": "affiliationChanged"}), 409, "already_revoked")
        self.assert_problem(self.curl.post(path.replace("/revoke", "/release")), 409, "not_on_hold")
        worse = self.assert_status(self.curl.post(path, {"reason": "keyCompromise"}), 200).json
        self.assertEqual(worse["revocationReason"], "keyCompromise")

    def test_bodies_that_name_nothing_or_too_much(self):
        for body, status, code in (
            ({}, 400, "ambiguous_certificate"),
            ({"serial": "01"}, 400, "ambiguous_certificate"),
            ({"serial": "01", "ca": "sub", "certificate": "x"}, 400, "ambiguous_certificate"),
            ({"certificate": "garbage"}, 400, None),
            ({"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, 400, None),
            ({"serial": "zz", "ca": "sub"}, 400, "invalid_serial"),
            ({"serial": "01", "ca": "nowhere"}, 404, "not_found"),
            ({"certificate": "x", "siblings": True}, 400, None),
        ):
            with self.subTest(body):
                problem = self.assert_problem(self.revoke_named(body), status)
                self.assertIn(code, (None, problem["code"], *(error["code"] for error in problem.get("errors", []))))

    def test_lists_that_are_none(self):
        address = f"{CAS}/sub/crl"
        own = crl.Chain.follow(self.leaf("sub", "own")["certificate"])
        der = crl.fetch(crl.crl_urls(own.certificates[0])[0])
        for name, data in (
            ("garbage", b"garbage"),
            ("half of a list", der[: len(der) // 2]),
            ("a list with a tail", der + b"\0"),
            ("a byte of the signature", der[:-1] + bytes([der[-1] ^ 1])),
            ("a certificate", own.certificates[0].encode()),
            ("PEM of nothing", b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"),
        ):
            with self.subTest(name):
                self.assert_problem(self.curl.post(address, data=data, headers=LIST), 400)
        too_large = self.curl.post(address, data=b"\x30" * ((1 << 20) + 1), headers=LIST)
        self.assert_problem(too_large, 413)
        self.assert_problem(self.curl.post(address, data=der, headers={"Content-Type": "text/plain"}), 415)
        self.assert_problem(self.curl.post(f"{CAS}/nowhere/crl", data=der, headers=LIST), 404, "not_found")
        self.assert_problem(self.curl.post(address, data=der, headers=LIST, token=None), 401)
        root = crl.fetch(crl.crl_urls(own.certificates[1])[0])
        self.assert_problem(self.curl.post(address, data=root, headers=LIST), 400)
