"""pkilint on every kind of list that we make."""

from harness import crl, lint
from harness.case import on_both
from harness.revoking import Revoking

ALGORITHMS = ("ECDSA_P256", "ECDSA_P384", "RSA_2048", "ED25519")
REASONS = ("unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn")


class LinterSees(Revoking):
    """The linter is awake: a planted fault is found."""

    def test_a_list_without_a_number(self):
        import datetime

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        now = datetime.datetime.now(datetime.UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
        builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(now)
        made = builder.next_update(now + datetime.timedelta(days=1)).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        self.assertTrue(lint.crl(crl.pem(made)))


@on_both
class CrlLint(Revoking):
    """`lint_crl` reports nothing above NOTICE."""

    # pkilint takes a URL of a host without a dot for none.
    config = 'pki_url = "http://ca.example.com"\n'

    def fetch(self, url: str):
        """The list behind an address that certificates name; the host stands for this one."""
        return crl.fetch_crl(url, "--connect-to", f"ca.example.com:80:127.0.0.1:{self.server.plain_port}")

    def test_full_empty_delta_and_sharded_lists(self):
        lists: dict[str, tuple] = {}
        for algorithm in ALGORITHMS:
            ca = f"root-{algorithm}"
            self.house.root(ca, algorithm)
            delta = {"enabled": True, "interval": "PT1S"}
            self.change(ca, {"crl": {"interval": "PT6H", "delta": delta}, "holdEnabled": True})
            whole = self.leaf(ca, "whole")
            (url,) = crl.crl_urls(whole["certificate"])
            self.assert_status(self.curl.post(f"/v1/certificate-authorities/{ca}/crl"), 200)
            lists[f"{algorithm}, empty"] = self.fetch(url), 0
            for reason in REASONS:
                self.revoke(self.leaf(ca, reason.lower()), reason)
            self.revoke(self.leaf(ca, "held"), "certificateHold")
            (address,) = crl.delta_urls(lists[f"{algorithm}, empty"][0])
            changed = len(REASONS) + 1

            def full_of_changes(address=address, changed=changed):
                found = self.fetch(address)
                return found if len(found) == changed else None

            lists[f"{algorithm}, delta"] = crl.wait_for("a delta list", full_of_changes), changed
            self.assert_status(self.curl.post(f"/v1/certificate-authorities/{ca}/crl"), 200)
            lists[f"{algorithm}, full"] = self.fetch(url), changed
            lists[f"{algorithm}, empty delta"] = self.fetch(address), 0
            self.change(ca, {"crl": {"shards": 2}})
            sharded = self.leaf(ca, "sharded")
            self.revoke(sharded)
            self.assert_status(self.curl.post(f"/v1/certificate-authorities/{ca}/crl"), 200)
            lists[f"{algorithm}, shard"] = self.fetch(crl.crl_urls(sharded["certificate"])[0]), None
        for kind, (listed, entries) in lists.items():
            with self.subTest(kind):
                self.assertTrue(entries is None and len(listed) or len(listed) == entries)
                self.assertEqual([str(f) for f in lint.crl(crl.pem(listed))], [])
