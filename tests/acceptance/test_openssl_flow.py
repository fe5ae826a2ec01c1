"""CSRs made by `openssl req`, signed by us, read back by `openssl x509`."""

from harness import tools
from harness.case import ServerCase, on_both

NAMES = {
    "service-a": (tools.SUBJECT_A, "DNS:service-a.example.com,DNS:service-a.internal.example.com,IP:10.0.0.5"),
    "service-b": (tools.SUBJECT_B, "IP:10.0.0.6,DNS:service-b.example.com,URI:spiffe://corp/service-b"),
}
SHOWN_SUBJECT = (
    "Subject: C = KR, ST = Seongnam-si, L = Bundang-gu, O = DDIM, OU = Engineer, "
    "emailAddress = example@example.com, CN = {}.example.com"
)
SHOWN_NAMES = {
    "service-a": "DNS:service-a.example.com, DNS:service-a.internal.example.com, IP Address:10.0.0.5",
    "service-b": "IP Address:10.0.0.6, DNS:service-b.example.com, URI:spiffe://corp/service-b",
}


@on_both
class OpensslFlow(ServerCase):
    """The openssl flow: CSRs by `openssl req` for services A and B."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root", "RSA_2048")
        cls.house.subordinate("issuing-1", "root", "ECDSA_P384")
        cls.csrs = {name: tools.new_csr(cls.scratch, name, *wish) for name, wish in NAMES.items()}

    def check(self, service: str, certificate: str) -> None:
        """Subject, names and key are the CSR's, in the CSR's order."""
        key, _ = self.csrs[service]
        text = tools.describe(certificate)
        self.assertIn(SHOWN_SUBJECT.format(service), text)
        self.assertIn(SHOWN_NAMES[service], text)
        self.assertIn("Issuer: CN = issuing-1, O = DDIM", text)
        public = tools.openssl("x509", "-noout", "-pubkey", data=certificate.encode())
        self.assertEqual(public, tools.openssl("pkey", "-in", key, "-pubout"))

    def sign_raw(self, data: bytes, query: str = "", **headers: str):
        """The CSR as `application/pkcs10`."""
        path = f"/v1/certificate-authorities/issuing-1/sign{query}"
        return self.curl.call("POST", path, data=data, headers={"Content-Type": "application/pkcs10", **headers})

    def test_json_with_the_csr_as_pem(self):
        for service, (_, csr) in self.csrs.items():
            with self.subTest(service):
                self.check(
                    service,
                    self.house.sign("issuing-1", csr.read_text(), profile="tls-server-or-client")["certificate"],
                )

    def test_pkcs10_as_pem(self):
        for service, (_, csr) in self.csrs.items():
            with self.subTest(service):
                self.check(service, self.assert_status(self.sign_raw(csr.read_bytes()), 201).json["certificate"])

    def test_pkcs10_as_der(self):
        for service, (_, csr) in self.csrs.items():
            with self.subTest(service):
                der = tools.openssl("req", "-in", csr, "-outform", "DER")
                self.check(service, self.assert_status(self.sign_raw(der), 201).json["certificate"])

    def test_profile_and_lifetime_stand_in_the_query_of_a_pkcs10_call(self):
        _, csr = self.csrs["service-a"]
        answer = self.assert_status(self.sign_raw(csr.read_bytes(), "?profile=tls-server&duration=PT24H"), 201).json
        self.assertEqual(answer["profile"], "tls-server")
        text = tools.describe(answer["certificate"])
        self.assertNotIn("TLS Web Client Authentication", text)

    def test_the_answer_as_a_pem_chain_is_ready_for_a_server(self):
        _, csr = self.csrs["service-a"]
        answer = self.assert_status(self.sign_raw(csr.read_bytes(), Accept="application/pem-certificate-chain"), 201)
        self.assertEqual(answer.content_type, "application/pem-certificate-chain")
        blocks = tools.pem_blocks(answer.text)
        self.assertEqual(len(blocks), 2, "leaf and issuing CA, without the root")
        self.check("service-a", blocks[0])
        self.assertEqual(blocks[1].strip(), self.house.certificate_of("issuing-1").strip())

    def test_every_key_type_that_openssl_makes(self):
        for algorithm in ("RSA_2048", "ECDSA_P256", "ECDSA_P384", "ECDSA_P521", "ED25519"):
            with self.subTest(algorithm):
                _, csr = tools.new_csr(
                    self.scratch,
                    algorithm,
                    f"/CN={algorithm.lower().replace('_', '-')}.example.com",
                    f"DNS:{algorithm.lower().replace('_', '-')}.example.com",
                    algorithm=algorithm,
                )
                text = tools.describe(self.house.sign("issuing-1", csr.read_text())["certificate"])
                usage = text.split("X509v3 Key Usage: critical")[1].splitlines()[1]
                self.assertIn("Digital Signature", usage)
                self.assertEqual("Key Encipherment" in usage, algorithm.startswith("RSA"), usage)

    def test_bad_csrs_are_refused_and_leave_nothing(self):
        before = len(self.house.inventory())
        _, csr = self.csrs["service-a"]
        pem = csr.read_text()
        der = bytearray(tools.openssl("req", "-in", csr, "-outform", "DER"))
        der[-5] ^= 0x55
        _, weak = tools.new_csr(
            self.scratch, "weak", "/CN=weak.example.com", "DNS:weak.example.com", algorithm="RSA_1024"
        )
        cases = {
            "garbage": (b"no csr at all", (400,)),
            "empty": (b"", (400,)),
            "a certificate in place of a CSR": (self.house.certificate_of("root").encode(), (400,)),
            "PEM with a hole": (pem.replace("\n", "\n!!!", 3).encode(), (400,)),
            "broken signature": (bytes(der), (400, 422)),
            "RSA with 1024 bits": (weak.read_bytes(), (422,)),
        }
        for name, (data, statuses) in cases.items():
            with self.subTest(name):
                answer = self.sign_raw(data)
                self.assertIn(answer.status, statuses, f"\n{answer}")
                self.assert_problem(answer, answer.status)
        self.assertEqual(len(self.house.inventory()), before)
