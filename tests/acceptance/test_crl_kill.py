"""SIGKILL while lists are being made: the last good one is served, whole, and numbers never go back."""

import http.client
import random
import threading
import time

from cryptography import x509
from harness import crl, tools
from harness.case import on_both
from harness.revoking import CAS, Revoking
from harness.server import Context
from test_kill import integrity

#: Serials that a CA brings along revoked: a list of this size takes two transactions.
BROUGHT = 30_000


@on_both
class KilledWhileListing(Revoking):
    """A CA with a large list, made anew without a pause, and SIGKILL at seeded moments."""

    def setUp(self) -> None:
        old = tools.OpensslCa(self.scratch / "old")
        lines = (
            f"R\t370101000000Z\t260203040506Z,superseded\t{0x5000_0000_0000_0000_0000_0000_0000_0000_0000 + number:X}\tunknown\t/CN=x\n"
            for number in range(BROUGHT)
        )
        # The index is larger than a body may be: in parts it comes as serials, and the revocations as the index alone.
        body = {
            "name": "brought", "type": "IMPORTED", "vault": self.house.vault(), "key": "brought-key",
            "certificate": old.sub.read_text(), "chain": old.root.read_text(),
            "privateKey": (old.folder / "sub.key").read_text(), "opensslIndex": "".join(lines), "crlNumber": 4711,
        }  # fmt: skip
        made = self.house.made(self.curl.post(CAS, body))
        self.issuer = x509.load_pem_x509_certificate(old.sub.read_bytes())
        self.url = f"{self.server.plain_url}/pki/{made['id']}/1/crl"
        self.token, self.tls = self.server.token(), self.server.tls()

    config = '[limits]\nbody = "8 MiB"\n'

    def check(self, least: int, expected: int) -> int:
        """The list that is served is whole and signed, and no older than one that was seen; its number."""
        answer = crl.get(self.url)
        self.assert_status(answer, 200)
        listed = x509.load_der_x509_crl(answer.body)
        self.assertTrue(listed.is_signature_valid(self.issuer.public_key()))
        self.assertGreaterEqual(crl.number(listed), least)
        self.assertGreaterEqual(len(listed), expected)
        return crl.number(listed)

    def hammer(self, stop: threading.Event, answered: list[int]) -> None:
        """Has the lists made again and again until the server is gone; keeps the numbers that it was told."""
        import json

        connection = http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=60, context=self.tls)
        while not stop.is_set():
            try:
                connection.request("POST", f"{CAS}/brought/crl", headers={"Authorization": f"Bearer {self.token}"})
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                return
            self.answers.add(answer.status)
            if answer.status == 200:
                answered.append(json.loads(content)["items"][0]["current"]["number"])

    def test_the_last_good_list_survives_every_kill(self):
        chance = random.Random(20261126)
        crl.wait_listed(self.url)
        seen, expected, revoked = self.check(4712, BROUGHT), BROUGHT, 0
        self.answers: set[int] = set()
        for kill in range(40 if Context.long else 12):
            issued = self.leaf("brought", f"host-{kill}")
            stop, answered = threading.Event(), []
            callers = [threading.Thread(target=self.hammer, args=(stop, answered)) for _ in range(2)]
            for caller in callers:
                caller.start()
            time.sleep(chance.uniform(0.1, 1.5))
            self.revoke(issued, "keyCompromise")
            revoked += 1
            time.sleep(chance.uniform(0, 1.0))
            self.server.kill()
            stop.set()
            for caller in callers:
                caller.join(60)
            self.server.start()
            # What callers were told of was published; what is served now is no older.
            seen = self.check(max([seen, *answered]), expected)
            crl.wait_listed(self.url, issued["serial"])
            expected = BROUGHT + revoked
        self.assertLessEqual(self.answers, {200, 409, 503}, "no caller was told of an internal error")
        self.assertIn(200, self.answers)
        self.assertGreaterEqual(self.check(seen, expected), seen)
        self.assertEqual(self.server.stop(), 0)
        if self.database == "sqlite":
            self.assertEqual(integrity(self.server.data), "ok")
