"""Services that start at once with enrolment tokens: each gets one certificate, and nobody gets one too many."""

import concurrent.futures
import http.client
import json
import re
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import tools
from harness.case import ServerCase, on_both

SERVICES = 500
PAGE = Path(__file__).resolve().parents[2] / "docs" / "enrollment.md"


def csr(name: str) -> str:
    """A CSR with a fresh key, as a service makes it when it starts."""
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@on_both
class Enrollment(ServerCase):
    """Five hundred services after a power cut."""

    # unittest runs the methods by name: the numbers keep the order of the page.

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("issuing-1")

    def token(self, **body) -> str:
        """The text of a new token."""
        answer = self.curl.post("/v1/enrollment-tokens", {"ca": "issuing-1", "profile": "tls-server", **body})
        return self.assert_status(answer, 201).json["token"]

    def tokens(self, names: list[str]) -> list[str]:
        """A token for each name, over one connection."""
        port = int(self.server.url.rsplit(":", 1)[1])
        connection = http.client.HTTPSConnection("localhost", port, timeout=60, context=self.server.tls())
        headers = {"Authorization": f"Bearer {self.server.token()}", "Content-Type": "application/json"}
        made = []
        for name in names:
            body = json.dumps({"name": name, "ca": "issuing-1", "profile": "tls-server", "names": [name]})
            connection.request("POST", "/v1/enrollment-tokens", body, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
            self.assertEqual(answer.status, 201, found)
            made.append(found["token"])
        connection.close()
        return made

    def ask(self, token: str, csr_pem: str) -> tuple[int, dict]:
        """What a service does: one connection, one request; it waits and asks again when it is told to."""
        port = int(self.server.url.rsplit(":", 1)[1])
        body = json.dumps({"csr": csr_pem})
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        while True:
            connection = http.client.HTTPSConnection("localhost", port, timeout=60, context=self.server.tls())
            try:
                connection.request("POST", "/v1/auth/enroll", body, headers)
                answer = connection.getresponse()
                found = json.loads(answer.read())
                if answer.status not in (429, 503):
                    return answer.status, found
                wait = float(answer.headers["Retry-After"])
            finally:
                connection.close()
            time.sleep(wait)

    def all_at_once(self, tokens: list[str], names: list[str]) -> list[tuple[int, dict]]:
        """All of them ask at once."""
        requests = [csr(name) for name in names]
        with concurrent.futures.ThreadPoolExecutor(len(tokens)) as pool:
            return list(pool.map(self.ask, tokens, requests))

    def test_1_every_line_of_the_page_runs(self):
        begin, *blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
        self.assertIn("admin.token", begin)
        script = "\n".join(['api=$1; auth=(--cacert "$2" -H "Authorization: Bearer $3"); ca=$2; cd "$4"', *blocks])
        token = self.server.token()
        arguments = (f"{self.server.url}/v1", self.server.ca_file, token, self.scratch)
        done = tools.run("bash", "-euc", script, "page", *arguments)
        shown = re.sub(r"cw[te]_\w+", "…", done.stdout.decode() + done.stderr.decode())
        self.assertEqual(done.returncode, 0, shown)
        self.assertIn("CN = web-7.internal", tools.describe(self.scratch / "web-7.pem"))

    def test_2_each_of_500_services_with_a_token_of_its_own_gets_one_certificate(self):
        names = [f"own-{number}.example.com" for number in range(SERVICES)]
        tokens = self.tokens(names)
        answers = self.all_at_once(tokens, names)
        self.assertEqual({status for status, _ in answers}, {201}, answers[:3])
        self.assertEqual([answer["names"] for _, answer in answers], [[name] for name in names])
        self.assertEqual(len({answer["serial"] for _, answer in answers}), SERVICES)
        # A second one of any of them is refused, and the inventory has one of each.
        again = self.all_at_once(tokens[:20], names[:20])
        self.assertEqual({status for status, _ in again}, {401})
        rows = [self.house.inventory(f"&san={name}") for name in names[:20]]
        self.assertEqual({len(found) for found in rows}, {1})

    def test_3_one_counted_token_gives_500_certificates_and_not_one_more(self):
        name = "fleet.example.com"
        token = self.token(name="fleet", names=[name], uses=SERVICES)
        answers = self.all_at_once([token] * (SERVICES + 20), [name] * (SERVICES + 20))
        statuses = [status for status, _ in answers]
        self.assertEqual((statuses.count(201), statuses.count(401)), (SERVICES, 20), set(statuses))
        self.assertEqual(len({answer["serial"] for status, answer in answers if status == 201}), SERVICES)
        record = self.assert_status(self.curl.get("/v1/enrollment-tokens/fleet"), 200).json
        self.assertEqual((record["uses"], record["usesLeft"]), (SERVICES, 0))
        self.assertEqual(self.ask(token, csr(name))[0], 401)

    def enrolled(self, name: str) -> tuple[Path, Path, str]:
        """A service with its certificate: PEM, key, serial."""
        token = self.token(name=name, names=[name], profile="tls-client")
        key, request = tools.new_csr(self.scratch, name, "/", f"DNS:{name}")
        status, answer = self.ask(token, request.read_text())
        self.assertEqual(status, 201, answer)
        chain = self.scratch / f"{name}.pem"
        chain.write_text(answer["chain"])
        return chain, key, answer["serial"]

    def test_4_curl_renews_with_the_certificate_in_use_until_it_is_revoked(self):
        name = "renewed.example.com"
        chain, key, serial = self.enrolled(name)
        path = "/v1/certificate-authorities/issuing-1/renew-certificate"

        def renew(*extra: str):
            shown = ("--cert", str(chain), "--key", str(key), *extra)
            return self.curl.post(path, {"csr": csr(name)}, token=None, extra=shown)

        for version in ((), ("--tls-max", "1.2"), ("--http1.1",)):
            renewed = self.assert_status(renew(*version), 201).json
            self.assertEqual(renewed["names"], [name])
            self.assertNotEqual(renewed["serial"], serial)
        self.assert_problem(self.curl.post(path, {"csr": csr(name)}, token=None), 401, "unauthenticated")
        revoked = self.curl.post(f"/v1/issued-certificates/{serial}/revoke", {"reason": "superseded"})
        self.assert_status(revoked, 200)
        self.assert_problem(renew(), 401, "unauthenticated")

    def test_5_neither_an_open_connection_nor_a_resumed_session_outlives_a_revocation(self):
        name = "resumed.example.com"
        chain, key, serial = self.enrolled(name)
        def renewal(port: int) -> bytes:
            body = json.dumps({"csr": csr(name)}).encode()
            head = f"POST /v1/certificate-authorities/issuing-1/renew-certificate HTTP/1.1\r\nHost: localhost:{port}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            return head.encode() + body

        self.assert_nothing_outlives_a_revocation(chain, key, serial, renewal, 201)

    def test_6_no_token_stands_in_the_log(self):
        self.assertNotIn("cwe_", self.server.log())
