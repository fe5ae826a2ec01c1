"""Root → subordinate → leaf as other people's software sees it, and faults that both they and we refuse."""

import datetime

from harness import tools
from harness.case import Case, ServerCase

HOST = "service-a.example.com"

#: Fault, and a word of the reason that each verifier must give: a refusal for another reason proves nothing.
REASONS = {
    "wrong name": {
        "openssl": "hostname mismatch",
        "gnutls": "name in the certificate does not match",
        "pyca": "no matching subjectAltName",
    },
    "expired": {"openssl": "certificate has expired", "gnutls": "expired", "pyca": "not valid at validation time"},
    "wrong usage": {
        "openssl": "unsuitable certificate purpose",
        "gnutls": "does not match the intended purpose",
        "pyca": "required EKU not found",
    },
    "name constraint": {
        "openssl": "permitted subtree violation",
        "gnutls": "violates the signer's constraints",
        "pyca": "name constraints",
    },
}


class ForeignFaults(Case):
    """The verifiers refuse certificates with a planted fault, made by openssl."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.ca = tools.OpensslCa(cls.scratch / "openssl-ca")
        cls.root = tools.pem_blocks(cls.ca.root.read_text())[0]

    def verdicts(self, leaf, host: str) -> dict[str, str | None]:
        """What each verifier says of a server certificate; None: accepted."""
        return verdicts(self.ca.root, self.root, leaf, self.ca.sub, self.ca.chain(leaf), host)

    def test_a_good_one_is_accepted(self):
        leaf = self.ca.leaf("good", f"DNS:{HOST}")
        self.assertEqual(self.verdicts(leaf, HOST), {"openssl": None, "gnutls": None, "pyca": None})

    def test_faults_are_refused_for_the_right_reason(self):
        wishes = {
            "wrong name": (self.ca.leaf("other", "DNS:service-b.example.com"), HOST),
            "expired": (self.ca.leaf("old", f"DNS:{HOST}", expired=True), HOST),
            "wrong usage": (self.ca.leaf("client", f"DNS:{HOST}", usage="clientAuth"), HOST),
            "name constraint": (self.ca.leaf("outside", "DNS:service-a.example.org"), "service-a.example.org"),
        }
        for fault, (leaf, host) in wishes.items():
            for verifier, words in self.verdicts(leaf, host).items():
                with self.subTest(f"{fault}, {verifier}"):
                    self.assertIsNotNone(words, "accepted")
                    self.assertIn(REASONS[fault][verifier], words)


class OurChains(ServerCase):
    """Root → subordinate → leaf of ours: openssl -x509_strict, GnuTLS, pyca/cryptography."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        constraints = {"permitted": {"dns": ["example.com"], "ip": ["10.0.0.0/8"]}, "excluded": {}}
        names = {"dns": ["*"], "subject": ["*"], "commonNameInNames": True}
        cls.house.made(cls.curl.post("/v1/profiles", {"name": "strict", "usages": ["serverAuth"], "names": names}))
        for algorithm in ("RSA_2048", "ECDSA_P256", "ECDSA_P384", "ECDSA_P521", "ED25519"):
            cls.house.root(f"root-{algorithm}", algorithm)
            cls.house.subordinate(
                f"sub-{algorithm}",
                f"root-{algorithm}",
                algorithm,
                rules={"pathLength": 0, "nameConstraints": constraints},
            )

    def verify(self, ca: str, issued: dict, host: str = HOST) -> dict[str, str | None]:
        """What each verifier says of one of our server certificates."""
        root_pem = self.house.certificate_of(ca.replace("sub-", "root-"))
        root, leaf, sub, chain = (
            self.scratch / f"{issued['serial']}.{end}" for end in ("root", "leaf", "sub", "chain")
        )
        blocks = tools.pem_blocks(issued["chain"])
        root.write_text(root_pem)
        leaf.write_text(blocks[0])
        sub.write_text("".join(blocks[1:]))
        chain.write_text(issued["chain"])
        return verdicts(root, root_pem, leaf, sub, chain, host)

    def test_every_chain_of_one_key_type_is_accepted(self):
        for algorithm in ("RSA_2048", "ECDSA_P256", "ECDSA_P384", "ECDSA_P521", "ED25519"):
            with self.subTest(algorithm):
                issued = self.house.issue(
                    f"sub-{algorithm}", HOST, [HOST, "10.0.0.5"], algorithm=algorithm, profile="tls-server"
                )
                said = self.verify(f"sub-{algorithm}", issued)
                if algorithm in ("ECDSA_P521", "ED25519") and said["pyca"]:
                    # pyca's default policy is the web's: it takes neither curve. The others must.
                    self.assertRegex(said.pop("pyca"), r"(?i)forbidden|algorithm")
                self.assertEqual({k: v for k, v in said.items() if v}, {})

    def test_a_client_certificate_is_accepted_from_clients_only(self):
        issued = self.house.issue("sub-ECDSA_P256", HOST, [HOST], profile="tls-client")
        said = self.verify("sub-ECDSA_P256", issued)
        for verifier, words in said.items():
            self.assertIn(REASONS["wrong usage"][verifier], words or "accepted")
        blocks = tools.pem_blocks(issued["chain"])
        self.assertIsNone(tools.verify_pyca(self.house.certificate_of("root-ECDSA_P256"), blocks))

    def test_our_leaf_under_another_name_is_refused(self):
        said = self.verify("sub-ECDSA_P256", self.house.issue("sub-ECDSA_P256", HOST, [HOST]), "service-b.example.com")
        for verifier, words in said.items():
            self.assertIn(REASONS["wrong name"][verifier], words or "accepted")

    def test_we_refuse_the_same_faults_earlier(self):
        before = len(self.house.inventory())
        now = datetime.datetime.now(datetime.UTC)
        past = {
            "notBefore": stamp(now - datetime.timedelta(days=9)),
            "notAfter": stamp(now - datetime.timedelta(days=1)),
        }
        base = {"subject": {"commonName": HOST}, "names": [HOST], "keyAlgorithm": "ECDSA_P256", "profile": "tls-server"}
        wishes = {
            "a commonName that is none of the names": {
                **base,
                "subject": {"commonName": "service-b.example.com"},
                "profile": "strict",
            },
            "a usage that the profile does not give": {**base, "names": ["someone@example.com"]},
            "expired before it begins": {**base, "validity": past},
            "a DNS name outside the constraints": {
                **base,
                "subject": {"commonName": "service-a.example.org"},
                "names": ["service-a.example.org"],
            },
            "an address outside the constraints": {**base, "names": [HOST, "192.0.2.1"]},
            "a lifetime beyond the rule": {**base, "validity": {"duration": "P91D"}},
            "a wildcard without leave": {**base, "names": [HOST, "*.example.com"]},
        }
        for fault, body in wishes.items():
            with self.subTest(fault):
                problem = self.assert_problem(
                    self.curl.post("/v1/certificate-authorities/sub-ECDSA_P256/issue", body), 422
                )
                self.assertTrue(problem["errors"], problem)
                for error in problem["errors"]:
                    self.assertTrue(error.get("rule"), error)
                    self.assertTrue(error.get("hint"), error)
        self.assertEqual(len(self.house.inventory()), before)

    def test_all_broken_rules_are_listed_together(self):
        body = {
            "subject": {"commonName": HOST},
            "names": [HOST, "*.example.com", "192.0.2.1", "other.example.org"],
            "keyAlgorithm": "ECDSA_P256",
            "profile": "tls-server",
            "validity": {"duration": "P91D"},
        }
        problem = self.assert_problem(self.curl.post("/v1/certificate-authorities/sub-ECDSA_P256/issue", body), 422)
        rules = {error["rule"] for error in problem["errors"]}
        self.assertGreaterEqual(len(problem["errors"]), 4, problem)
        self.assertLessEqual({"leafMaxValidity", "nameConstraints"}, rules)

    def test_no_ca_below_a_path_length_of_zero(self):
        self.house.key("too-deep-key")
        body = {
            "name": "too-deep",
            "type": "SUBORDINATE",
            "issuer": "sub-ECDSA_P256",
            "vault": "default",
            "key": "too-deep-key",
            "subject": {"commonName": "too-deep"},
        }
        problem = self.assert_problem(self.curl.post("/v1/certificate-authorities", body), 422)
        self.assertIn("pathLength", {error["rule"] for error in problem["errors"]})
        self.assert_problem(self.curl.get("/v1/certificate-authorities/too-deep"), 404)


def verdicts(root, root_pem, leaf, sub, chain, host) -> dict[str, str | None]:
    """The three verifiers' words about a server certificate; None: accepted."""
    return {
        "openssl": tools.verify_openssl(root, sub, leaf, host=host, purpose="sslserver"),
        "gnutls": tools.verify_gnutls(root, chain, host=host, purpose="sslserver"),
        "pyca": tools.verify_pyca(root_pem, tools.pem_blocks(chain.read_text()), host=host),
    }


def stamp(moment: datetime.datetime) -> str:
    """RFC 3339."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
