"""Four nodes on one PostgreSQL, a thousand revocations at once: numbers rise, none is missing, nothing is lost."""

import http.client
import json
import shutil
import threading

from cryptography import x509
from harness import crl
from harness.case import Case
from harness.curl import Curl
from harness.house import House
from harness.revoking import CAS
from harness.server import Context, Server

NODES = 4
CALLERS = 16
REVOCATIONS = 1000


class Nodes(Case):
    """Row F8: several processes make lists of one CA."""

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
        self.house = House(Curl(first))

    def connection(self, node: Server) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", node.port, timeout=60, context=node.tls())

    def call(self, connection: http.client.HTTPSConnection, method: str, path: str, body=None):
        """Status and JSON."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def spread(self, work) -> list:
        """Runs `work(caller, connection)` in callers spread over the nodes; what they gave, and what went wrong."""
        given, wrong = [], []

        def one(number: int) -> None:
            try:
                given.extend(work(number, self.connection(self.nodes[number % NODES])))
            except Exception as error:  # noqa: BLE001 - shown below
                wrong.append(error)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
        self.assertEqual(wrong, [])
        return given

    def test_every_revocation_is_on_the_last_list_of_every_node(self):
        if "postgres" not in Context.databases:
            return
        self.start()
        self.house.root("root")
        each = -(-REVOCATIONS // CALLERS)

        def issue(caller: int, connection) -> list[str]:
            serials = []
            for number in range(each):
                host = f"host-{caller}-{number}.example.com"
                body = {"subject": {"commonName": host}, "names": [host], "keyAlgorithm": "ECDSA_P256"}
                status, answer = self.call(connection, "POST", f"{CAS}/root/issue", body)
                assert status == 201, answer
                serials.append(answer["serial"])
                self.sample = answer["certificate"]
            return serials

        serials = self.spread(issue)
        self.assertGreaterEqual(len(set(serials)), REVOCATIONS)
        (url,) = crl.crl_urls(self.sample)
        path = url.split("/pki/", 1)[1]
        places = [f"{node.plain_url}/pki/{path}" for node in self.nodes]
        # Without a pause between lists, as many as the nodes can make.
        etag = self.house.curl.get(f"{CAS}/root").headers["etag"]
        change = {"revocation": {"crl": {"interval": "PT0S"}}}
        self.assert_status(self.house.curl.patch(f"{CAS}/root", change, headers={"If-Match": etag}), 200)

        watched: dict[str, list[int]] = {place: [] for place in places}
        over = threading.Event()

        def watch(place: str) -> None:
            while not over.is_set():
                answer = crl.get(place)
                if answer.status == 200:
                    watched[place].append(crl.number(x509.load_der_x509_crl(answer.body)))

        watchers = [threading.Thread(target=watch, args=(place,)) for place in places]
        for watcher in watchers:
            watcher.start()

        def revoke(caller: int, connection) -> list[int]:
            statuses = []
            for serial in serials[caller::CALLERS]:
                reason = "keyCompromise" if caller % 4 == 0 else "superseded"
                status, answer = self.call(
                    connection, "POST", f"/v1/issued-certificates/{serial}/revoke", {"reason": reason}
                )
                assert status == 200, answer
                statuses.append(status)
            return statuses

        self.assertEqual(self.spread(revoke), [200] * len(serials))
        wanted = {int(serial, 16) for serial in serials}
        for place in places:
            crl.wait_for(place, lambda place=place: crl.serials(crl.fetch_crl(place)) == wanted)
        over.set()
        for watcher in watchers:
            watcher.join(60)
        for place, numbers in watched.items():
            self.assertTrue(numbers)
            self.assertEqual(numbers, sorted(numbers), f"{place} went back")
        self.assertEqual(len({crl.fetch(place) for place in places}), 1, "all nodes serve the same bytes")

        last = crl.number(crl.fetch_crl(places[0]))
        published, query = [], "/v1/audit-events?action=crl.publish&limit=500"
        while query:
            page = self.house.curl.get(query).json
            published += [int(event["details"]["number"]) for event in page["items"] if event["target"]["name"] == "root"]
            cursor = page.get("nextCursor")
            query = f"/v1/audit-events?action=crl.publish&limit=500&cursor={cursor}" if cursor else ""
        self.assertEqual(sorted(published), list(range(1, last + 1)), "each number once, none missing")
