"""Lists in an S3-compatible bucket (moto) and in a folder, found through the URLs that stand in the certificates."""

import json
import re
import shutil
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from harness import tools
from harness.bucket import BucketServer
from harness.case import on_both
from test_crl import CrlCase

CA = "/v1/certificate-authorities"


class PublishingCase(CrlCase):
    """A server whose configuration names a bucket and a folder."""

    tls = False

    @classmethod
    def setUpClass(cls) -> None:
        cls.home = Path(tempfile.mkdtemp(prefix="certwright-publication-"))
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        cls.folder = cls.home / "www"
        cls.folder.mkdir()
        cls.bucket = BucketServer("crl", cls.home, tls=cls.tls)
        cls.addClassCleanup(cls.bucket.stop)
        cls.secret = cls.home / "secret"
        cls.write_secret("wJalrXUtnFEMI-not-a-real-secret")
        cls.key_id = "AKIAEXAMPLE"
        cls.start_bucket()
        cls.config = f"""
[publication.cdn]
kind = "s3"
bucket = "crl"
endpoint = "{cls.bucket.url}"
prefix = "pki"
access_key_id = "{cls.key_id}"
secret_key_file = "{cls.secret}"
[publication.web]
kind = "folder"
path = "{cls.folder}"
[metrics]
enabled = true
"""
        super().setUpClass()

    @classmethod
    def start_bucket(cls) -> None:
        cls.bucket.start()

    @classmethod
    def write_secret(cls, text: str) -> None:
        cls.secret.write_text(text + "\n")
        cls.secret.chmod(0o600)

    @classmethod
    def in_bucket(cls, stem: str) -> dict:
        """Lists and certificates in the bucket, and their URLs there."""
        url = f"{cls.bucket.url}/crl/pki/{stem}-{{}}"
        return {
            "target": "cdn",
            "objectNameFormat": f"{stem}-{{}}.crl",
            "customUrlFormats": [f"{url}.crl"],
            "issuerNameFormat": f"{stem}-{{}}.crt",
            "issuerUrlFormats": [f"{url}.crt"],
        }

    def wait(self, what: str, ask, seconds: float = 60):
        """What `ask` gives, once it is something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := ask():
                return found
            time.sleep(0.2)
        raise AssertionError(f"{what} did not come within {seconds} s:\n{self.server.log()[-3000:]}")

    def objects(self, ca: str) -> dict[str, dict]:
        lists = self.assert_status(self.curl.get(f"{CA}/{ca}/crl"), 200).json["items"]
        return {one["name"]: one for listed in lists for one in listed.get("objects", [])}

    def metric(self, name: str, **labels: str) -> float:
        with urllib.request.urlopen(f"{self.server.plain_url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        for line in text.splitlines():
            if line.startswith(name + "{") and all(f'{label}="{value}"' in line for label, value in labels.items()):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"{name} is missing in\n{text}")

    def warnings(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.server.plain_url}/readyz", timeout=10) as answer:
            return {one["code"]: one["count"] for one in json.load(answer).get("warnings", [])}


@on_both
class Publication(PublishingCase):
    """Publication elsewhere, from the setting to the client."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("issuing", "root", revocation={"publication": cls.in_bucket("issuing")})
        cls.root = cls.file("root.pem", cls.house.certificate_of("root"))
        cls.issuer = cls.file("issuing.pem", cls.house.certificate_of("issuing"))

    def test_a_client_finds_the_list_in_the_bucket(self):
        good, revoked = self.leaf("good"), self.leaf("revoked")
        [url] = self.urls(good)
        self.assertEqual(url, f"{self.bucket.url}/crl/pki/issuing-1.crl")
        self.revoke(revoked)
        lists = self.list_with(url, revoked)
        self.assertIsNone(self.openssl_says(good, lists, check="-crl_check"))
        self.assertIn("certificate revoked", self.openssl_says(revoked, lists, check="-crl_check"))
        headers, der = self.bucket.call("GET", "/crl/pki/issuing-1.crl")
        self.assertEqual(headers["content-type"], "application/pkix-crl")
        self.assertEqual(headers["cache-control"], "public, max-age=300, must-revalidate")
        self.assertEqual(der, self.fetch(f"{self.server.plain_url}/pki/issuing/crl"), "the same as here")
        text = tools.describe(good)
        issuer = re.search(r"CA Issuers - URI:(\S+)", text).group(1)
        with urllib.request.urlopen(issuer, timeout=10) as answer:
            self.assertEqual(answer.headers["Content-Type"], "application/pkix-cert")
            der = answer.read()
        wanted = tools.openssl("x509", "-in", self.issuer, "-outform", "DER")
        self.assertEqual(der, wanted)
        objects = self.objects("issuing")
        self.assertEqual(sorted(objects), ["issuing-1.crl", "issuing-1.crt"])
        self.assertTrue(all(one["upToDate"] and one["failures"] == 0 for one in objects.values()), objects)

    def test_a_folder_holds_the_list(self):
        change = {"revocation": {"publication": {"target": "web", "objectNameFormat": "deep/root-{}.crl"}}}
        etag = self.curl.get(f"{CA}/root").headers["etag"]
        self.assert_status(self.curl.patch(f"{CA}/root", change, headers={"If-Match": etag}), 200)
        path = self.folder / "deep" / "root-1.crl"

        def same():
            return path.exists() and path.read_bytes() == self.fetch(f"{self.server.plain_url}/pki/root/crl")

        self.wait("the list in the folder", same)
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)
        self.assertEqual(path.parent.stat().st_mode & 0o777, 0o755, "a web server runs as somebody else")
        tools.openssl("crl", "-inform", "DER", "-in", path, "-CAfile", self.root, "-noout")
        self.assertEqual([one.name for one in path.parent.iterdir()], ["root-1.crl"])

    def test_an_outage_is_told_and_made_good(self):
        good, revoked = self.leaf("outlives"), self.leaf("ends")
        [url] = self.urls(good)
        self.list_with(url)
        self.bucket.stop()
        self.revoke(revoked)

        def failing():
            one = self.objects("issuing")["issuing-1.crl"]
            return one if one["failures"] >= 3 else None

        one = self.wait("the third failure", failing)
        self.assertEqual(one["lastError"], "no connection to the bucket's server")
        self.assertFalse(one["upToDate"])
        self.assertIsNotNone(one["nextAttemptAt"])
        self.assertIsNotNone(one["lastPublishedAt"], "of the list before")
        self.wait("the warning", lambda: self.warnings().get("publication_failing"))
        self.wait("the gauge", lambda: self.metric("certwright_publication_failing", ca="issuing", target="cdn") == 1)
        events = self.curl.get("/v1/events?kind=crl.publication-failed").json["items"]
        self.assertEqual(len(events), 1, events)
        self.bucket.start()
        self.wait("the next attempt", lambda: self.objects("issuing")["issuing-1.crl"]["upToDate"])
        lists = self.list_with(url, revoked)
        self.assertIn("certificate revoked", self.openssl_says(revoked, lists, check="-crl_check"))
        self.wait("the end of the warning", lambda: "publication_failing" not in self.warnings())

        # The bucket has lost the certificate; who knows asks for it.
        with self.assertRaises(urllib.error.HTTPError):
            self.bucket.call("GET", "/crl/pki/issuing-1.crt")
        self.assert_status(self.curl.post(f"{CA}/issuing/crl"), 200)

        def back():
            try:
                return self.bucket.call("GET", "/crl/pki/issuing-1.crt")[1]
            except urllib.error.HTTPError:
                return None

        self.wait("the certificate", back)

    def test_nonsense_is_refused(self):
        etag = self.curl.get(f"{CA}/root").headers["etag"]
        for field, value, code in (
            ("target", "nowhere", "unknown_publication_target"),
            ("objectNameFormat", "../root-{}.crl", "invalid_object_name_format"),
            ("objectNameFormat", "a" * 600 + "{}", "invalid_object_name_format"),
            ("objectNameFormat", "root.crl", "invalid_object_name_format"),
            ("customUrlFormats", ["http:///{}"], "invalid_url"),
        ):
            body = {"revocation": {"publication": {**self.in_bucket("root"), field: value}}}
            response = self.curl.patch(f"{CA}/root", body, headers={"If-Match": etag})
            self.assertEqual(self.assert_problem(response, 400)["errors"][0]["code"], code)
        body = {"revocation": {"publication": self.in_bucket("issuing")}}
        problem = self.assert_problem(self.curl.patch(f"{CA}/root", body, headers={"If-Match": etag}), 409)
        self.assertEqual(problem["code"], "object_name_taken")
        self.assertIn("CA issuing", problem["detail"])

    def test_the_secret_is_shown_nowhere(self):
        secret = self.secret.read_text().strip()
        self.assertNotIn(secret, self.server.log())
        for path in (f"{CA}/issuing", f"{CA}/issuing/crl", "/v1/audit-events"):
            self.assertNotIn(secret, self.curl.get(path).text)
        shown = self.server.run("config", "show", "--origin", "--config", str(self.server.folder / "config.toml"))
        self.assertIn("publication.cdn.secret_key_file", shown.stdout)
        self.assertNotIn(secret, shown.stdout + shown.stderr)


class Signatures(PublishingCase):
    """A bucket that wants signed requests of somebody who may write."""

    @classmethod
    def start_bucket(cls) -> None:
        # Making the bucket with its policy, the user, the right and the key are the last things that anybody may do.
        cls.bucket.start(INITIAL_NO_AUTH_ACTION_COUNT="5")
        cls.key_id, cls.right = cls.bucket.make_key()

    def test_a_wrong_secret_is_refused_and_a_right_one_is_taken_at_once(self):
        self.house.root("root", revocation={"publication": self.in_bucket("root")})
        refused = "the bucket's server refused our credentials or our right to write"
        one = self.wait("the refusal", lambda: self.objects("root").get("root-1.crt", {}).get("lastError"))
        self.assertEqual(one, refused)
        self.write_secret(self.right)

        def written():
            objects = self.objects("root")
            return len(objects) == 2 and all(one["upToDate"] for one in objects.values())

        self.wait("the objects", written)


class OverTls(PublishingCase):
    """A bucket on https, whose certificate comes from a CA of this server."""

    tls = True

    @classmethod
    def start_bucket(cls) -> None:
        """It has no certificate yet."""

    def test_a_certificate_of_our_own_is_trusted_and_another_is_not(self):
        self.house.root("root")
        root = self.file("root.pem", self.house.certificate_of("root"))
        names, key = self.scratch / "other.pem", self.scratch / "other.key"
        tools.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", names,
        )
        self.bucket.tls = (names, key, names)
        self.bucket.start()
        self.house.subordinate("issuing", "root", revocation={"publication": self.in_bucket("issuing")})
        why = self.wait("the refusal", lambda: self.objects("issuing").get("issuing-1.crl", {}).get("lastError"))
        self.assertEqual(why, "no TLS connection: the issuer of the certificate is not trusted")
        self.bucket.stop()
        leaf = self.leaf("localhost", ca="root", host="localhost")
        self.bucket.tls = (leaf, self.scratch / "localhost.key", root)
        self.bucket.start()
        self.wait("the list", lambda: all(one["upToDate"] for one in self.objects("issuing").values()))
        der = self.bucket.call("GET", "/crl/pki/issuing-1.crl")[1]
        self.assertEqual(der, self.fetch(f"{self.server.plain_url}/pki/issuing/crl"))


@on_both
class KilledWhilePublishing(PublishingCase):
    """SIGKILL at several moments while lists go to a folder; readers of the folder never notice."""

    def test_the_list_in_the_folder_is_whole_and_never_goes_back(self):
        publication = {"target": "web", "objectNameFormat": "busy-{}.crl"}
        self.house.root("busy", revocation={"crl": {"interval": "PT0S"}, "publication": publication})
        self.root = self.issuer = self.file("busy.pem", self.house.certificate_of("busy"))
        self.path = self.folder / "busy-1.crl"
        self.wait("the first list", self.path.exists)
        numbers, broken, done = [], [], threading.Event()
        reader = threading.Thread(target=self.read_on, args=(numbers, broken, done))
        reader.start()
        self.addCleanup(done.set)
        made_in_rounds = 0
        for round_ in range(4):
            leaves = [self.leaf(f"leaf-{round_}-{n}", ca="busy") for n in range(6)]
            before, stop = self.number(self.path.read_bytes()), threading.Event()
            # Who was killed may have left a claim on the object; this ends it. A lease on the making of lists is waited for.
            self.assert_status(self.curl.post(f"{CA}/busy/crl"), 200)
            asking = threading.Thread(target=self.revoke_all, args=(leaves, stop))
            asking.start()
            self.wait("a newer list", lambda: self.number(self.path.read_bytes()) > before, seconds=150)
            time.sleep(0.023 * round_)
            self.server.kill()
            stop.set()
            asking.join(60)
            left = self.number(self.path.read_bytes())
            self.assertGreater(left, before, f"round {round_}")
            made_in_rounds += left - before
            self.server.start()
        last = self.leaf("last", ca="busy")
        self.revoke(last)
        url = f"{self.server.plain_url}/pki/busy/crl"
        # A lease on the making of lists, left by the server that died, is waited for.
        self.wait("the last revocation", lambda: self.number(self.fetch(url)) > left, seconds=150)
        lists = self.list_with(url, last)
        self.assertIn("certificate revoked", self.openssl_says(last, lists, check="-crl_check"))

        def same():
            return self.path.read_bytes() == self.fetch(f"{self.server.plain_url}/pki/busy/crl")

        # Nobody helps now: a claim of the server that died is waited for.
        self.wait("the newest list in the folder", same, seconds=120)
        self.wait("the end of the work", lambda: self.objects("busy")["busy-1.crl"]["upToDate"], seconds=120)
        done.set()
        reader.join(60)
        self.assertEqual(broken, [], "a reader saw something that is no list")
        self.assertEqual(numbers, sorted(numbers), "numbers never go back")
        self.assertGreaterEqual(made_in_rounds, 4)
        self.assertGreater(len(set(numbers)), 4, "the reader saw lists come")
        self.assertEqual(self.number(self.path.read_bytes()), self.objects("busy")["busy-1.crl"]["number"])

    @staticmethod
    def number(der: bytes) -> int:
        """The number of a list that openssl can read."""
        text = tools.openssl("crl", "-inform", "DER", "-noout", "-crlnumber", data=der).decode()
        return int(text.strip().split("=")[1], 16)

    def read_on(self, numbers: list[int], broken: list[str], done: threading.Event) -> None:
        """Reads the object as a web server does, all the time."""
        known: bytes | None = None
        while not done.is_set():
            try:
                der = self.path.read_bytes()
                if der != known:
                    tools.openssl("crl", "-inform", "DER", "-CAfile", self.root, "-noout", data=der)
                    numbers.append(self.number(der))
                    known = der
            except Exception as error:  # told by the test
                broken.append(repr(error))
            time.sleep(0.005)

    def revoke_all(self, leaves: list[Path], stop: threading.Event) -> None:
        for leaf in leaves:
            try:
                self.revoke(leaf)
            except Exception:  # the server is gone
                return
            # So that lists come one after the other.
            if stop.wait(0.05):
                return
