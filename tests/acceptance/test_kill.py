"""SIGKILL in the middle of a thousand issues: what was acknowledged is there, and nothing is there twice."""

import http.client
import json
import random
import shutil
import sqlite3
import threading

from harness.case import ServerCase, on_both
from harness.server import Context

CALLERS = 16
BURST = 1000


class Burst:
    """Sixteen callers who issue until the burst is full or the server is gone. Every serial that came back whole is
    written to a log of their own, outside the server's folder, before the next call is made."""

    def __init__(self, case: "KillNine", number: int):
        self.case, self.number = case, number
        self.log = case.scratch / f"acknowledged-{number}"
        self.lock = threading.Lock()
        self.acknowledged = 0
        self.started = 0
        self.refused: list[str] = []
        self.reached = threading.Event()
        self.limit = 0

    def run(self, kill_after: int) -> None:
        """Runs the burst and kills the server once this many certificates were acknowledged."""
        self.limit = kill_after
        threads = [threading.Thread(target=self._caller) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        if not self.reached.wait(300):
            raise AssertionError(f"only {self.acknowledged} of {kill_after}: {self.refused[:3]}")
        self.case.server.kill()
        for thread in threads:
            thread.join(60)

    def _caller(self) -> None:
        token, tls, port = self.case.token, self.case.tls, self.case.server.port
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=tls)
        while True:
            with self.lock:
                if self.started >= BURST:
                    return
                self.started += 1
                host = f"host-{self.number}-{self.started}.example.com"
            body = json.dumps({"subject": {"commonName": host}, "names": [host], "keyAlgorithm": "ECDSA_P256"})
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            try:
                connection.request("POST", "/v1/certificate-authorities/issuing-1/issue", body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                return
            if answer.status != 201:
                self.refused.append(f"{answer.status} {content[:300]!r}")
                continue
            issued = json.loads(content)
            with self.lock:
                with open(self.log, "a", encoding="ascii") as log:
                    log.write(f"{issued['serial']} {issued['fingerprint']}\n")
                self.acknowledged += 1
                if self.acknowledged == self.limit:
                    self.reached.set()


@on_both
class KillNine(ServerCase):
    """SIGKILL during a burst of a thousand issues, several times at seeded moments."""

    def setUp(self) -> None:
        self.house.root("root")
        self.house.subordinate("issuing-1", "root")
        self.token, self.tls = self.server.token(), self.server.tls()

    def test_every_acknowledged_certificate_survives(self):
        chance = random.Random(20261121)
        acknowledged: dict[str, str] = {}
        for number in range(20 if Context.long else 4):
            burst = Burst(self, number)
            burst.run(chance.randint(40, BURST - CALLERS - 1))
            self.assertEqual(burst.refused, [])
            self.check_files(number)
            lines = [line.split() for line in burst.log.read_text().splitlines()]
            for serial, fingerprint in lines:
                self.assertNotIn(serial, acknowledged, "a serial was handed out twice")
                acknowledged[serial] = fingerprint
            self.server.start()
            rows = self.house.inventory("&ca=issuing-1")
            stored = {row["serial"]: row["fingerprint"] for row in rows}
            self.assertEqual(len(stored), len(rows), "a serial stands twice in the inventory")
            lost = {serial for serial, fingerprint in acknowledged.items() if stored.get(serial) != fingerprint}
            self.assertEqual(lost, set(), f"acknowledged but not stored, after kill {number}")
            self.check_audit(len(self.house.inventory("&includeSystem=true&kind=LEAF")))
        self.assertEqual(self.server.stop(), 0)
        if self.database == "sqlite":
            self.assertEqual(integrity(self.server.data), "ok")

    def check_files(self, number: int) -> None:
        """The SQLite files as the kill left them, in a copy: the server's own recovery has not run yet."""
        if self.database != "sqlite":
            return
        copy = self.scratch / f"copy-{number}"
        copy.mkdir()
        for file in self.server.data.glob("*.db*"):
            shutil.copy(file, copy)
        self.assertEqual(integrity(copy), "ok")

    def check_audit(self, certificates: int) -> None:
        """Every certificate has its audit event, stored by the same commit."""
        counted = self.count("SELECT count(*) FROM audit_events WHERE action = 'certificate.issue'")
        self.assertEqual(counted, certificates)

    def count(self, statement: str) -> int:
        """A number out of the database."""
        if self.database == "sqlite":
            with sqlite3.connect(f"file:{database_file(self.server.data)}?mode=ro", uri=True) as connection:
                return connection.execute(statement).fetchone()[0]
        return int(Context.postgres().psql(statement, self.server.database_url.rsplit("/", 1)[1]))


def database_file(folder):
    """The one SQLite file of a data folder."""
    (file,) = folder.glob("*.db")
    return file


def integrity(folder) -> str:
    """`PRAGMA integrity_check` of the SQLite file in a folder."""
    connection = sqlite3.connect(database_file(folder))
    try:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
