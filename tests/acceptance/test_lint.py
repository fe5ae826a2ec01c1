"""pkilint on every kind of certificate that we make."""

import json
from pathlib import Path

from harness import lint, tools
from harness.case import Case, ServerCase

ALGORITHMS = ("RSA_2048", "ECDSA_P256", "ECDSA_P384", "ECDSA_P521", "ED25519")
PROFILES = ("tls-server-or-client", "tls-server", "tls-client", "code-sign")
EXPECTED = Path(__file__).with_name("expected-findings")


class LinterSees(Case):
    """The linters are awake: a planted fault is found."""

    def test_a_pair_that_does_not_belong_together(self):
        ca, other = (tools.OpensslCa(self.scratch / name) for name in ("one", "two"))
        found = lint.pair(other.root.read_text(), ca.sub.read_text())
        self.assertIn("pkix.signature_verification_failed", {f.code for f in found})

    def test_a_host_name_with_an_underscore(self):
        ca = tools.OpensslCa(self.scratch / "three")
        found = lint.pkix(tools.pem_blocks(ca.leaf("odd", "DNS:bad_name.example.com").read_text())[0])
        self.assertIn("pkix.invalid_domain_name_syntax", {f.code for f in found})


class Lint(ServerCase):
    """pkilint reports nothing above NOTICE."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.kinds: dict[str, tuple[str, str]] = {}
        constraints = {
            "permitted": {"dns": ["example.com"], "ip": ["10.0.0.0/8", "2001:db8::/32"], "email": ["example.com"]},
            "excluded": {"dns": ["no.example.com"]},
        }
        for algorithm in ALGORITHMS:
            cls.house.root(f"root-{algorithm}", algorithm)
            cls.house.subordinate(f"sub-{algorithm}", f"root-{algorithm}", algorithm, rules={"pathLength": 0})
            cls.kinds[f"root {algorithm}"] = (cls.house.certificate_of(f"root-{algorithm}"),) * 2
            cls.kinds[f"subordinate {algorithm}"] = (
                cls.house.certificate_of(f"sub-{algorithm}"),
                cls.house.certificate_of(f"root-{algorithm}"),
            )
        for signature in ("SHA384_WITH_RSA", "SHA512_WITH_RSA"):
            cls.house.root(
                f"root-{signature}", "RSA_3072" if "384" in signature else "RSA_4096", signatureAlgorithm=signature
            )
            cls.kinds[f"root {signature}"] = (cls.house.certificate_of(f"root-{signature}"),) * 2
        cls.house.subordinate("constrained", "root-ECDSA_P256", rules={"pathLength": 1, "nameConstraints": constraints})
        cls.kinds["subordinate with name constraints"] = (
            cls.house.certificate_of("constrained"),
            cls.house.certificate_of("root-ECDSA_P256"),
        )
        names = ["service-a.example.com", "10.0.0.5", "2001:db8::5"]
        for profile in PROFILES:
            for algorithm in ALGORITHMS:
                code = profile == "code-sign"
                # Code is signed with RSA from 3072 bits.
                leaf = "RSA_3072" if code and algorithm == "RSA_2048" else algorithm
                issued = cls.house.issue(
                    f"sub-{algorithm}",
                    "DDIM code" if code else "service-a.example.com",
                    [] if code else names,
                    algorithm=leaf,
                    profile=profile,
                )
                cls.kinds[f"{profile} {algorithm}"] = (
                    issued["certificate"],
                    cls.house.certificate_of(f"sub-{algorithm}"),
                )
        issued = cls.house.issue("constrained", "service-a.example.com", names)
        cls.kinds["leaf below name constraints"] = (issued["certificate"], cls.house.certificate_of("constrained"))
        issued = cls.house.issue(
            "sub-ECDSA_P256",
            "db",
            ["spiffe://corp/db", "db@example.com", "xn--bcher-kva.example.com"],
            profile="tls-client",
        )
        cls.kinds["client with URI, e-mail and A-label"] = (
            issued["certificate"],
            cls.house.certificate_of("sub-ECDSA_P256"),
        )
        issued = cls.house.made(
            cls.curl.post(
                "/v1/certificate-authorities/sub-ECDSA_P256/issue",
                {"names": ["service-a.example.com"], "keyAlgorithm": "ECDSA_P256"},
            )
        )
        cls.kinds["leaf without subject"] = (issued["certificate"], cls.house.certificate_of("sub-ECDSA_P256"))
        _, csr = tools.new_csr(cls.scratch, "a", tools.SUBJECT_A, "DNS:service-a.example.com")
        cls.kinds["CSR with a long subject"] = (
            cls.house.sign("sub-RSA_2048", csr.read_text())["certificate"],
            cls.house.certificate_of("sub-RSA_2048"),
        )
        server = tools.pem_blocks(
            tools.run("openssl", "s_client", "-connect", f"127.0.0.1:{cls.server.port}", "-showcerts").stdout.decode()
        )
        for number, pem in enumerate(server):
            issuer = server[number + 1] if number + 1 < len(server) else cls.server.ca_file.read_text()
            cls.kinds[f"the server's own chain, {number}"] = (pem, issuer)

    def test_rfc_5280(self):
        self.assertGreaterEqual(len(self.kinds), 35)
        for kind, (pem, _) in self.kinds.items():
            with self.subTest(kind):
                self.assertEqual([str(f) for f in lint.pkix(pem)], [])

    def test_issuer_and_subject_belong_together(self):
        for kind, (pem, issuer) in self.kinds.items():
            with self.subTest(kind):
                self.assertEqual([str(f) for f in lint.pair(issuer, pem)], [])

    def test_wildcards_by_the_other_linter(self):
        # lint_pkix_cert objects to every wildcard, so these go through the linter of the Baseline Requirements. What a
        # private CA cannot have (a policy of the CA/B Forum) stands in a file; a finding more or less is a failure.
        profile = {
            "name": "wildcard",
            "usages": ["serverAuth"],
            "names": {"dns": ["*"], "wildcards": True, "subject": ["*"]},
        }
        self.house.made(self.curl.post("/v1/profiles", profile))
        issued = self.house.issue(
            "sub-ECDSA_P256", "*.example.com", ["*.example.com", "example.com"], profile="wildcard"
        )
        self.assertEqual([f.code for f in lint.pkix(issued["certificate"])], ["pkix.invalid_domain_name_syntax"])
        found = sorted(f"{f.severity} {f.code}" for f in lint.cabf(issued["certificate"]))
        self.assertEqual(found, json.loads((EXPECTED / "wildcard.json").read_text()))
        self.assertEqual(lint.pair(self.house.certificate_of("sub-ECDSA_P256"), issued["certificate"]), [])
