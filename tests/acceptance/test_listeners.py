"""The two listeners: what stands on which, TLS versions, reload, limits of connections."""

import signal
import socket
import ssl
import time

from harness import tools
from harness.case import ServerCase
from harness.curl import CurlError, run_curl


class Listeners(ServerCase):
    """TLS for the API; health, metrics and /pki on the plain listener."""

    config = "[metrics]\nenabled = true\n"

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")

    def plain(self, path: str, method: str = "GET"):
        """A call of the plain listener."""
        return self.curl.call(method, path, token=None, base=self.server.plain_url)

    def test_the_plain_listener_serves_health_metrics_and_issuers(self):
        self.assert_status(self.plain("/healthz"), 200)
        self.assert_status(self.plain("/readyz"), 200)
        metrics = self.assert_status(self.plain("/metrics"), 200)
        self.assertIn("# TYPE", metrics.text)
        self.assertNotIn("# TYPE", self.curl.get("/metrics").text, "not on the API's listener")
        crt = self.assert_status(self.plain("/pki/root/ca.crt"), 200)
        self.assertEqual(crt.content_type, "application/pkix-cert")
        self.assertIn("CN = root", tools.openssl("x509", "-noout", "-text", "-inform", "DER", data=crt.body).decode())

    def test_the_plain_listener_serves_no_api(self):
        for method, path in (
            ("GET", "/v1/vaults"),
            ("POST", "/v1/vaults"),
            ("GET", "/v1/trust"),
            ("GET", "/v1/whoami"),
            ("GET", "/openapi.yaml"),
        ):
            with self.subTest(path):
                self.assertIn(self.plain(path, method).status, (404, 405))
        token = self.curl.call("GET", "/v1/whoami", base=self.server.plain_url)
        self.assertEqual(token.status, 404)

    def test_metrics_are_off_by_default(self):
        from harness.server import Server

        server = Server("sqlite")
        self.addCleanup(server.remove)
        server.start()
        self.assertEqual(run_curl(["curl", "-sS", f"{server.plain_url}/metrics"]).status, 404)

    def test_issuer_url_in_a_leaf_works(self):
        issued = self.house.issue("root", "a.example.com", ["a.example.com"])
        text = tools.describe(issued["certificate"])
        url = text.split("CA Issuers - URI:")[1].split()[0]
        fetched = run_curl(["curl", "-sS", url])
        self.assertEqual(fetched.status, 200)
        (self.scratch / "fetched.der").write_bytes(fetched.body)
        (self.scratch / "leaf.pem").write_text(issued["certificate"])
        tools.openssl(
            "x509", "-inform", "DER", "-in", self.scratch / "fetched.der", "-out", self.scratch / "fetched.pem"
        )
        self.assertIsNone(
            tools.verify_openssl(
                self.scratch / "fetched.pem", None, self.scratch / "leaf.pem", host="a.example.com", purpose="sslserver"
            )
        )

    def test_tls_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.server.tls()
            context.minimum_version = context.maximum_version = version
            with self.subTest(version.name), socket.create_connection(("127.0.0.1", self.server.port)) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
                    self.assertEqual(secured.version(), version.name.replace("_", "."))
        old = tools.run(
            "openssl", "s_client", "-connect", f"127.0.0.1:{self.server.port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"
        )
        self.assertNotEqual(old.returncode, 0)
        self.assertIn(b"Cipher is (NONE)", old.stdout)

    def test_the_api_does_not_answer_plain_http(self):
        try:
            answer = run_curl(["curl", "-sS", "--max-time", "10", f"http://127.0.0.1:{self.server.port}/v1/vaults"])
        except CurlError:
            return
        self.assertGreaterEqual(answer.status, 400)

    def test_the_servers_certificate_is_trusted_by_its_file_alone(self):
        done = tools.run(
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{self.server.port}",
            "-CAfile",
            self.server.ca_file,
            "-verify_return_error",
            "-verify_hostname",
            "localhost",
        )
        self.assertIn(b"Verify return code: 0 (ok)", done.stdout, done.stderr)
        with self.assertRaises(CurlError) as refused:
            run_curl(["curl", "-sS", f"{self.server.url}/healthz"])
        self.assertEqual(refused.exception.code, 60)

    def test_hangup_keeps_serving(self):
        context = self.server.tls()
        with (
            socket.create_connection(("127.0.0.1", self.server.port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as held,
        ):
            self.server.signal(signal.SIGHUP)
            deadline = time.monotonic() + 10
            while "reload" not in self.server.log().lower() and time.monotonic() < deadline:
                time.sleep(0.05)
            held.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b" 200 ", held.recv(1024))
        self.assert_status(self.curl.get("/v1/vaults"), 200)

    def test_openapi_is_served(self):
        import yaml

        served = self.assert_status(self.curl.get("/openapi.yaml", token=None), 200)
        document = yaml.safe_load(served.text)
        self.assertTrue(document["openapi"].startswith("3."))
        for path in ("/v1/vaults", "/v1/certificate-authorities/{ca}/issue", "/v1/issued-certificates"):
            self.assertIn(path, document["paths"])
