"""Four processes on one PostgreSQL, a thousand revocations at once: numbers rise, none is missing, nothing is lost."""

import http.client
import json
import re
import shutil
import threading
import time
import urllib.request

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from harness.case import Case
from harness.curl import Curl
from harness.house import House
from harness.server import Context, Server

NODES = 4
CALLERS = 16
REVOCATIONS = 1000
ROOT = "/v1/certificate-authorities/root"


def number(crl: x509.CertificateRevocationList) -> int:
    """cRLNumber."""
    return crl.extensions.get_extension_for_oid(ExtensionOID.CRL_NUMBER).value.crl_number


def fetch(place: str) -> x509.CertificateRevocationList:
    """The list that a node serves."""
    with urllib.request.urlopen(place, timeout=60) as answer:
        return x509.load_der_x509_crl(answer.read())


class Nodes(Case):
    """Row F8 of the attacks and faults: several processes make the lists of one CA."""

    def start(self) -> None:
        """The nodes: folder and ports of their own, one database, one root key."""
        first = Server("postgres")
        self.addCleanup(first.remove)
        first.start()
        self.nodes = [first]
        for _ in range(NODES - 1):
            node = Server("postgres", database_url=first.database_url)
            self.addCleanup(node.remove)
            node.data.mkdir(mode=0o700)
            shutil.copy(first.data / "root.key", node.data / "root.key")
            node.start()
            self.nodes.append(node)
        self.token = first.token()
        self.curl = Curl(first)

    def call(self, connection: http.client.HTTPSConnection, method: str, path: str, body: dict):
        """Status and JSON."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def spread(self, work) -> list:
        """Runs `work(caller, connection)` in callers spread over the nodes; everything they gave."""
        given, wrong = [], []

        def one(caller: int) -> None:
            node = self.nodes[caller % NODES]
            connection = http.client.HTTPSConnection("127.0.0.1", node.port, timeout=120, context=node.tls())
            try:
                given.extend(work(caller, connection))
            except Exception as error:  # noqa: BLE001 - shown below
                wrong.append(repr(error))
            finally:
                connection.close()

        threads = [threading.Thread(target=one, args=(caller,)) for caller in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
        self.assertEqual(wrong, [])
        return given

    def issue(self, caller: int, connection) -> list[dict]:
        made = []
        for one in range(-(-REVOCATIONS // CALLERS)):
            host = f"host-{caller}-{one}.example.com"
            body = {"subject": {"commonName": host}, "names": [host], "keyAlgorithm": "ECDSA_P256"}
            status, answer = self.call(connection, "POST", f"{ROOT}/issue", body)
            assert status == 201, answer
            made.append(answer)
        return made

    def published(self) -> list[int]:
        """The numbers of all lists that the audit trail tells of."""
        numbers, query = [], "/v1/audit-events?action=crl.publish&limit=500"
        while query:
            page = self.curl.get(query).json
            events = [event for event in page["items"] if event["target"]["name"] == "root"]
            numbers += [int(event["details"]["number"]) for event in events]
            cursor = page.get("nextCursor")
            query = f"/v1/audit-events?action=crl.publish&limit=500&cursor={cursor}" if cursor else ""
        return numbers

    def test_every_revocation_is_on_the_last_list_of_every_node(self):
        if "postgres" not in Context.databases:
            return
        self.start()
        # Without a pause between lists: as many as the nodes can make.
        House(self.curl).root("root", revocation={"crl": {"interval": "PT0S"}})
        issued = self.spread(self.issue)
        serials = [one["serial"] for one in issued]
        self.assertGreaterEqual(len(set(serials)), REVOCATIONS)
        leaf = x509.load_pem_x509_certificate(issued[0]["certificate"].encode())
        points = leaf.extensions.get_extension_for_oid(ExtensionOID.CRL_DISTRIBUTION_POINTS).value
        path = re.sub(r"^http://[^/]+", "", points[0].full_name[0].value)
        places = [f"{node.plain_url}{path}" for node in self.nodes]

        seen: dict[str, list[int]] = {place: [] for place in places}
        over = threading.Event()

        def watch(place: str) -> None:
            while not over.wait(0.05):
                seen[place].append(number(fetch(place)))

        watchers = [threading.Thread(target=watch, args=(place,)) for place in places]
        for place in places:
            self.wait_until(lambda place=place: self.is_served(place))
        for watcher in watchers:
            watcher.start()

        def revoke(caller: int, connection) -> list[int]:
            statuses = []
            for serial in serials[caller::CALLERS]:
                reason = "keyCompromise" if caller % 4 == 0 else "superseded"
                path = f"/v1/issued-certificates/{serial}/revoke"
                status, answer = self.call(connection, "POST", path, {"reason": reason})
                assert status == 200, answer
                statuses.append(status)
            return statuses

        self.assertEqual(self.spread(revoke), [200] * len(serials))
        wanted = {int(serial, 16) for serial in serials}
        for place in places:
            self.wait_until(lambda place=place: {entry.serial_number for entry in fetch(place)} == wanted)
        over.set()
        for watcher in watchers:
            watcher.join(60)
        for place, numbers in seen.items():
            self.assertTrue(numbers, place)
            self.assertEqual(numbers, sorted(numbers), f"{place} went back")
        last = number(fetch(places[0]))
        self.assertGreater(last, 1)
        self.assertEqual(sorted(self.published()), list(range(1, last + 1)), "each number once, none missing")

    @staticmethod
    def is_served(place: str) -> bool:
        try:
            fetch(place)
        except urllib.error.HTTPError:
            return False
        return True

    def wait_until(self, condition, seconds: float = 120) -> None:
        """Lists are made in the background."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, "not in time")
            time.sleep(0.1)
