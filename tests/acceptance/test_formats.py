"""Bundles as other programs read them, and what other programs write as we take it: openssl and Java's keytool."""

import base64
import io
import tarfile

from harness import tools
from harness.case import ServerCase, on_both

PASSWORD = "correct horse"
WEB = {"ca": "issuing", "names": ["service-a.example.com"], "exportable": True}


def keytool(*arguments: object) -> str:
    """Runs keytool; its output."""
    done = tools.run("keytool", "-J-Duser.language=en", *arguments)
    if done.returncode != 0:
        raise AssertionError(f"keytool {arguments}: {done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode()


@on_both
class Formats(ServerCase):
    """Bundles and imports, by other people's programs."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("issuing", "root", rules={"pathLength": 0})
        for name, algorithm in (("ec", "ECDSA_P256"), ("rsa", "RSA_2048")):
            made = cls.curl.call("PUT", f"/v1/certificates/{name}", {**WEB, "keyAlgorithm": algorithm})
            cls.house.made(made)

    def bundle(self, name: str, **body) -> bytes:
        answer = self.curl.post(f"/v1/certificates/{name}/bundle", {"password": PASSWORD, **body})
        self.assert_status(answer, 200)
        self.assertEqual(answer.headers["cache-control"], "no-store")
        return answer.body

    def serial(self, name: str) -> str:
        return self.curl.get(f"/v1/certificates/{name}").json["version"]["serial"]

    def test_openssl_reads_our_pkcs12(self):
        for name in ("ec", "rsa"):
            for compat in (False, True):
                with self.subTest(name=name, compat=compat):
                    file = self.scratch / f"{name}-{compat}.p12"
                    file.write_bytes(self.bundle(name, format="p12", compat=compat))
                    legacy = ["-legacy"] if compat else []
                    out = tools.openssl("pkcs12", "-in", file, "-passin", f"pass:{PASSWORD}", "-nodes", *legacy)
                    text = out.decode()
                    self.assertEqual(text.count("BEGIN CERTIFICATE"), 2)
                    self.assertIn("PRIVATE KEY", text)
                    self.assertIn(f"friendlyName: {name}", text)

    def test_keytool_lists_our_files(self):
        for kind, store in (("p12", "PKCS12"), ("jks", "JKS")):
            for name in ("ec", "rsa"):
                with self.subTest(kind=kind, name=name):
                    file = self.scratch / f"{name}.{kind}"
                    file.write_bytes(self.bundle(name, format=kind))
                    listed = keytool("-list", "-v", "-keystore", file, "-storetype", store, "-storepass", PASSWORD)
                    self.assertIn("PrivateKeyEntry", listed)
                    self.assertIn("Certificate chain length: 2", listed)
                    self.assertIn(f"Alias name: {name}", listed)
                    self.assertIn(f"Serial number: {self.serial(name).lstrip('0')}", listed)

    def test_keytool_opens_the_key_with_its_password(self):
        file, out = self.scratch / "open.jks", self.scratch / "open.p12"
        file.write_bytes(self.bundle("ec", format="jks", alias="web"))
        out.unlink(missing_ok=True)
        keytool(
            "-importkeystore", "-srckeystore", file, "-srcstoretype", "JKS", "-srcstorepass", PASSWORD,
            "-destkeystore", out, "-deststoretype", "PKCS12", "-deststorepass", PASSWORD, "-srcalias", "web",
        )  # fmt: skip
        key = tools.openssl("pkcs12", "-in", out, "-passin", f"pass:{PASSWORD}", "-nodes", "-nocerts")
        public = tools.openssl("pkey", "-pubout", data=key)
        leaf = self.curl.get("/v1/certificates/ec/bundle?format=der").body
        certified = tools.openssl("x509", "-inform", "DER", "-pubkey", "-noout", data=leaf)
        self.assertEqual(public, certified)

    def test_pkcs7_and_tar(self):
        p7 = self.curl.get("/v1/certificates/ec/bundle?format=p7").body
        listed = tools.openssl("pkcs7", "-inform", "DER", "-print_certs", data=p7).decode()
        self.assertEqual(listed.count("BEGIN CERTIFICATE"), 2)
        archive = tarfile.open(fileobj=io.BytesIO(self.bundle("ec", format="tar", includeKey=True)))
        self.assertEqual(archive.getnames(), ["cert.pem", "chain.pem", "ca.pem", "key.pem"])
        key = archive.extractfile("key.pem").read()
        self.assertIn(b"ENCRYPTED PRIVATE KEY", key)
        tools.openssl("pkey", "-passin", f"pass:{PASSWORD}", "-noout", data=key)

    def test_what_is_wrong_is_said(self):
        for body, pointer in (
            ({"format": "p12"}, "/password"),
            ({"format": "jks", "password": "short"}, "/password"),
            ({"format": "der", "includeKey": True}, "/includeKey"),
        ):
            problem = self.assert_problem(self.curl.post("/v1/certificates/ec/bundle", body), 400)
            self.assertEqual(problem["errors"][0]["pointer"], pointer)
        self.assert_problem(self.curl.get("/v1/certificates/ec/bundle?format=p12"), 406)

    def test_what_openssl_writes_is_imported(self):
        pki = tools.OpensslCa(self.scratch / "foreign")
        leaf = pki.leaf("brought", "DNS:brought.example.com")
        key, chain = leaf.with_suffix(".key"), pki.sub
        for number, legacy in enumerate(([], ["-legacy"])):
            file = self.scratch / f"brought-{number}.p12"
            tools.openssl(
                "pkcs12", "-export", "-in", leaf, "-inkey", key, "-certfile", chain, "-out", file,
                "-passout", f"pass:{PASSWORD}", *legacy,
            )  # fmt: skip
            name = f"brought-{number}"
            text = base64.b64encode(file.read_bytes()).decode()
            wrong = {"name": name, "import": {"pkcs12": text, "password": "wrong"}}
            problem = self.assert_problem(self.curl.post("/v1/certificates", wrong), 400)
            self.assertEqual(problem["errors"][0]["pointer"], "/import/password")
            body = {"name": name, "exportable": True, "import": {"pkcs12": text, "password": PASSWORD}}
            made = self.assert_status(self.curl.post("/v1/certificates", body), 201).json
            self.assertEqual((made["kind"], made["version"]["names"]), ("IMPORTED", ["brought.example.com"]))
        encrypted = tools.openssl("pkey", "-in", key, "-aes256", "-passout", f"pass:{PASSWORD}").decode()
        parts = {"certificate": leaf.read_text(), "privateKey": encrypted}
        locked = self.curl.post("/v1/certificates", {"name": "locked", "import": parts})
        self.assertEqual(self.assert_problem(locked, 400)["errors"][0]["code"], "password_needed")
        body = {"name": "in-parts", "import": {**parts, "passphrase": PASSWORD}}
        self.assert_status(self.curl.post("/v1/certificates", body), 201)
        other = tools.new_key(self.scratch, "other").read_text()
        foreign = {"name": "mismatch", "import": {"certificate": leaf.read_text(), "privateKey": other}}
        problem = self.assert_problem(self.curl.post("/v1/certificates", foreign), 400)
        self.assertEqual(problem["errors"][0]["code"], "key_mismatch")
        self.assert_problem(self.curl.get("/v1/certificates/mismatch"), 404)

    def test_a_ca_bundle_is_a_trust_store(self):
        roots = [tools.OpensslCa(self.scratch / f"partner-{number}").root.read_text() for number in range(2)]
        body = {"name": "partners", "description": "Roots of our partners", "certificates": "".join(roots)}
        made = self.assert_status(self.curl.post("/v1/ca-bundles", body), 201).json
        self.assertEqual([one["expired"] for one in made["certificates"]], [False, False])
        for kind, store in (("p12", "PKCS12"), ("jks", "JKS")):
            with self.subTest(kind):
                answer = self.curl.post("/v1/ca-bundles/partners/trust-store", {"format": kind, "password": PASSWORD})
                file = self.scratch / f"trust.{kind}"
                file.write_bytes(self.assert_status(answer, 200).body)
                listed = keytool("-list", "-v", "-keystore", file, "-storetype", store, "-storepass", PASSWORD)
                self.assertEqual(listed.count("trustedCertEntry"), 2)
        no_ca = self.curl.get("/v1/certificates/ec/bundle?format=pem").text
        wrong = {"name": "wrong", "certificates": no_ca}
        self.assert_problem(self.curl.post("/v1/ca-bundles", wrong), 400)
        self.assert_problem(self.curl.get("/v1/ca-bundles/wrong"), 404)
