"""An old backup is put back: the last published lists bring back what it does not know."""

import re
import shutil

from harness import tools
from test_crl import CrlCase

CAS = "/v1/certificate-authorities"
REVOKED_SINCE = 50
LIST = {"Content-Type": "application/pkix-crl"}


class RestoredBackup(CrlCase):
    """The real files of SQLite: copied, fifty revocations later put back."""

    @staticmethod
    def text(der: bytes) -> str:
        return tools.openssl("crl", "-inform", "DER", "-noout", "-text", data=der).decode()

    def number(self, der: bytes) -> int:
        return int(re.search(r"CRL Number:\s*\n\s*(\d+)", self.text(der))[1])

    def entries(self, der: bytes) -> dict[str, str]:
        """Serial and reason of every entry."""
        blocks = self.text(der).split("Serial Number: ")[1:]
        reason = lambda block: re.search(r"CRL Reason Code:\s*\n\s*(.+)", block)
        return {block.split()[0]: reason(block)[1].strip() if reason(block) else "" for block in blocks}

    def upload(self, ca: str, der: bytes, query: str = ""):
        return self.curl.call("POST", f"{CAS}/{ca}/crl{query}", data=der, headers=LIST)

    def test_the_last_lists_bring_fifty_revocations_back(self):
        self.house.root("root")
        self.house.subordinate("issuing", "root")
        self.house.subordinate("other", "root")
        other = self.file("other.pem", self.house.certificate_of("other"))
        self.root = self.file("root.pem", self.house.certificate_of("root"))
        self.issuer = self.file("issuing.pem", self.house.certificate_of("issuing"))
        known = [self.leaf(f"known-{one}") for one in range(REVOKED_SINCE - 4)]
        good, before = self.leaf("good"), self.leaf("before")
        url, root_url = self.urls(good)[0], self.urls(other)[0]
        self.revoke(before)
        self.list_with(url, before)
        self.assertEqual(self.server.stop(), 0)
        backup = self.scratch / "backup"
        shutil.copytree(self.server.data, backup)

        self.server.start()
        # Some were issued after the backup was taken: nothing in it knows them.
        lost = [self.leaf(f"later-{one}") for one in range(4)]
        for one in (*known[1:], *lost):
            self.revoke(one)
        self.revoke(known[0], "keyCompromise")
        self.assert_status(self.curl.post(f"{CAS}/other/versions/1/revoke", {"reason": "cACompromise"}), 200)
        self.list_with(url, *known, *lost)
        self.list_with(root_url, other)
        kept = {"issuing": self.fetch(url), "root": self.fetch(root_url)}
        self.assertEqual(len(self.entries(kept["issuing"])), REVOKED_SINCE + 1)
        self.assertEqual(self.server.stop(), 0)

        for file in self.server.data.glob("certwright.db*"):
            file.unlink()
        for file in backup.glob("certwright.db*"):
            shutil.copy(file, self.server.data)
        self.server.start()
        self.assertEqual(len(self.entries(self.fetch(url))), 1, "the backup knows of one")
        trial = self.assert_status(self.upload("issuing", kept["issuing"], "?dryRun=true"), 200).json
        self.assertEqual(trial["dryRun"], True)
        self.assertEqual(len(self.entries(self.fetch(url))), 1, "a trial changes nothing")

        for ca, restored in (("issuing", REVOKED_SINCE), ("root", 1)):
            taken = self.assert_status(self.upload(ca, kept[ca]), 201).json
            self.assertEqual((taken["restored"], taken["served"]), (restored, False))
        again = self.assert_status(self.upload("issuing", kept["issuing"]), 201).json
        self.assertEqual(again["restored"], 0, "twice does no harm")
        lists = self.list_with(url, before, *known, *lost)
        of_root = self.list_with(root_url, other)
        listed = self.fetch(url)
        self.assertEqual(self.entries(listed), self.entries(kept["issuing"]), "the same entries with the same reasons")
        self.assertGreater(self.number(listed), self.number(kept["issuing"]))
        self.assertGreater(self.number(self.fetch(root_url)), self.number(kept["root"]))
        both = self.file("both.pem", lists.read_bytes() + of_root.read_bytes())
        for one in (known[0], lost[-1]):
            self.assertIn("certificate revoked", self.openssl_says(one, both))
        self.assertIsNone(self.openssl_says(good, both))
        # The subordinate that was compromised signs nothing any more, and the compromised key gets nothing any more.
        body = {"subject": {"commonName": "a.example.com"}, "names": ["a.example.com"], "keyAlgorithm": "ECDSA_P256"}
        self.assertGreaterEqual(self.curl.post(f"{CAS}/other/issue", body).status, 400)
        csr = tools.openssl("req", "-new", "-key", self.scratch / "known-0.key", "-subj", "/CN=known-0.example.com")
        refused = self.curl.post(f"{CAS}/issuing/sign", {"csr": csr.decode()})
        self.assertEqual(refused.status, 422, refused)
        self.assertIn("compromised", refused.body.decode())
