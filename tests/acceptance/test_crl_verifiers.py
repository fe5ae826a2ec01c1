"""Revocation lists in front of GnuTLS and NSS, which Firefox, wget and many Linux programs rest on."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from harness import crl, tools
from harness.case import on_both
from harness.revoking import Revoking

REVOKED_BY_GNUTLS = "The certificate chain is revoked"
REVOKED_BY_NSS = "revoked"


@on_both
class CrlByGnutls(Revoking):
    """`certtool --verify --load-crl`."""

    def test_a_leaf_and_a_subordinate_are_revoked(self):
        self.house.root("root")
        self.house.subordinate("sub", "root")
        self.house.subordinate("other", "root")
        good, bad, below = self.leaf("sub", "good"), self.leaf("sub", "bad"), self.leaf("other", "below")
        for issued in (good, below):
            crl.wait_listed(crl.crl_urls(issued["certificate"])[0])
        self.assertEqual([self.gnutls(issued) for issued in (good, bad, below)], [None] * 3)
        self.revoke(bad, "keyCompromise")
        revoked = self.curl.post("/v1/certificate-authorities/other/versions/1/revoke", {"reason": "cACompromise"})
        serial = self.assert_status(revoked, 200).json["version"]["serial"]
        crl.wait_listed(crl.crl_urls(bad["certificate"])[0], bad["serial"])
        crl.wait_listed(crl.crl_urls(self.house.certificate_of("other"))[0], serial)
        self.assertIsNone(self.gnutls(good))
        for issued in (bad, below):
            self.assertIn("revoked", self.gnutls(issued) or "accepted")

    def gnutls(self, issued: dict) -> str | None:
        """The verdict with the certificate and what its URLs lead to."""
        return crl.verify_gnutls(crl.Chain.follow(issued["certificate"]).save(self.scratch, issued["serial"]))


class Nss:
    """A database of NSS with CAs, their lists, and leaves."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.folder = folder
        self.place = f"sql:{folder}"
        self.run("certutil", "-N", "--empty-password")

    def run(self, tool: str, *arguments: object) -> str:
        """One of NSS' tools on the database; it must succeed."""
        done = tools.run(tool, "-d", self.place, *arguments)
        if done.returncode:
            raise AssertionError(f"{tool} {arguments}: {(done.stdout + done.stderr).decode()}")
        return done.stdout.decode()

    def add(self, name: str, pem: str, trust: str) -> None:
        """A certificate under a nickname."""
        file = self.folder / f"{name}.pem"
        file.write_text(pem)
        self.run("certutil", "-A", "-n", name, "-t", trust, "-a", "-i", file)

    def add_crl(self, listed: x509.CertificateRevocationList) -> str:
        """A list; NSS' words when it does not take it."""
        file = self.folder / "list.der"
        file.write_bytes(listed.public_bytes(Encoding.DER))
        done = tools.run("crlutil", "-I", "-d", self.place, "-t", "1", "-i", file)
        return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()

    def verify(self, name: str) -> str | None:
        """`certutil -V` as a TLS server; None when accepted, else NSS' words."""
        done = tools.run("certutil", "-V", "-d", self.place, "-n", name, "-u", "V", "-e")
        return None if done.returncode == 0 else (done.stdout + done.stderr).decode()

    def vfychain(self, name: str) -> str | None:
        """`vfychain` with the revocation settings of the library's newer verifier; None when accepted."""
        file = self.folder / f"{name}.pem"
        done = tools.run(
            "vfychain", "-d", self.place, "-pp", "-u", "1", "-g", "leaf", "-m", "crl", "-s", "requireInfo", "-a", file
        )
        return None if done.returncode == 0 else (done.stdout + done.stderr).decode()


@on_both
class CrlByNss(Revoking):
    """`crlutil`, `certutil -V` and `vfychain`."""

    def test_a_full_list_is_taken_and_decides(self):
        self.house.root("root")
        self.house.subordinate("sub", "root")
        good, bad = (self.leaf("sub", name) for name in ("good", "bad"))
        self.revoke(bad, "keyCompromise")
        crl.wait_listed(crl.crl_urls(bad["certificate"])[0], bad["serial"])
        chain = crl.Chain.follow(bad["certificate"])
        nss = Nss(self.scratch / "nss")
        nss.add("root", chain.certificates[2], "C,C,C")
        nss.add("sub", chain.certificates[1], ",,")
        nss.add("good", good["certificate"], ",,")
        nss.add("bad", bad["certificate"], ",,")
        self.assertIsNone(nss.verify("bad"), "without lists, nobody knows")
        for listed in chain.crls:
            self.assertEqual(nss.add_crl(listed), "")
        self.assertIn("sub", nss.run("crlutil", "-L"))
        for verdict in (nss.verify, nss.vfychain):
            with self.subTest(verdict.__name__):
                self.assertIsNone(verdict("good"))
                self.assertIn(REVOKED_BY_NSS, (verdict("bad") or "accepted").lower())

    def test_a_shard_is_not_for_nss(self):
        """What docs/revocation.md warns of: the critical issuingDistributionPoint, which RFC 5280 demands of shards."""
        self.house.root("cut")
        self.change("cut", {"crl": {"shards": 2}})
        issued = self.leaf("cut", "sharded")
        listed = crl.wait_listed(crl.crl_urls(issued["certificate"])[0])
        nss = Nss(self.scratch / "sharded")
        nss.add("cut", self.house.certificate_of("cut"), "C,C,C")
        self.assertIn("SEC_ERROR_CRL", nss.add_crl(listed) or "taken")
