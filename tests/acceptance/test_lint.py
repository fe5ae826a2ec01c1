"""pkilint on every kind of certificate that we make."""

import json
import re
from pathlib import Path

from harness import lint, tools
from harness.case import Case, ServerCase

ALGORITHMS = ("RSA_2048", "ECDSA_P256", "ECDSA_P384", "ECDSA_P521", "ED25519")
PROFILES = ("tls-server-or-client", "tls-server", "tls-client", "code-sign")
#: What is expected all the same, and why; a finding more or less is a failure.
EXPECTED = Path(__file__).with_name("expected-findings.json")


class LinterSees(Case):
    """The linters are awake: a planted fault is found."""

    def test_a_pair_that_does_not_belong_together(self):
        ca, other = (tools.OpensslCa(self.scratch / name) for name in ("one", "two"))
        found = lint.pair(other.root.read_text(), ca.sub.read_text())
        self.assertIn("pkix.signature_verification_failed", {f.code for f in found})

    def test_a_host_name_that_is_none(self):
        ca = tools.OpensslCa(self.scratch / "three")
        found = lint.pkix(tools.pem_blocks(ca.leaf("odd", "DNS:a..example.com").read_text())[0])
        self.assertIn("pkix.invalid_domain_name_syntax", {f.code for f in found})


class Lint(ServerCase):
    """pkilint reports nothing above NOTICE."""

    # pkilint takes a URL of a host without a dot for none.
    config = 'pki_url = "http://ca.example.com"\n'

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
            cls.responder(algorithm)
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
        constrained = cls.house.certificate_of("constrained")
        cls.leaf("leaf below name constraints", "constrained", constrained, names=names)
        issuer = cls.house.certificate_of("sub-ECDSA_P256")
        others = ["https://corp.example.com/db", "db@example.com", "xn--bcher-kva.example.com"]
        cls.leaf("client with URI, e-mail and A-label", "sub-ECDSA_P256", issuer, names=others, profile="tls-client")
        cls.leaf("client with SPIFFE id", "sub-ECDSA_P256", issuer, names=["spiffe://corp/db"], subject=None)
        cls.leaf("leaf without subject", "sub-ECDSA_P256", issuer, subject=None)
        cls.leaf("RSA leaf of an EC issuer", "sub-ECDSA_P256", issuer, keyAlgorithm="RSA_4096")
        for kind, san in (("", ""), (", e-mail among the names", ",email:copy")):
            _, csr = tools.new_csr(cls.scratch, f"a{len(san)}", tools.SUBJECT_A, f"DNS:service-a.example.com{san}")
            signed = cls.house.sign("sub-RSA_2048", csr.read_text())
            cls.kinds[f"CSR with an e-mail address in its subject{kind}"] = (
                signed["certificate"],
                cls.house.certificate_of("sub-RSA_2048"),
            )
        cls.house.root("root-email", subject={"commonName": "root-email", "emailAddress": "example@example.com"})
        cls.kinds["root with an e-mail address in its subject"] = (cls.house.certificate_of("root-email"),) * 2
        shown = tools.run("openssl", "s_client", "-connect", f"127.0.0.1:{cls.server.port}", "-showcerts").stdout
        chain = [*tools.pem_blocks(shown.decode()), cls.server.ca_file.read_text()]
        for number, pem in enumerate(chain):
            cls.kinds[f"the server's own chain, {number}"] = (pem, chain[min(number + 1, len(chain) - 1)])
        profile = {
            "name": "wildcard",
            "usages": ["serverAuth"],
            "names": {"dns": ["*"], "wildcards": True, "subject": ["*"]},
        }
        cls.house.made(cls.curl.post("/v1/profiles", profile))
        wild = {"names": ["*.example.com", "example.com"], "subject": {"commonName": "*.example.com"}}
        cls.leaf("wildcard", "sub-ECDSA_P256", issuer, profile="wildcard", **wild)

    @classmethod
    def responder(cls, algorithm: str) -> None:
        """The certificate of a subordinate's OCSP responder, as it comes with an answer about the subordinate."""
        root, sub = f"root-{algorithm}", f"sub-{algorithm}"
        files = [cls.scratch / f"{name}.pem" for name in (root, sub)]
        for path, name in zip(files, (root, sub)):
            path.write_text(cls.house.certificate_of(name))
        request, response = cls.scratch / "ocsp-request.der", cls.scratch / "ocsp-response.der"
        tools.openssl("ocsp", "-issuer", files[0], "-cert", files[1], "-reqout", request)
        kind = {"Content-Type": "application/ocsp-request"}
        response.write_bytes(cls.curl.post(f"/pki/{root}/ocsp", data=request.read_bytes(), headers=kind).body)
        text = tools.openssl("ocsp", "-respin", response, "-noverify", "-resp_text").decode()
        [pem] = tools.pem_blocks(text)
        cls.kinds[f"OCSP responder {algorithm}"] = (pem, files[0].read_text())

    @classmethod
    def leaf(cls, kind: str, ca: str, issuer: str, **more) -> None:
        """A leaf whose key the server makes, kept under the name of its kind."""
        wish = {
            "subject": {"commonName": "service-a.example.com"},
            "names": ["service-a.example.com"],
            "keyAlgorithm": "ECDSA_P256",
            **more,
        }
        issued = cls.house.made(cls.curl.post(f"/v1/certificate-authorities/{ca}/issue", wish))
        cls.kinds[kind] = (issued["certificate"], issuer)

    def test_rfc_5280(self):
        self.assertGreaterEqual(len(self.kinds), 40)
        expected = json.loads(EXPECTED.read_text())
        self.assertLessEqual(expected.keys(), self.kinds.keys())
        for kind, (pem, _) in self.kinds.items():
            with self.subTest(kind):
                # The server's own certificate names this machine and localhost; pkilint wants a dot in every name.
                found = [f for f in lint.pkix(pem) if not (kind.startswith("the server's own") and undotted(f))]
                codes = sorted(f"{f.severity} {f.code}" for f in found)
                self.assertEqual(codes, expected.get(kind, {}).get("pkix", []), [str(f) for f in found])

    def test_issuer_and_subject_belong_together(self):
        for kind, (pem, issuer) in self.kinds.items():
            with self.subTest(kind):
                self.assertEqual([str(f) for f in lint.pair(issuer, pem)], [])

    def test_wildcards_by_the_other_linter(self):
        # lint_pkix_cert objects to every wildcard, so they also go through the linter of the Baseline Requirements.
        found = sorted(f"{f.severity} {f.code}" for f in lint.cabf(self.kinds["wildcard"][0]))
        self.assertEqual(found, json.loads(EXPECTED.read_text())["wildcard"]["cabf"])


def undotted(finding: lint.Finding) -> bool:
    """Is this the objection to a host name without a dot?"""
    return finding.code == "pkix.invalid_domain_name_syntax" and bool(re.search(r'"[a-z0-9-]+"$', finding.message))
