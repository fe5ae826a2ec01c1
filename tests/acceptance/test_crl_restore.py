"""An old backup is put back: the last published list brings back what it does not know."""

import shutil

from harness import crl
from harness.revoking import CAS, Revoking

REVOKED_SINCE = 50
LIST = {"Content-Type": "application/pkix-crl"}


class RestoredBackup(Revoking):
    """The real files of SQLite: copied, fifty revocations later put back."""

    def test_the_last_list_brings_fifty_revocations_back(self):
        self.house.root("root")
        self.house.subordinate("sub", "root")
        self.house.subordinate("other", "root")
        known = [self.leaf("sub", f"host-{number}") for number in range(REVOKED_SINCE - 4)]
        good, before = self.leaf("sub", "good"), self.leaf("sub", "before")
        (url,) = crl.crl_urls(good["certificate"])
        self.revoke(before)
        crl.wait_listed(url, before["serial"])
        self.assertEqual(self.server.stop(), 0)
        backup = self.scratch / "backup"
        shutil.copytree(self.server.data, backup)

        self.server.start()
        # Some were issued after the backup was taken: nothing in it knows them.
        lost = [self.leaf("sub", f"later-{number}") for number in range(4)]
        for issued in (*known[1:], *lost):
            self.revoke(issued)
        self.revoke(known[0], "keyCompromise")
        revoked = self.curl.post(f"{CAS}/other/versions/1/revoke", {"reason": "cACompromise"})
        (root_url,) = crl.crl_urls(self.house.certificate_of("other"))
        ca_serial = self.assert_status(revoked, 200).json["version"]["serial"]
        serials = [issued["serial"] for issued in (before, *known, *lost)]
        self.assertEqual(len(serials), REVOKED_SINCE + 1)
        last, last_root = crl.wait_listed(url, *serials), crl.wait_listed(root_url, ca_serial)
        kept = {"sub": crl.fetch(url), "root": crl.fetch(root_url)}
        self.assertEqual(self.server.stop(), 0)

        for file in self.server.data.glob("certwright.db*"):
            file.unlink()
        for file in backup.glob("certwright.db*"):
            shutil.copy(file, self.server.data)
        self.server.start()
        self.assertEqual(len(crl.fetch_crl(url)), 1, "the backup knows of one")
        self.accepted(known[0])
        trial = self.curl.post(f"{CAS}/sub/crl?dryRun=true", data=kept["sub"], headers=LIST)
        self.assertEqual(self.assert_status(trial, 200).json["dryRun"], True)
        self.assertEqual(self.curl.get(f"/v1/issued-certificates/{known[0]['serial']}").json["status"], "VALID")

        for ca, restored in (("sub", REVOKED_SINCE), ("root", 1)):
            taken = self.assert_status(self.curl.post(f"{CAS}/{ca}/crl", data=kept[ca], headers=LIST), 201).json
            self.assertEqual((taken["restored"], taken["served"]), (restored, False))
        again = self.assert_status(self.curl.post(f"{CAS}/sub/crl", data=kept["sub"], headers=LIST), 201).json
        self.assertEqual(again["restored"], 0, "twice does no harm")
        listed = crl.wait_listed(url, *serials)
        self.assertEqual(crl.serials(listed), {int(serial, 16) for serial in serials})
        self.assertGreater(crl.number(listed), crl.number(last))
        self.assertGreater(crl.number(crl.wait_listed(root_url, ca_serial)), crl.number(last_root))
        self.assertEqual(crl.reasons_of(listed), crl.reasons_of(last))
        for issued in (known[0], known[-1]):
            self.refused(issued)
            row = self.curl.get(f"/v1/issued-certificates/{issued['serial']}").json
            self.assertEqual(row["status"], "REVOKED")
        self.accepted(good)
        # The subordinate that was compromised signs nothing any more.
        body = {"subject": {"commonName": "a.example.com"}, "names": ["a.example.com"], "keyAlgorithm": "ECDSA_P256"}
        self.assertGreaterEqual(self.curl.post(f"{CAS}/other/issue", body).status, 400)
        self.assertEqual(self.curl.get(f"{CAS}/other/versions/1").json["revocationReason"], "cACompromise")
