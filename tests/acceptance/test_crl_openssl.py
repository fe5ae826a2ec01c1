"""Revocation lists in front of `openssl verify -crl_check_all -x509_strict`, fetched from where certificates say."""

from cryptography import x509
from harness import crl
from harness.case import on_both
from harness.revoking import CAS, REVOKED, Revoking


@on_both
class CrlByOpenssl(Revoking):
    """Root → subordinate → leaf, with the lists of both CAs."""

    def setUp(self) -> None:
        name = self.id().rsplit("_", 1)[-1]
        self.root, self.sub = f"root-{name}", f"sub-{name}"
        self.house.root(self.root)
        self.house.subordinate(self.sub, self.root)

    def test_a_leaf_is_revoked(self):
        good, bad = self.leaf(self.sub, "good"), self.leaf(self.sub, "bad")
        crl.wait_listed(crl.crl_urls(bad["certificate"])[0])
        self.accepted(good)
        self.accepted(bad)
        self.revoke(bad, "keyCompromise")
        listed = crl.wait_listed(crl.crl_urls(bad["certificate"])[0], bad["serial"])
        self.assertEqual(crl.reasons_of(listed), {int(bad["serial"], 16): "Key Compromise"})
        self.refused(bad)
        self.accepted(good)

    def test_what_stands_below_a_revoked_subordinate(self):
        leaf = self.leaf(self.sub, "below")
        sub = self.house.certificate_of(self.sub)
        crl.wait_listed(crl.crl_urls(leaf["certificate"])[0])
        self.accepted(leaf)
        revoked = self.curl.post(f"{CAS}/{self.sub}/versions/1/revoke", {"reason": "cACompromise"})
        serial = self.assert_status(revoked, 200).json["version"]["serial"]
        listed = crl.wait_listed(crl.crl_urls(sub)[0], serial)
        self.assertEqual(crl.reasons_of(listed), {int(serial, 16): "CA Compromise"})
        self.refused(leaf)

    def test_a_list_that_another_ca_signed_is_none(self):
        self.house.root("stranger")
        mine, foreign = self.leaf(self.sub, "mine"), self.leaf("stranger", "foreign")
        for issued in (mine, foreign):
            crl.wait_listed(crl.crl_urls(issued["certificate"])[0])
        chain = crl.Chain.follow(mine["certificate"])
        chain.crls = [chain.crls[1], crl.Chain.follow(foreign["certificate"]).crls[0]]
        said = crl.verify_openssl(chain.save(self.scratch, "mixed"))
        self.assertIn("unable to get certificate CRL", said or "accepted")


@on_both
class DeltaByOpenssl(Revoking):
    """Delta lists, with `-use_deltas -extended_crl`."""

    DELTAS = ("-use_deltas", "-extended_crl")

    def follow(self, issued: dict) -> crl.Files:
        """The chain, its full lists, and the delta lists that those name."""
        chain = crl.Chain.follow(issued["certificate"])
        chain.crls += [crl.fetch_crl(url) for full in chain.crls for url in crl.delta_urls(full)]
        return chain.save(self.scratch, f"delta-{issued['serial']}")

    def test_a_revocation_and_a_release_are_on_the_delta_list(self):
        self.house.root("root")
        self.house.subordinate("sub", "root")
        delta = {"enabled": True, "interval": "PT1S", "lifetime": "P1D"}
        self.change("sub", {"crl": {"interval": "PT6H", "delta": delta}, "holdEnabled": True})
        good, bad, held = (self.leaf("sub", name) for name in ("good", "bad", "held"))
        self.revoke(held, "certificateHold")
        self.assert_status(self.curl.post(f"{CAS}/sub/crl"), 200)
        url = crl.crl_urls(good["certificate"])[0]
        full = crl.wait_listed(url, held["serial"])
        (address,) = crl.delta_urls(full)
        crl.wait_listed(address)
        self.assertIn(REVOKED, crl.verify_openssl(self.follow(held), *self.DELTAS) or "accepted")

        self.revoke(bad)
        released = self.curl.post(f"/v1/issued-certificates/{held['serial']}/release")
        self.assert_status(released, 200)
        listed = crl.wait_listed(address, bad["serial"], held["serial"])
        reasons = {int(bad["serial"], 16): "Superseded", int(held["serial"], 16): "Remove From CRL"}
        self.assertEqual(crl.reasons_of(listed), reasons)
        self.assertEqual(crl.number(crl.fetch_crl(url)), crl.number(full), "the full list waits for its interval")
        base = listed.extensions.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number
        self.assertEqual(base, crl.number(full))
        for issued, expected in ((good, None), (bad, REVOKED), (held, None)):
            said = crl.verify_openssl(self.follow(issued), *self.DELTAS)
            with self.subTest(issued["names"]):
                self.assertIn(expected, said or "accepted") if expected else self.assertIsNone(said)
        # Who does not look at delta lists sees what the full list says.
        self.accepted(bad)
        self.refused(held)


@on_both
class ShardsByOpenssl(Revoking):
    """Lists that are cut: each certificate names its own, whose issuingDistributionPoint says which it is."""

    SCOPED = ("-extended_crl",)

    def test_each_shard_decides_its_own_certificates(self):
        self.house.root("root")
        self.house.subordinate("sub", "root")
        before = self.leaf("sub", "before")
        self.change("sub", {"crl": {"shards": 4, "interval": "PT1S"}})
        issued = [self.leaf("sub", f"host-{number}") for number in range(16)]
        urls = {crl.crl_urls(one["certificate"])[0] for one in issued}
        self.assertGreater(len(urls), 1)
        bad, good = issued[::2], issued[1::2]
        for one in (*bad, before):
            self.revoke(one)
        for one in bad:
            listed = crl.wait_listed(crl.crl_urls(one["certificate"])[0], one["serial"])
            point = listed.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
            self.assertTrue(point.critical)
            self.assertEqual([name.value for name in point.value.full_name], crl.crl_urls(one["certificate"]))
            self.refused(one, *self.SCOPED)
        for one in good:
            self.accepted(one, *self.SCOPED)
        # The list of another shard decides nothing.
        chain = crl.Chain.follow(good[0]["certificate"])
        (other, *_) = urls - set(crl.crl_urls(good[0]["certificate"]))
        chain.crls[0] = crl.fetch_crl(other)
        said = crl.verify_openssl(chain.save(self.scratch, "other"), *self.SCOPED)
        self.assertIn("different CRL scope", said or "accepted")
        # Certificates of before name the whole list, which goes on and has everything.
        whole = crl.wait_listed(crl.crl_urls(before["certificate"])[0], before["serial"])
        self.assertEqual(crl.serials(whole), {int(one["serial"], 16) for one in (*bad, before)})
        self.refused(before)


@on_both
class RenewedCa(Revoking):
    """After a CA got another certificate, both old and new certificates are decided rightly."""

    def test_the_same_key_and_a_rotated_one(self):
        self.house.root("root")
        self.house.subordinate("sub", "root", days=900)
        issued = {1: (self.leaf("sub", "good-1"), self.leaf("sub", "bad-1"))}
        for version, key in ((2, "KEEP"), (3, "ROTATE")):
            body = {"key": key, "validity": {"duration": "P800D"}}
            self.assert_status(self.curl.post(f"{CAS}/sub/renew", body), 200)
            issued[version] = (self.leaf("sub", f"good-{version}"), self.leaf("sub", f"bad-{version}"))
        urls = {version: crl.crl_urls(bad["certificate"])[0] for version, (_, bad) in issued.items()}
        self.assertEqual(len(set(urls.values())), 3, "each version has its own")
        for _, bad in issued.values():
            self.revoke(bad)
        for url in urls.values():
            crl.wait_listed(url, *(bad["serial"] for _, bad in issued.values()))
        for version, (good, bad) in issued.items():
            with self.subTest(version=version):
                self.accepted(good)
                self.refused(bad)
        # Who keeps every list in one file, and not the one that the certificate names alone, decides the same.
        every = [crl.fetch_crl(url) for url in urls.values()]
        for good, bad in issued.values():
            for one, expected in ((good, None), (bad, REVOKED)):
                chain = crl.Chain.follow(one["certificate"])
                chain.crls += every
                said = crl.verify_openssl(chain.save(self.scratch, "every"))
                self.assertIn(expected, said or "accepted") if expected else self.assertIsNone(said)
