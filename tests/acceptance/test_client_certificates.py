"""Machines that come in with a certificate of ours, and tokens that are good with one alone."""

import json
import re
from pathlib import Path

from harness import tools
from harness.case import ServerCase, on_both

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client-certificates.md"


@on_both
class ClientCertificates(ServerCase):
    """Real handshakes, by curl and by Python."""

    # unittest runs the methods by name: the numbers keep the order of the page.

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("issuing-1")

    def test_1_every_line_of_the_page_runs(self):
        begin, *blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
        self.assertIn("admin.token", begin)
        script = "\n".join(['api=$1; auth=(--cacert "$2" -H "Authorization: Bearer $3"); ca=$2; cd "$4"', *blocks])
        token = self.server.token()
        done = tools.run("bash", "-euc", script, "page", f"{self.server.url}/v1", self.server.ca_file, token, self.scratch)
        shown = done.stdout.decode() + done.stderr.decode()
        self.assertEqual(done.returncode, 0, re.sub(r"cwt_\w+", "…", shown))
        self.assertIn("web.apps.internal", tools.describe(self.scratch / "web.pem"))
        self.assertIn('"mtls:builders:agent-1.build.internal"', shown)
        self.assertIn('"token":"agent-1"', shown.replace(" ", ""))
        self.assertIn('"status":401', shown.replace(" ", ""))

    def machine(self, name: str) -> tuple[Path, Path, str]:
        """A machine with its certificate: PEM, key, serial."""
        path = "/v1/certificate-authorities/issuing-1/issue"
        made = self.curl.post(path, {"names": [name], "profile": "tls-client"})
        made = self.assert_status(made, 201).json
        chain, key = self.scratch / f"{name}.pem", self.scratch / f"{name}.key"
        chain.write_text(made["chain"])
        key.write_text(made["privateKey"])
        return chain, key, made["serial"]

    def revoke(self, serial: str) -> None:
        self.assert_status(self.curl.post(f"/v1/issued-certificates/{serial}/revoke", {"reason": "keyCompromise"}), 200)

    def test_2_curl_comes_in_over_every_kind_of_connection_until_the_certificate_is_revoked(self):
        chain, key, serial = self.machine("agent-2.build.internal")
        shown = ("--cert", str(chain), "--key", str(key))
        for version in ((), ("--tls-max", "1.2"), ("--http1.1",)):
            answer = self.assert_status(self.curl.get("/v1/whoami", token=None, extra=(*shown, *version)), 200)
            self.assertEqual(answer.json["id"], "mtls:builders:agent-2.build.internal")
        self.assert_problem(self.curl.get("/v1/tokens", token=None, extra=shown), 403, "forbidden")
        # Another machine's key does not go with this certificate.
        _, other, _ = self.machine("agent-3.build.internal")
        wrong = tools.run("curl", "-sS", "--cacert", self.server.ca_file, "--cert", chain, "--key", other, self.server.url)
        self.assertNotEqual(wrong.returncode, 0)
        self.revoke(serial)
        self.assert_problem(self.curl.get("/v1/whoami", token=None, extra=shown), 401, "unauthenticated")

    def test_3_a_certificate_that_we_did_not_sign_lets_nobody_in(self):
        key, chain = self.scratch / "self.key", self.scratch / "self.pem"
        made = tools.run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key),
            *("-out", chain, "-subj", "/CN=agent-1.build.internal", "-addext", "subjectAltName=DNS:agent-1.build.internal"),
            *("-addext", "extendedKeyUsage=clientAuth"),
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        shown = ("--cert", str(chain), "--key", str(key))
        self.assert_problem(self.curl.get("/v1/whoami", token=None, extra=shown), 401, "unauthenticated")

    def test_4_neither_an_open_connection_nor_a_resumed_session_outlives_a_revocation(self):
        chain, key, serial = self.machine("agent-4.build.internal")

        def whoami(port: int) -> bytes:
            return f"GET /v1/whoami HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()

        self.assert_nothing_outlives_a_revocation(chain, key, serial, whoami, 200)

    def test_5_a_bound_token_is_worth_nothing_with_another_certificate(self):
        chain, key, serial = self.machine("agent-5.build.internal")
        other, other_key, _ = self.machine("agent-6.build.internal")
        row = self.assert_status(self.curl.get(f"/v1/issued-certificates/{serial}"), 200).json
        body = {"name": "bound", "boundTo": row["fingerprint"]}
        token = self.assert_status(self.curl.post("/v1/tokens", body), 201).json["token"]

        def status(*shown: str) -> int:
            return self.curl.get("/v1/whoami", token=token, extra=shown).status

        self.assertEqual(status("--cert", str(chain), "--key", str(key)), 200)
        self.assertEqual(status("--cert", str(other), "--key", str(other_key)), 401)
        self.assertEqual(status(), 401)
        self.revoke(serial)
        self.assertEqual(status("--cert", str(chain), "--key", str(key)), 401)
        self.assertNotIn(token, self.server.log())
        self.assertNotIn(token, json.dumps(self.curl.get("/v1/audit-events?limit=500").json))
