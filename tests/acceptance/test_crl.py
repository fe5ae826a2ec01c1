"""Revocation lists as other people's software takes them: openssl, GnuTLS, NSS, curl, nginx; the lists under pkilint.

Everything is fetched through the URLs that stand in the certificates."""

import base64
import re
import ssl
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from harness import lint, tools
from harness.case import ServerCase, on_both
from test_nginx import NGINX, free_port

#: A name that pkilint takes for one (it wants a dot); it leads to the server under test.
PUBLIC = "http://ca.example.com"

CLIENTS = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; user root;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl; server_name localhost;
    ssl_certificate {folder}/server.chain; ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/trust.pem; ssl_verify_client on; ssl_verify_depth 3; ssl_crl {folder}/crl.pem;
    return 204;
  }}
}}
"""


class CrlCase(ServerCase):
    """A root, an issuing CA, a good and a revoked leaf, and their lists."""

    @classmethod
    def file(cls, name: str, content: str | bytes) -> Path:
        path = cls.scratch / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    @classmethod
    def leaf(cls, name: str, ca: str = "issuing", host: str | None = None) -> Path:
        """A certificate in a file, its key and its chain beside it."""
        host = host or f"{name}.example.com"
        issued = cls.house.issue(ca, host, [host])
        cls.file(f"{name}.key", issued["privateKey"])
        cls.file(f"{name}.chain", issued["chain"])
        return cls.file(f"{name}.pem", issued["certificate"])

    @classmethod
    def revoke(cls, certificate: Path, reason: str = "superseded", **more) -> dict:
        body = {"certificate": certificate.read_text(), "reason": reason, **more}
        answer = cls.curl.post("/v1/issued-certificates/revoke", body)
        assert answer.status == 200, answer
        return answer.json

    @staticmethod
    def urls(certificate: Path) -> list[str]:
        """The CRL distribution points of a certificate."""
        text = tools.openssl("x509", "-in", certificate, "-noout", "-ext", "crlDistributionPoints").decode()
        return re.findall(r"URI:(\S+)", text)

    @classmethod
    def fetch(cls, url: str) -> bytes:
        """What stands there, waited for: the first list is made within a second or two."""
        url = url.replace(PUBLIC, cls.server.plain_url)
        for _ in range(100):
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    assert answer.headers["Content-Type"] == "application/pkix-crl", answer.headers
                    return answer.read()
            except urllib.error.HTTPError as error:
                assert error.code in (404, 503), error
                time.sleep(0.1)
        raise AssertionError(f"{url} serves nothing")

    @classmethod
    def list_with(cls, url: str, *certificates: Path) -> Path:
        """The list as PEM, once it has these certificates."""
        wanted = [tools.openssl("x509", "-in", c, "-noout", "-serial").decode().strip().split("=")[1] for c in certificates]
        for _ in range(200):
            der = cls.fetch(url)
            text = tools.openssl("crl", "-inform", "DER", "-noout", "-text", data=der).decode()
            if all(serial in text for serial in wanted):
                return cls.file(f"{abs(hash(url))}.crl", tools.openssl("crl", "-inform", "DER", data=der))
            time.sleep(0.1)
        raise AssertionError(f"{url} does not list {wanted}:\n{text}")

    def openssl_says(self, leaf: Path, lists: Path, *more: object, check: str = "-crl_check_all") -> str | None:
        """`openssl verify -crl_check_all -x509_strict`; None when accepted."""
        done = tools.run(
            "openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", check, *more,
            "-CRLfile", lists, "-CAfile", self.root, "-untrusted", self.issuer, leaf,
        )
        return None if done.returncode == 0 else (done.stdout + done.stderr).decode()


@on_both
class Lists(CrlCase):
    """Full lists of a root and an issuing CA."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("issuing", "root")
        cls.root = cls.file("root.pem", cls.house.certificate_of("root"))
        cls.issuer = cls.file("issuing.pem", cls.house.certificate_of("issuing"))
        cls.trust = cls.file("trust.pem", cls.root.read_text() + cls.issuer.read_text())
        cls.good, cls.revoked = cls.leaf("good"), cls.leaf("revoked")
        cls.revoke(cls.revoked)
        cls.of_issuer = cls.list_with(cls.urls(cls.good)[0], cls.revoked)
        cls.of_root = cls.list_with(cls.urls(cls.issuer)[0])
        cls.lists = cls.file("lists.pem", cls.of_issuer.read_bytes() + cls.of_root.read_bytes())

    def test_openssl(self):
        self.assertIsNone(self.openssl_says(self.good, self.lists))
        self.assertIn("certificate revoked", self.openssl_says(self.revoked, self.lists))
        self.assertEqual(self.urls(self.root), [], "a root is not on a list of its own")

    def test_gnutls(self):
        def says(name: str) -> str | None:
            done = tools.run(
                "certtool", "--verify", "--verify-profile=medium", "--load-ca-certificate", self.root,
                "--load-crl", self.lists, "--infile", self.scratch / f"{name}.chain",
            )
            text = (done.stdout + done.stderr).decode()
            return None if done.returncode == 0 and "Chain verification output: Verified." in text else text

        self.assertIsNone(says("good"))
        self.assertIn("revoked", says("revoked"))
        for pem in (self.of_issuer, self.of_root):
            text = tools.run("certtool", "--crl-info", "--infile", pem).stdout.decode()
            self.assertNotIn("Unknown extension", text)

    def test_nss(self):
        database = self.scratch / "nss"
        database.mkdir()
        nss = f"sql:{database}"
        self.assertEqual(tools.run("certutil", "-N", "-d", nss, "--empty-password").returncode, 0)
        for name, trust, path in (("root", "CT,C,C", self.root), ("issuing", ",,", self.issuer)):
            done = tools.run("certutil", "-A", "-d", nss, "-n", name, "-t", trust, "-a", "-i", path)
            self.assertEqual(done.returncode, 0, done.stderr)
        for pem in (self.of_root, self.of_issuer):
            der = self.file("nss.crl", tools.openssl("crl", "-in", pem, "-outform", "DER"))
            done = tools.run("crlutil", "-I", "-d", nss, "-i", der)
            self.assertEqual(done.returncode, 0, done.stderr)

        def says(certificate: Path) -> str:
            der = self.file("nss.der", tools.openssl("x509", "-in", certificate, "-outform", "DER"))
            done = tools.run("vfychain", "-d", nss, "-u", "1", der)
            return f"{done.returncode} {(done.stdout + done.stderr).decode()}"

        self.assertTrue(says(self.good).startswith("0 "), says(self.good))
        self.assertRegex(says(self.revoked), r"(?s)^[^0].*has been revoked")

    def serve(self, name: str) -> int:
        """A TLS server with this certificate; its port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.scratch / f"{name}.chain", self.scratch / f"{name}.key")

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def test_curl_with_crlfile(self):
        def says(name: str) -> tuple[int, str]:
            port = self.serve(name)
            done = tools.run(
                "curl", "-sS", "--cacert", self.root, "--crlfile", self.lists, "--resolve",
                f"{name}.example.com:{port}:127.0.0.1", f"https://{name}.example.com:{port}/",
            )
            return done.returncode, done.stderr.decode()

        self.assertEqual(says("good"), (0, ""))
        code, words = says("revoked")
        self.assertNotEqual(code, 0)
        self.assertIn("revoked", words)

    def test_nginx_with_ssl_crl(self):
        folder = self.scratch / "nginx"
        folder.mkdir()
        client = self.leaf("client")
        self.leaf("server", host="localhost")
        for name in ("server.chain", "server.key", "trust.pem"):
            (folder / name).write_bytes((self.scratch / name).read_bytes())
        (folder / "crl.pem").write_bytes(self.lists.read_bytes())
        port = free_port()
        (folder / "nginx.conf").write_text(CLIENTS.format(folder=folder, port=port))
        nginx = subprocess.Popen([NGINX, "-c", folder / "nginx.conf"])
        self.addCleanup(nginx.wait, 30)
        self.addCleanup(nginx.terminate)

        def says(name: str) -> str:
            done = tools.run(
                "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", self.root, "--cert",
                self.scratch / f"{name}.chain", "--key", self.scratch / f"{name}.key", f"https://localhost:{port}/",
                "--retry", "20", "--retry-connrefused", "--retry-delay", "1",
            )
            return done.stdout.decode()

        self.assertEqual(says("good"), "204")
        self.assertEqual(says("client"), "204")
        self.assertEqual(says("revoked"), "400")
        self.revoke(client, "keyCompromise")
        newer = self.list_with(self.urls(self.good)[0], client)
        (folder / "crl.pem").write_bytes(newer.read_bytes() + self.of_root.read_bytes())
        tools.run(NGINX, "-c", folder / "nginx.conf", "-s", "reload")
        # A worker of before the reload may still take a connection.
        for _ in range(100):
            if all(says("client") == "400" for _ in range(4)):
                break
            time.sleep(0.1)
        self.assertEqual(says("client"), "400")
        self.assertEqual(says("good"), "204")

    def test_conditional_requests(self):
        url = self.urls(self.good)[0]
        with urllib.request.urlopen(url) as answer:
            etag, modified = answer.headers["ETag"], answer.headers["Last-Modified"]
        for header, value in (("If-None-Match", etag), ("If-Modified-Since", modified)):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(url, headers={header: value}))
            self.assertEqual(refused.exception.code, 304)

    def test_a_revoked_ca_takes_everything_below_with_it(self):
        self.house.subordinate("doomed", "root")
        doomed = self.file("doomed.pem", self.house.certificate_of("doomed"))
        leaf = self.leaf("below", ca="doomed")
        lists = [self.list_with(self.urls(leaf)[0]), self.list_with(self.urls(doomed)[0])]
        self.issuer, issuer = doomed, self.issuer
        self.addCleanup(setattr, self, "issuer", issuer)
        before = self.file("before.pem", b"".join(path.read_bytes() for path in lists))
        self.assertIsNone(self.openssl_says(leaf, before))
        path = "/v1/certificate-authorities/doomed/versions/1/revoke"
        self.assert_status(self.curl.post(path, {"reason": "cACompromise"}), 200)
        of_root = self.list_with(self.urls(doomed)[0], doomed)
        after = self.file("after.pem", lists[0].read_bytes() + of_root.read_bytes())
        self.assertIn("certificate revoked", self.openssl_says(leaf, after))
        renewal = self.curl.post("/v1/certificate-authorities/doomed/renew", {})
        self.assert_problem(renewal, 409, "key_compromised")

    def test_old_and_new_certificates_are_decided_after_a_renewal(self):
        self.house.root("renewed")
        for key in ("KEEP", "ROTATE"):
            old = self.leaf(f"old-{key}", ca="renewed")
            gone = self.leaf(f"gone-{key}", ca="renewed")
            self.root = self.file("renewed-old.pem", self.house.certificate_of("renewed"))
            self.assert_status(self.curl.post("/v1/certificate-authorities/renewed/renew", {"key": key}), 200)
            new = self.leaf(f"new-{key}", ca="renewed")
            self.revoke(gone)
            self.issuer = self.root
            lists = self.list_with(self.urls(old)[0], gone)
            self.assertIsNone(self.openssl_says(old, lists))
            self.assertIn("certificate revoked", self.openssl_says(gone, lists))
            self.root = self.issuer = self.file("renewed-new.pem", self.house.certificate_of("renewed"))
            self.assertIsNone(self.openssl_says(new, self.list_with(self.urls(new)[0], gone)))


@on_both
class Forms(CrlCase):
    """Delta lists and shards, for every kind of key; pkilint's opinion."""

    config = f'pki_url = "{PUBLIC}"\n'

    def test_delta_lists_and_shards(self):
        for algorithm in ("ECDSA_P256", "RSA_2048", "ED25519"):
            with self.subTest(algorithm=algorithm):
                name = algorithm.lower().replace("_", "-")
                revocation = {"crl": {"delta": {"enabled": True}, "interval": "P1D"}, "holdEnabled": True}
                self.house.root(name, algorithm, revocation=revocation)
                self.root = self.issuer = self.file(f"{name}.pem", self.house.certificate_of(name))
                good, held = self.leaf(f"{name}-good", ca=name), self.leaf(f"{name}-held", ca=name)
                url = self.urls(good)[0]
                full = self.list_with(url)
                self.revoke(held, "certificateHold")
                freshest = re.findall(r"URI:(\S+)", tools.openssl("crl", "-in", full, "-noout", "-text").decode())
                self.assertEqual(freshest, [url.replace("/crl", "/delta.crl")])
                delta = self.list_with(freshest[0], held)
                both = self.file(f"{name}-both.pem", full.read_bytes() + delta.read_bytes())
                more = ("-use_deltas", "-extended_crl")
                self.assertIsNone(self.openssl_says(held, full), "the full list is older")
                self.assertIn("certificate revoked", self.openssl_says(held, both, *more))
                self.assertIsNone(self.openssl_says(good, both, *more))
                self.assertEqual(lint.crl(full.read_text()), [])
                self.assertEqual(lint.crl(delta.read_text()), [])

                serial = tools.openssl("x509", "-in", held, "-noout", "-serial").decode().strip().split("=")[1]
                self.assert_status(self.curl.post(f"/v1/issued-certificates/{serial}/release"), 200)
                self.shards(name)

    def shards(self, name: str) -> None:
        path = f"/v1/certificate-authorities/{name}"
        etag = self.curl.get(path).headers["etag"]
        change = {"revocation": {"crl": {"shards": 4, "interval": "PT0S", "delta": {"enabled": False}}}}
        self.assert_status(self.curl.patch(path, change, headers={"If-Match": etag}), 200)
        good, gone = self.leaf(f"{name}-shard-good", ca=name), self.leaf(f"{name}-shard-gone", ca=name)
        self.revoke(gone)
        lists = self.list_with(self.urls(gone)[0], gone)
        self.assertRegex(self.urls(gone)[0], r"/crl/4/[0-3]$")
        # The root names no shard, so that only the leaf can be looked for.
        leaf_alone = {"check": "-crl_check"}
        self.assertIn("certificate revoked", self.openssl_says(gone, lists, "-extended_crl", **leaf_alone))
        of_good = self.list_with(self.urls(good)[0])
        self.assertIsNone(self.openssl_says(good, of_good, "-extended_crl", **leaf_alone))
        self.assertEqual(lint.crl(lists.read_text()), [])


@on_both
class Elsewhere(CrlCase):
    """Lists of a CA that is not ours."""

    def test_a_foreign_root_has_its_list_uploaded(self):
        foreign = tools.OpensslCa(self.scratch / "openssl")
        body = {"name": "foreign", "type": "EXTERNAL_ROOT", "certificate": foreign.root.read_text()}
        self.house.made(self.curl.post("/v1/certificate-authorities", body))
        made = self.openssl_list(foreign, "root", 5)
        path = "/v1/certificate-authorities/foreign/crl"
        upload = lambda data: self.curl.call("POST", path, data=data, headers={"Content-Type": "application/pkix-crl"})
        self.assert_problem(self.curl.post(path), 409, "no_crl")
        self.assert_problem(upload(b"garbage"), 400)
        self.assert_problem(upload(self.openssl_list(foreign, "sub", 5)), 400)
        answer = self.assert_status(upload(made), 201).json
        self.assertEqual(answer, {"entries": 0, "restored": 0, "served": True})
        served = self.fetch(f"{self.server.plain_url}/pki/foreign/crl")
        self.assertEqual(served, tools.openssl("crl", "-outform", "DER", data=made))
        self.assert_problem(upload(self.openssl_list(foreign, "root", 4)), 409, "crl_is_older")
        self.assert_status(upload(self.openssl_list(foreign, "root", 6)), 201)
        shown = self.curl.get(path).json["items"][0]["current"]
        self.assertEqual((shown["number"], shown["uploaded"]), (6, True))

    def openssl_list(self, foreign: tools.OpensslCa, name: str, number: int) -> bytes:
        """A list by `openssl ca -gencrl`, PEM."""
        folder = foreign.folder
        (folder / "index.txt").write_text("")
        (folder / "number").write_text(f"{number:02x}\n")
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/index.txt\ncrlnumber={folder}/number\ndefault_md=sha256\n"
            "default_crl_days=30\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid:always\n"
        )
        key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
        return tools.openssl("ca", "-gencrl", "-config", folder / "ca.cnf", "-keyfile", key, "-cert", certificate)

    def test_bad_revocations_are_problems(self):
        self.house.root("own")
        foreign = tools.OpensslCa(self.scratch / "stranger")
        stranger = foreign.leaf("x", "DNS:x.example.com").read_text()
        revoke = "/v1/issued-certificates/revoke"
        self.assert_problem(self.curl.post(revoke, {"certificate": stranger}), 404, "not_found")
        own = self.house.certificate_of("own")
        self.assert_problem(self.curl.post(revoke, {"certificate": own}), 409, "ca_certificate")
        root = "/v1/certificate-authorities/own/versions/1/revoke"
        self.assert_problem(self.curl.post(root, {"reason": "cACompromise"}), 409, "not_revocable")
        issued = self.house.issue("own", "a.example.com", ["a.example.com"])
        path = f"/v1/issued-certificates/{issued['serial']}/revoke"
        self.assert_problem(self.curl.post(path, {"reason": "removeFromCRL"}), 400, "invalid_revocation_reason")
        first = self.assert_status(self.curl.post(path, {"reason": "superseded"}), 200).json
        again = self.assert_status(self.curl.post(path, {"reason": "superseded"}), 200).json
        self.assertEqual(first["revokedAt"], again["revokedAt"])
        self.assert_problem(self.curl.post(path, {"reason": "unspecified"}), 409, "already_revoked")


@on_both
class KilledWhileBuilding(CrlCase):
    """SIGKILL at many moments of a build leaves the last good list served."""

    def test_the_last_good_list_is_served(self):
        for round_ in range(8):
            # A CA of its own for each: the server that died leaves a lease on the making of its lists.
            ca = f"busy-{round_}"
            self.house.root(ca, revocation={"crl": {"interval": "PT0S"}})
            self.root = self.issuer = self.file("busy.pem", self.house.certificate_of(ca))
            leaf = self.leaf("leaf", ca=ca)
            url = self.urls(leaf)[0]
            before = self.number(self.fetch(url))
            stop, made = threading.Event(), threading.Semaphore(0)
            asking = threading.Thread(target=self.ask_for_lists, args=(ca, stop, made))
            asking.start()
            for _ in range(2):
                self.assertTrue(made.acquire(timeout=60))
            time.sleep(0.007 * round_)
            self.server.kill()
            stop.set()
            asking.join(60)
            self.server.start()
            der = self.fetch(url)
            lists = self.file("busy.crl", tools.openssl("crl", "-inform", "DER", data=der))
            self.assertIsNone(self.openssl_says(leaf, lists))
            self.assertGreater(self.number(der), before, "what was acknowledged is served")

    @staticmethod
    def number(der: bytes) -> int:
        text = tools.openssl("crl", "-inform", "DER", "-noout", "-crlnumber", data=der).decode()
        return int(text.strip().split("=")[1], 16)

    def ask_for_lists(self, ca: str, stop: threading.Event, made: threading.Semaphore) -> None:
        while not stop.is_set():
            try:
                answer = self.curl.post(f"/v1/certificate-authorities/{ca}/crl")
            except Exception:  # the server is gone
                return
            if answer.status == 200:
                made.release()
