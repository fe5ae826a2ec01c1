"""OCSP as clients ask for it: openssl, GnuTLS, curl, nginx; the answers under pkilint."""

import base64
import re
import subprocess
import time
import urllib.parse
from pathlib import Path

from harness import lint, tools
from harness.case import ServerCase, on_both
from test_nginx import NGINX, free_port

STAPLING = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log info; worker_processes 1; user root;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl; server_name a.example.com;
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
    ssl_stapling on; ssl_stapling_verify on; ssl_trusted_certificate {folder}/trust.pem;
    return 204;
  }}
}}
"""


@on_both
class Ocsp(ServerCase):
    """Status of certificates."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("issuing", "root")
        cls.root = cls.file("root.pem", cls.house.certificate_of("root"))
        cls.issuer = cls.file("issuing.pem", cls.house.certificate_of("issuing"))
        cls.trust = cls.file("trust.pem", cls.root.read_text() + cls.issuer.read_text())
        cls.good = cls.leaf("good")
        cls.revoked = cls.leaf("revoked", revoke="keyCompromise")
        cls.bare = cls.leaf("bare", revoke="unspecified")

    @classmethod
    def file(cls, name: str, text: str) -> Path:
        path = cls.scratch / name
        path.write_text(text)
        return path

    @classmethod
    def leaf(cls, name: str, *, ca: str = "issuing", revoke: str | None = None) -> Path:
        """A certificate of the CA in a file, its key beside it."""
        issued = cls.house.issue(ca, f"{name}.example.com", [f"{name}.example.com"])
        cls.file(f"{name}.key", issued["privateKey"])
        cls.file(f"{name}.chain", issued["chain"])
        if revoke:
            answer = cls.curl.post(f"/v1/issued-certificates/{issued['serial']}/revoke", {"reason": revoke})
            assert answer.status == 200, answer
        return cls.file(f"{name}.pem", issued["certificate"])

    def url(self, certificate: Path) -> str:
        """The URL that stands in the certificate."""
        return tools.openssl("x509", "-in", certificate, "-noout", "-ocsp_uri").decode().strip()

    def ask(self, *arguments: object, issuer: Path | None = None, root: Path | None = None) -> str:
        """`openssl ocsp`, the answer verified; its words."""
        done = tools.run(
            "openssl", "ocsp", "-issuer", issuer or self.issuer, "-CAfile", root or self.trust, "-no-CApath",
            *arguments
        )
        words = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, 0, words)
        self.assertIn("Response verify OK", words)
        return words

    def test_openssl_by_post(self):
        url = self.url(self.good)
        self.assertRegex(url, r"^http://localhost:\d+/pki/ca_[0-9A-Z]{26}/1/ocsp$")
        for digest in ("-sha1", "-sha256"):
            for nonce in ("-nonce", "-no_nonce"):
                with self.subTest(digest=digest, nonce=nonce):
                    words = self.ask(
                        digest, "-cert", self.good, digest, "-cert", self.revoked, digest, "-serial", "0x1234",
                        nonce, "-url", url,
                    )
                    self.assertRegex(words, r"good\.pem: good")
                    self.assertRegex(words, r"revoked\.pem: revoked")
                    self.assertIn("Reason: keyCompromise", words)
                    self.assertRegex(words, r"0x1234: unknown")
                    self.assertNotIn("WARNING", words, "the nonce is echoed")
                    self.assertIn("Next Update:", words)

    def test_the_root_answers_for_the_subordinate(self):
        words = self.ask("-cert", self.issuer, "-url", self.url(self.issuer), issuer=self.root, root=self.root)
        self.assertIn("issuing.pem: good", words)

    def test_a_revocation_is_seen_at_once(self):
        leaf = self.leaf("soon")
        url = self.url(leaf)
        self.assertIn("soon.pem: good", self.ask("-no_nonce", "-cert", leaf, "-url", url))
        serial = tools.openssl("x509", "-in", leaf, "-noout", "-serial").decode().split("=")[1].strip()
        revoked = self.curl.post(f"/v1/issued-certificates/{serial}/revoke", {"reason": "superseded"})
        self.assert_status(revoked, 200)
        words = self.ask("-no_nonce", "-cert", leaf, "-url", url)
        self.assertIn("soon.pem: revoked", words)

    def test_curl_by_get(self):
        request = self.scratch / "request.der"
        for certificate, nonce in ((self.good, "-no_nonce"), (self.revoked, "-no_nonce"), (self.good, "-nonce")):
            tools.openssl("ocsp", "-issuer", self.issuer, "-cert", certificate, nonce, "-reqout", request)
            path = urllib.parse.urlparse(self.url(certificate)).path
            plain = base64.b64encode(request.read_bytes()).decode()
            posted = self.curl.post(
                path, data=request.read_bytes(), headers={"Content-Type": "application/ocsp-request"},
                token=None, base=self.server.plain_url,
            )
            for text in (urllib.parse.quote(plain, safe=""), plain, plain.rstrip("="), "/" + plain):
                answer = self.curl.get(f"{path}/{text}", token=None, base=self.server.plain_url)
                self.assert_status(answer, 200)
                self.assertEqual(answer.content_type, "application/ocsp-response")
                response = self.scratch / "response.der"
                response.write_bytes(answer.body)
                words = self.ask("-reqin", request, "-respin", response, "-resp_text")
                self.assertIn(f"Cert Status: {'revoked' if certificate == self.revoked else 'good'}", words)
                if nonce == "-no_nonce":
                    self.assertEqual(answer.body, posted.body, "answers without nonce are used again")
                    self.assertRegex(answer.headers["cache-control"], r"^max-age=\d+, public, no-transform, must-reval")
                    self.assertIn("etag", answer.headers)
                    self.assertIn("expires", answer.headers)
                    self.assertIn("last-modified", answer.headers)
                else:
                    self.assertEqual(answer.headers["cache-control"], "no-store")

    def test_gnutls(self):
        for certificate, status in ((self.good, "good"), (self.revoked, "revoked")):
            done = tools.run(
                "ocsptool", f"--ask={self.url(certificate)}", "--load-issuer", self.issuer, "--load-cert", certificate,
                "--load-trust", self.trust, "--nonce",
            )
            words = (done.stdout + done.stderr).decode()
            self.assertIn(f"Certificate Status: {status}", words)
            self.assertIn("Verifying OCSP Response: Success", words)

    def test_the_ca_itself_may_sign(self):
        answer = self.curl.post("/v1/certificate-authorities/root/issue", {"subject": {"commonName": "x"}})
        self.assert_status(answer, 201)
        leaf = self.file("of-root.pem", answer.json["certificate"])
        for responder, certificates in (("CA", 0), ("DELEGATED", 1)):
            body = {"revocation": {"ocsp": {"responder": responder}}}
            changed = self.curl.patch("/v1/certificate-authorities/root", body, headers={"If-Match": "*"})
            self.assert_status(changed, 200)
            response = self.scratch / "mode.der"
            words = self.ask(
                "-cert", leaf, "-url", self.url(leaf), "-respout", response, issuer=self.root, root=self.root
            )
            self.assertIn("of-root.pem: good", words)
            text = tools.openssl("ocsp", "-respin", response, "-noverify", "-resp_text").decode()
            self.assertEqual(text.count("-----BEGIN CERTIFICATE"), certificates)

    def test_rsa(self):
        self.house.root("rsa", "RSA_2048")
        root = self.file("rsa.pem", self.house.certificate_of("rsa"))
        leaf = self.leaf("of-rsa", ca="rsa")
        words = self.ask("-cert", leaf, "-url", self.url(leaf), issuer=root, root=root)
        self.assertIn("of-rsa.pem: good", words)

    def test_pkilint(self):
        response = self.scratch / "lint.der"
        for name, about in (
            ("good", ("-cert", self.good)),
            ("revoked", ("-cert", self.revoked)),
            ("revoked without reason", ("-cert", self.bare)),
            ("unknown", ("-serial", "0x4711")),
            ("three", ("-cert", self.good, "-cert", self.revoked, "-serial", "0x4711")),
        ):
            for nonce in ("-nonce", "-no_nonce"):
                with self.subTest(name, nonce=nonce):
                    self.ask(*about, nonce, "-url", self.url(self.good), "-respout", response)
                    self.assertEqual([str(f) for f in lint.ocsp_response(response.read_bytes())], [])
        text = tools.openssl("ocsp", "-respin", response, "-noverify", "-resp_text").decode()
        responder = tools.pem_blocks(text)[0]
        shown = tools.describe(responder)
        self.assertIn("OCSP No Check", shown)
        self.assertRegex(shown, r"X509v3 Extended Key Usage: *\n *OCSP Signing\n")

    def test_nginx_staples(self):
        folder = self.scratch / "nginx"
        folder.mkdir()
        port = free_port()
        leaf = self.leaf("a")
        (folder / "chain.pem").write_text((self.scratch / "a.chain").read_text())
        (folder / "key.pem").write_text((self.scratch / "a.key").read_text())
        (folder / "trust.pem").write_text(self.trust.read_text())
        (folder / "nginx.conf").write_text(STAPLING.format(folder=folder, port=port))
        nginx = subprocess.Popen([NGINX, "-c", folder / "nginx.conf"])
        self.addCleanup(nginx.wait, 30)
        self.addCleanup(nginx.terminate)
        self.assertIn("/ocsp", self.url(leaf))
        words = ""
        # nginx asks when the first client comes, and that client does not wait for it.
        for _ in range(100):
            done = tools.run(
                "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "a.example.com", "-status",
                "-CAfile", self.root, "-verify_return_error",
            )
            words = (done.stdout + done.stderr).decode()
            if re.search(r"OCSP Response Status: successful", words):
                break
            time.sleep(0.1)
        self.assertRegex(words, r"Cert Status: good", (folder / "error.log").read_text())
        self.assertIn("Verify return code: 0 (ok)", words)
