"""Vault, master key, root CA and certificate as in OCI's walk-through, by curl alone."""

import datetime

from harness import tools
from harness.case import ServerCase, on_both

DAY = 86_400_000
SUBJECT = {
    "commonName": "oci-demo-int-cert-auth",
    "organization": "DDIM",
    "organizationalUnit": "Engineer",
    "locality": "Bundang-gu",
    "stateOrProvince": "Seongnam-si",
    "country": "KR",
    "emailAddress": "example@example.com",
}


@on_both
class OciFlow(ServerCase):
    """The OCI flow, by curl alone."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.start = datetime.datetime.now(datetime.UTC).replace(microsecond=0)

    def issue(self, milliseconds: int, **options):
        """Asks for a certificate that is valid for exactly this long (both end seconds counted)."""
        end = self.start + datetime.timedelta(milliseconds=milliseconds) - datetime.timedelta(seconds=1)
        body = {
            "subject": {"commonName": "oci-demo-certificate"},
            "names": ["service-a.example.com", "10.0.0.5"],
            "profile": "tls-server-or-client",
            "keyAlgorithm": "RSA_2048",
            "validity": {"notBefore": rfc3339(self.start), "notAfter": rfc3339(end)},
        }
        return self.curl.post("/v1/certificate-authorities/oci-demo-int-cert-auth/issue", body, **options)

    # unittest runs the methods by name: the numbers keep the order of the walk-through.

    def test_1_the_vault_is_made(self):
        vault = self.assert_status(self.curl.post("/v1/vaults", {"name": "oci-demo-vault"}), 201)
        self.assertEqual(vault.json["name"], "oci-demo-vault")
        self.assertRegex(vault.json["id"], r"^vault_[0-9A-HJKMNP-TV-Z]{26}$")
        self.assertIn(vault.headers["location"], ("/v1/vaults/oci-demo-vault", f"/v1/vaults/{vault.json['id']}"))
        by_id = self.assert_status(self.curl.get(f"/v1/vaults/{vault.json['id']}"), 200)
        self.assertEqual(by_id.json["name"], "oci-demo-vault")

    def test_2_a_key_in_an_hsm_needs_a_setting(self):
        body = {"name": "oci-demo-ms-key", "algorithm": "RSA", "length": 2048, "protection": "HSM"}
        problem = self.assert_problem(self.curl.post("/v1/vaults/oci-demo-vault/keys", body), 409)
        self.assertIn("pkcs11", (problem["detail"] + problem["hint"]).lower())
        self.assert_problem(self.curl.get("/v1/vaults/oci-demo-vault/keys/oci-demo-ms-key"), 404)

    def test_3_the_master_key_is_made(self):
        body = {"name": "oci-demo-ms-key", "algorithm": "RSA", "length": 2048, "protection": "SOFTWARE"}
        key = self.assert_status(self.curl.post("/v1/vaults/oci-demo-vault/keys", body), 201).json
        self.assertEqual((key["algorithm"], key["length"], key["protection"]), ("RSA", 2048, "SOFTWARE"))
        self.assertNotIn("PRIVATE", str(key))

    def test_4_the_root_ca_is_made_with_the_whole_subject(self):
        body = {
            "name": "oci-demo-int-cert-auth",
            "type": "ROOT",
            "vault": "oci-demo-vault",
            "key": "oci-demo-ms-key",
            "subject": SUBJECT,
            "signatureAlgorithm": "SHA256_WITH_RSA",
            "validity": {"duration": "P3650D"},
            "rules": {"leafMaxValidity": "P90D", "subordinateMaxValidity": "P1825D"},
        }
        ca = self.assert_status(self.curl.post("/v1/certificate-authorities", body), 201).json
        self.assertEqual(ca["rules"]["leafMaxValidity"], "P90D")
        text = tools.describe(self.house.certificate_of("oci-demo-int-cert-auth"))
        self.assertIn(
            "CN = oci-demo-int-cert-auth, O = DDIM, OU = Engineer, L = Bundang-gu, ST = Seongnam-si, C = KR",
            text.replace(", emailAddress = example@example.com", ""),
        )
        self.assertIn("emailAddress = example@example.com", text)
        self.assertIn("Signature Algorithm: sha256WithRSAEncryption", text)
        self.assertIn("CA:TRUE", text)

    def test_5_ninety_days_and_seventeen_hours_are_refused_in_these_words(self):
        value = 90 * DAY + 17 * 3_600_000
        problem = self.assert_problem(self.issue(value), 422)
        sentence = f"The validity period {value} exceeds the maximum validity period allowed 7776000000."
        errors = [e for e in problem["errors"] if e["rule"] == "leafMaxValidity"]
        self.assertEqual(len(errors), 1, problem)
        self.assertIn(sentence, errors[0]["detail"])
        self.assertEqual(str(errors[0]["limit"]), "P90D")
        self.assertTrue(errors[0]["hint"])
        self.assertEqual(self.house.inventory("&name=oci-demo-certificate"), [])

    def test_6_one_day_less_is_issued(self):
        issued = self.assert_status(self.issue(89 * DAY + 17 * 3_600_000), 201).json
        self.assertEqual(issued["profile"], "tls-server-or-client")
        self.assertEqual(issued["ca"], "oci-demo-int-cert-auth")
        self.assertEqual(issued["names"], ["service-a.example.com", "10.0.0.5"])
        text = tools.describe(issued["certificate"])
        self.assertIn("Subject: CN = oci-demo-certificate", text)
        self.assertIn("DNS:service-a.example.com, IP Address:10.0.0.5", text)
        self.assertIn("TLS Web Server Authentication, TLS Web Client Authentication", text)
        self.assertIn("Public-Key: (2048 bit)", text)
        made = tools.openssl("pkey", "-pubout", data=issued["privateKey"].encode())
        self.assertEqual(made, tools.openssl("x509", "-noout", "-pubkey", data=issued["certificate"].encode()))

    def test_7_the_inventory_knows_it(self):
        rows = self.house.inventory("&name=oci-demo-certificate")
        self.assertEqual(len(rows), 1)
        spelled = ":".join(rows[0]["serial"][i : i + 2] for i in range(0, len(rows[0]["serial"]), 2)).upper()
        for reference in (rows[0]["serial"], spelled, rows[0]["fingerprint"]):
            found = self.assert_status(self.curl.get(f"/v1/issued-certificates/{reference}"), 200).json
            self.assertEqual(found["fingerprint"], rows[0]["fingerprint"])


def rfc3339(moment: datetime.datetime) -> str:
    """As the API wants it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
