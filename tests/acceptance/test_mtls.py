"""Mutual TLS for real: two small services with certificates of ours."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from harness import tools
from harness.case import ServerCase
from harness.curl import CurlError, Response, run_curl
from harness.postgres import free_port

SERVICE = Path(__file__).with_name("service.py")


class MutualTls(ServerCase):
    """Two services on loopback: TLS, client certificates, calls from A to B."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("issuing-1", "root")
        cls.root = cls.scratch / "root.pem"
        cls.root.write_text(cls.house.certificate_of("root"))
        cls.files = {}
        for name, subject in (("service-a", tools.SUBJECT_A), ("service-b", tools.SUBJECT_B)):
            key, csr = tools.new_csr(cls.scratch, name, subject, f"DNS:{name}.example.com")
            chain = cls.scratch / f"{name}.pem"
            chain.write_text(cls.house.sign("issuing-1", csr.read_text(), profile="tls-server-or-client")["chain"])
            cls.files[name] = (chain, key)
        cls.open_port, cls.a_port, cls.b_port = free_port(), free_port(), free_port()
        cls.serve("service-a", cls.open_port)
        cls.serve("service-b", cls.b_port, "--client-ca", cls.root)
        cls.serve(
            "service-a",
            cls.a_port,
            "--client-ca",
            cls.root,
            "--peer",
            f"service-b.example.com:{cls.b_port}",
            "--peer-ca",
            cls.root,
        )

    @classmethod
    def serve(cls, name: str, port: int, *options: object) -> None:
        """Starts a service and waits until its port is open."""
        process = subprocess.Popen(
            [sys.executable, SERVICE, name, str(port), *map(str, cls.files[name]), *map(str, options)]
        )
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{name} did not open port {port}")

    def get(
        self, host: str, port: int, path: str = "/", *, certificate: str | None = None, root: Path | None = None
    ) -> Response:
        """curl to a service by its name."""
        command = ["curl", "--silent", "--show-error", "--max-time", "20", "--resolve", f"{host}:{port}:127.0.0.1"]
        command += ["--cacert", str(root)] if root else []
        if certificate:
            chain, key = self.files[certificate]
            command += ["--cert", str(chain), "--key", str(key)]
        return run_curl([*command, f"https://{host}:{port}{path}"])

    def call_b(self, **how: str) -> dict:
        """A calls B; what came of it."""
        query = "&".join(f"{name}={value}" for name, value in how.items())
        answer = self.get(
            "service-a.example.com", self.a_port, f"/call?{query}", certificate="service-b", root=self.root
        )
        return json.loads(self.assert_status(answer, 200).body)

    def test_1_server_only_tls_answers(self):
        answer = self.get("service-a.example.com", self.open_port, root=self.root)
        self.assertEqual(answer.json["service"], "service-a")
        self.assertIsNone(answer.json["caller"])

    def test_2_a_required_client_certificate_that_is_missing_is_refused(self):
        with self.assertRaises(CurlError) as refused:
            self.get("service-b.example.com", self.b_port, root=self.root)
        # 56: the alert arrives after TLS 1.3's handshake; 35: within the handshake of TLS 1.2.
        self.assertIn(refused.exception.code, (35, 56), refused.exception)
        self.assertIn("certificate required", str(refused.exception).lower())

    def test_3_a_required_client_certificate_that_is_given_is_answered(self):
        answer = self.get("service-b.example.com", self.b_port, certificate="service-a", root=self.root)
        self.assertEqual((answer.json["service"], answer.json["caller"]), ("service-b", "service-a.example.com"))

    def test_4_a_calls_b_with_certificate_and_root(self):
        said = self.call_b(certificate="yes", root="yes")
        self.assertTrue(said["answered"], said)
        self.assertEqual((said["peer"]["service"], said["peer"]["caller"]), ("service-b", "service-a.example.com"))

    def test_5_a_calls_b_without_certificate_and_is_refused(self):
        said = self.call_b(certificate="no", root="yes")
        self.assertFalse(said["answered"], said)
        self.assertIn("certificate required", said["error"].lower())

    def test_6_a_calls_b_without_the_root_and_cannot_verify(self):
        said = self.call_b(certificate="yes", root="no")
        self.assertFalse(said["answered"], said)
        self.assertIn("certificate verify failed", said["error"].lower())

    def test_7_a_client_certificate_of_a_stranger_is_refused(self):
        stranger = tools.OpensslCa(self.scratch / "stranger")
        leaf = stranger.leaf("stranger", "DNS:service-a.example.com", usage="clientAuth")
        self.files["stranger"] = (stranger.chain(leaf), stranger.folder / "stranger.key")
        with self.assertRaises(CurlError) as refused:
            self.get("service-b.example.com", self.b_port, certificate="stranger", root=self.root)
        self.assertIn(refused.exception.code, (35, 56), refused.exception)

    def test_8_another_name_is_no_service_b(self):
        with self.assertRaises(CurlError) as refused:
            self.get("service-c.example.com", self.b_port, certificate="service-a", root=self.root)
        self.assertEqual(refused.exception.code, 60, refused.exception)
