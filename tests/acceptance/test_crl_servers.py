"""Servers and clients that look at revocation lists while they speak TLS: curl, gnutls-cli, nginx."""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from harness import crl, tools
from harness.case import on_both
from harness.curl import CurlError, run_curl
from harness.postgres import free_port
from harness.revoking import Revoking

# Debian puts it where the PATH of ordinary users does not look.
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or "nginx"
HOST = "service-a.example.com"


def is_open(port: int) -> bool:
    """Does anybody listen there?"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@on_both
class ClientsLookAtLists(Revoking):
    """A TLS server with a revoked certificate, in front of curl and gnutls-cli."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("sub", "root")

    def serve(self, issued: dict) -> int:
        """`openssl s_server` with a certificate of ours; its port."""
        chain, key = self.scratch / f"{issued['serial']}.chain", self.scratch / f"{issued['serial']}.key"
        chain.write_text(issued["chain"])
        key.write_text(issued["privateKey"])
        port = free_port()
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet", "-cert", chain, "-cert_chain", chain,
             "-key", key],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.addCleanup(server.wait, 30)
        self.addCleanup(server.terminate)
        crl.wait_for("the server", lambda: is_open(port))
        return port

    def test_a_revoked_server_is_refused(self):
        good, bad = (self.house.issue("sub", HOST, [HOST], profile="tls-server") for _ in range(2))
        self.revoke(bad, "keyCompromise")
        crl.wait_listed(crl.crl_urls(bad["certificate"])[0], bad["serial"])
        for name, issued in (("good", good), ("bad", bad)):
            port = self.serve(issued)
            files = crl.Chain.follow(issued["certificate"]).save(self.scratch, name)
            with self.subTest(f"curl, {name}"):
                self.assertEqual(self.curl_verdict(port, files, lists=False), None, "curl does not look by itself")
                self.assertEqual(self.curl_verdict(port, files, lists=True), None if name == "good" else 60)
            with self.subTest(f"gnutls-cli, {name}"):
                said = self.gnutls_verdict(port, files)
                self.assertIsNone(said) if name == "good" else self.assertIn("revoked", said or "accepted")

    def curl_verdict(self, port: int, files: crl.Files, *, lists: bool) -> int | None:
        """curl's exit status when it refuses; `None`: it accepts."""
        command = ["curl", "--silent", "--show-error", "--max-time", "20", "--cacert", str(files.root)]
        command += ["--resolve", f"{HOST}:{port}:127.0.0.1"]
        command += ["--crlfile", str(files.crls)] if lists else []
        try:
            return {200: None}.get(run_curl([*command, f"https://{HOST}:{port}/"]).status, -1)
        except CurlError as refused:
            return refused.code

    def gnutls_verdict(self, port: int, files: crl.Files) -> str | None:
        """gnutls-cli's words when it refuses. It takes the lists of CAs alone that stand in its file."""
        cas = files.chain.with_suffix(".cas")
        cas.write_text(files.between.read_text() + files.root.read_text())
        done = tools.run(
            "gnutls-cli", "--x509cafile", cas, "--x509crlfile", files.crls, "--verify-hostname", HOST,
            "--sni-hostname", HOST, "--port", port, "127.0.0.1",
        )  # fmt: skip
        out = (done.stdout + done.stderr).decode()
        return None if "The certificate is trusted" in out else out


CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; user root;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl; server_name localhost;
    ssl_certificate {folder}/server.chain; ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/ca.pem; ssl_verify_client on; ssl_verify_depth 2; ssl_crl {folder}/crl.pem;
    location / {{ return 200 "$ssl_client_s_dn"; }}
  }}
}}
"""


@on_both
class NginxLooksAtLists(Revoking):
    """nginx with `ssl_crl`, in front of clients whose certificates are revoked one after the other."""

    def setUp(self) -> None:
        self.house.root("root")
        self.house.subordinate("sub", "root")
        self.folder = self.scratch / "nginx"
        self.folder.mkdir()
        server = self.house.issue("sub", "localhost", ["localhost"], profile="tls-server")
        Path(self.folder, "server.chain").write_text(server["chain"])
        Path(self.folder, "server.key").write_text(server["privateKey"])
        self.clients = [
            self.house.issue("sub", f"client-{number}", [f"client-{number}.example.com"], profile="tls-client")
            for number in range(3)
        ]
        crl.wait_listed(crl.crl_urls(server["certificate"])[0])
        self.fetch_lists()
        files = crl.Chain.follow(server["certificate"]).save(self.scratch, "server")
        Path(self.folder, "ca.pem").write_text(files.between.read_text() + files.root.read_text())
        self.root = files.root
        self.port = free_port()
        (self.folder / "nginx.conf").write_text(CONFIG.format(folder=self.folder, port=self.port))
        nginx = subprocess.Popen([NGINX, "-c", self.folder / "nginx.conf"])
        self.addCleanup(nginx.wait, 30)
        self.addCleanup(nginx.terminate)
        crl.wait_for("nginx", lambda: is_open(self.port))

    def fetch_lists(self) -> None:
        """What a timer does: every list that the clients' chains name, into nginx' file."""
        files = crl.Chain.follow(self.clients[0]["certificate"]).save(self.scratch, "lists")
        shutil.copy(files.crls, self.folder / "crl.pem")

    def status(self, client: dict) -> int:
        """What nginx answers a client."""
        chain, key = (self.scratch / f"{client['serial']}.{end}" for end in ("chain", "key"))
        chain.write_text(client["chain"])
        key.write_text(client["privateKey"])
        context = ssl.create_default_context(cafile=self.root)
        context.load_cert_chain(chain, key)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=20, context=context)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        finally:
            connection.close()

    def test_clients_are_refused_once_the_new_list_is_loaded(self):
        self.assertEqual([self.status(client) for client in self.clients], [200] * 3)
        for number in (0, 1):
            revoked = self.clients[number]
            self.revoke(revoked, "cessationOfOperation")
            crl.wait_listed(crl.crl_urls(revoked["certificate"])[0], revoked["serial"])
            self.assertEqual(self.status(revoked), 200, "nginx has the list of before")
            self.fetch_lists()
            subprocess.run([NGINX, "-c", self.folder / "nginx.conf", "-s", "reload"], check=True)
            # For a moment workers of before and after the reload take connections.
            crl.wait_for("a refusal", lambda revoked=revoked: self.status(revoked) == 400)
            expected = [400 if at <= number else 200 for at in range(3)]
            self.assertEqual([self.status(client) for client in self.clients], expected)
