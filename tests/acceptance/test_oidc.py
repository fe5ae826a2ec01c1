"""Machines come in with tokens of an issuer written in Python: they get the names of their identity and no others."""

import base64
import hashlib
import hmac
import json
import shutil
import ssl
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from harness.case import ServerCase, on_both
from harness.tools import openssl

AUDIENCE = "https://ca.example.com"


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_number(number: int, size: int) -> str:
    """A number of so many bytes."""
    return b64(number.to_bytes(size, "big"))


class Key:
    """A key of an issuer: RS256 or ES256."""

    def __init__(self, kid: str, algorithm: str):
        self.kid, self.algorithm = kid, algorithm
        if algorithm == "RS256":
            self.private = rsa.generate_private_key(65537, 2048)
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict:
        """As the issuer publishes it."""
        numbers = self.private.public_key().public_numbers()
        more = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        if self.algorithm == "RS256":
            return {"kty": "RSA", "n": b64_number(numbers.n, 256), "e": b64_number(numbers.e, 3), **more}
        return {"kty": "EC", "crv": "P-256", "x": b64_number(numbers.x, 32), "y": b64_number(numbers.y, 32), **more}

    def sign(self, claims: dict, header: dict | None = None) -> str:
        """A token."""
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
        message = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
        if self.algorithm == "RS256":
            signature = self.private.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = decode_dss_signature(self.private.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{message}.{b64(signature)}"

    @property
    def public_pem(self) -> bytes:
        """The public key as text."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)


class Issuer:
    """An issuer on loopback that publishes a discovery document and its keys."""

    def __init__(self, context: ssl.SSLContext, *keys: Key):
        self.keys, self.asked = list(keys), []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                documents = {
                    "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"},
                    "/keys": {"keys": [key.jwk for key in issuer.keys]},
                }
                body = json.dumps(documents.get(self.path)).encode()
                self.send_response(200 if self.path in documents else 404)
                self.send_header("cache-control", "max-age=300")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def claims(self, subject: str, **more) -> dict:
        """What a token of this issuer says."""
        now = int(time.time())
        return {"iss": self.url, "aud": AUDIENCE, "sub": subject, "iat": now, "nbf": now, "exp": now + 600, **more}

    def close(self) -> None:
        """Ends it; a second time does nothing."""
        self._http.shutdown()
        self._http.server_close()


@on_both
class IdentityProviders(ServerCase):
    """Tokens of others."""

    config = '[egress]\nallowed_ranges = ["127.0.0.0/8"]\n[log]\nlevel = "debug"\n'

    @classmethod
    def setUpClass(cls) -> None:
        folder = Path(tempfile.mkdtemp(prefix="certwright-issuer-"))
        cls.addClassCleanup(shutil.rmtree, folder)
        ca, pem = folder / "ca.pem", folder / "issuer.pem"
        ca_key = folder / "ca.key"
        options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        openssl("req", *options, "-subj", "/CN=Outside", "-keyout", ca_key, "-out", ca)
        more = ["-CA", ca, "-CAkey", ca_key, "-subj", "/CN=issuer", "-addext", "subjectAltName=IP:127.0.0.1"]
        leaf = ["-addext", "basicConstraints=critical,CA:false"]
        openssl("req", *options, *more, *leaf, "-keyout", folder / "issuer.key", "-out", folder / "issuer.crt")
        pem.write_bytes((folder / "issuer.key").read_bytes() + (folder / "issuer.crt").read_bytes())
        cls.config = cls.config.replace("[egress]", f'[egress]\nca_file = "{ca}"')
        cls.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cls.context.load_cert_chain(pem)
        super().setUpClass()
        cls.house.root("inside")
        cls.house.made(cls.curl.post("/v1/groups", {"name": "machines"}))
        statement = "Allow group machines to use certificate-authority-delegates in tenancy"
        cls.house.made(cls.curl.post("/v1/policies", {"name": "machines", "statements": [statement]}))

    def issuer(self, *keys: Key) -> Issuer:
        """An issuer for the length of the test."""
        issuer = Issuer(self.context, *keys)
        self.addCleanup(issuer.close)
        return issuer

    def provider(self, name: str, issuer: Issuer, *rules: dict, **more) -> dict:
        """An identity provider that goes when the test ends."""
        body = {"name": name, "issuer": issuer.url, "audiences": [AUDIENCE], "rules": list(rules), **more}
        made = self.house.made(self.curl.post("/v1/identity-providers", body))
        self.addCleanup(self.curl.call, "DELETE", f"/v1/identity-providers/{name}")
        return made

    def ask(self, token: str, *names: str, common_name: str | None = None):
        """Asks for a certificate with this token."""
        wish = {"names": list(names), "subject": {"commonName": common_name} if common_name else {}}
        return self.curl.post("/v1/certificate-authorities/inside/issue", wish, token=token)

    def exchanged(self, token: str) -> dict:
        """What is given for a token."""
        return self.assert_status(self.curl.post("/v1/auth/oidc", {"token": token}, token=None), 200).json

    def assert_names(self, token: str, allowed: list[str], refused: list[str]) -> None:
        """Exactly these names are given, whichever token of the two is used."""
        for bearer in (token, self.exchanged(token)["token"]):
            for name in allowed:
                self.assertEqual(self.assert_status(self.ask(bearer, name), 201).json["names"], [name])
            for name in refused:
                problem = self.assert_problem(self.ask(bearer, name), 422)
                self.assertIn("identityNames", [error.get("rule") for error in problem["errors"]], name)
                mixed = self.ask(bearer, allowed[0], name)
                self.assert_problem(mixed, 422)
            self.assert_problem(self.ask(bearer, allowed[0], common_name="admin"), 422)

    def test_a_job_of_github_gets_the_names_of_its_repository(self):
        key = Key("gh-1", "RS256")
        issuer = self.issuer(key)
        rule = {
            "claims": {"repository": ["octo-org/*"], "ref": ["refs/heads/main"]},
            "groups": ["machines"],
            "names": ["*.${claim.repository:last}.corp.example"],
        }
        self.provider("github", issuer, rule, kind="GITHUB")
        subject = "repo:octo-org/shop:ref:refs/heads/main"
        claims = {
            "repository": "octo-org/shop",
            "repository_owner": "octo-org",
            "repository_id": "74",
            "ref": "refs/heads/main",
            "job_workflow_ref": "octo-org/shop/.github/workflows/deploy.yml@refs/heads/main",
            "runner_environment": "github-hosted",
        }
        token = key.sign(issuer.claims(subject, **claims))
        self.assert_names(
            token,
            ["web.shop.corp.example", "a.b.shop.corp.example"],
            ["shop.corp.example", "web.bank.corp.example", "web.corp.example", "10.0.0.5", "spiffe://corp/shop"],
        )
        me = self.assert_status(self.curl.get("/v1/whoami", token=token), 200).json
        self.assertEqual((me["id"], me["groups"]), (f"oidc:github:{subject}", ["machines"]))
        self.assert_problem(self.curl.get("/v1/users", token=token), 403)
        for other in ({"repository": "evil/shop"}, {"ref": "refs/heads/x"}, {"repository": "octo-org/*"}):
            refused = key.sign(issuer.claims(subject, **{**claims, **other}))
            self.assert_problem(self.curl.get("/v1/whoami", token=refused), 401)
            self.assert_problem(self.curl.post("/v1/auth/oidc", {"token": refused}, token=None), 401)
        tried = self.curl.post("/v1/identity-providers/github/test", {"token": refused})
        self.assertFalse(self.assert_status(tried, 200).json["admitted"])

    def test_a_service_account_of_kubernetes_gets_the_names_of_its_namespace(self):
        key = Key("k8s-1", "ES256")
        issuer = self.issuer(key)
        rule = {
            "claims": {"sub": ["system:serviceaccount:*:web"]},
            "groups": ["machines"],
            "names": [
                "*.${claim.kubernetes.io.namespace}.svc.corp.example",
                "spiffe://corp.example/ns/${claim.kubernetes.io.namespace}/sa/web",
            ],
        }
        self.provider("cluster", issuer, rule, kind="KUBERNETES")

        def token(namespace: str) -> str:
            nested = {"namespace": namespace, "serviceaccount": {"name": "web", "uid": "0"}, "pod": {"name": "web-1"}}
            return key.sign(issuer.claims(f"system:serviceaccount:{namespace}:web", **{"kubernetes.io": nested}))

        self.assert_names(
            token("team-a"),
            ["web.team-a.svc.corp.example", "spiffe://corp.example/ns/team-a/sa/web"],
            ["web.team-b.svc.corp.example", "spiffe://corp.example/ns/team-b/sa/web", "team-a.svc.corp.example"],
        )
        for namespace in ("*", "a.b", "team-a,team-b", "+", "a/b", ""):
            self.assert_problem(self.curl.get("/v1/whoami", token=token(namespace)), 401)
        self.assertEqual(issuer.asked, ["/.well-known/openid-configuration", "/keys"])

    def test_forged_tokens_do_not_come_in_and_no_token_is_in_the_log(self):
        key, stranger = Key("one", "RS256"), Key("one", "RS256")
        issuer = self.issuer(key)
        self.provider("forged", issuer, {"claims": {"sub": ["job-*"]}, "groups": ["machines"]})
        good = issuer.claims("job-1")
        self.assert_status(self.curl.get("/v1/whoami", token=key.sign(good)), 200)

        def with_secret(secret: bytes) -> str:
            header = {"alg": "HS256", "kid": "one"}
            message = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(good).encode())}"
            return f"{message}.{b64(hmac.new(secret, message.encode(), hashlib.sha256).digest())}"

        message = f"{b64(json.dumps({'alg': 'none'}).encode())}.{b64(json.dumps(good).encode())}"
        tokens = [
            stranger.sign(good),
            stranger.sign(good, {"jwk": stranger.jwk}),
            stranger.sign(good, {"jku": "https://127.0.0.1:1/keys"}),
            key.sign(good, {"crit": ["exp"]}),
            key.sign(good, {"alg": "PS256"}),
            key.sign(good, {"alg": "ES256"}),
            key.sign(good, {"kid": "two"}),
            key.sign({**good, "aud": "https://other.example"}),
            key.sign({**good, "iss": issuer.url + "/"}),
            key.sign({**good, "exp": good["iat"] - 3600}),
            key.sign({name: value for name, value in good.items() if name != "exp"}),
            key.sign({**good, "nbf": good["iat"] + 3600}),
            with_secret(key.public_pem),
            with_secret(json.dumps(key.jwk).encode()),
            f"{message}.AA",
            key.sign(good)[:-8] + "AAAAAAAA",
        ]
        for token in tokens:
            problem = self.assert_problem(self.curl.get("/v1/whoami", token=token), 401)
            answer = self.assert_problem(self.curl.post("/v1/auth/oidc", {"token": token}, token=None), 401)
            self.assertEqual(problem["detail"], answer["detail"], "no reason is told")
        given = self.exchanged(key.sign(good))
        self.assert_status(self.curl.get("/v1/whoami", token=given["token"]), 200)
        seen = self.server.log() + self.assert_status(self.curl.get("/v1/audit-events?limit=200"), 200).text
        for part in [*(token.split(".")[1] for token in tokens), given["token"], given["token"][-40:]]:
            self.assertNotIn(part, seen, "of no token anything is written down")
        self.assertIn("token.exchange", seen)

    def test_while_the_issuer_is_away_what_is_known_of_it_is_enough(self):
        key = Key("one", "ES256")
        issuer = self.issuer(key)
        self.provider("away", issuer, {"claims": {"sub": ["job-*"]}})
        token = key.sign(issuer.claims("job-1"))
        self.assert_status(self.curl.get("/v1/whoami", token=token), 200)
        issuer.close()
        self.assert_status(self.curl.get("/v1/whoami", token=token), 200)
        # A server that knows nothing of it says so, and lets nobody in.
        self.server.stop()
        self.server.start()
        self.assert_problem(self.curl.get("/v1/whoami", token=token), 503)

    def test_the_keys_of_a_cluster_out_of_reach_are_written_down(self):
        key, other = Key("one", "ES256"), Key("two", "ES256")
        issuer = self.issuer()
        rule = {"claims": {"sub": ["job-*"]}}
        made = self.provider("written", issuer, rule, jwks={"keys": [key.jwk]})
        token, rotated = (one.sign(issuer.claims("job-1")) for one in (key, other))
        self.assert_status(self.curl.get("/v1/whoami", token=token), 200)
        self.assert_problem(self.curl.get("/v1/whoami", token=rotated), 401)
        body = {"audiences": made["audiences"], "rules": [rule], "jwks": {"keys": [key.jwk, other.jwk]}}
        path = "/v1/identity-providers/written"
        self.assert_problem(self.curl.call("PUT", path, body), 428)
        self.assert_status(self.curl.call("PUT", path, body, headers={"If-Match": '"1"'}), 200)
        self.assert_status(self.curl.get("/v1/whoami", token=rotated), 200)
        moved = {**body, "issuer": "https://127.0.0.1:1"}
        self.assert_problem(self.curl.call("PUT", path, moved, headers={"If-Match": '"2"'}), 409, "immutable")
        self.assertEqual(issuer.asked, [])
