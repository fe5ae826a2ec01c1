"""The list of a root that openssl keeps: uploaded, verified, served; and those that are refused."""

from pathlib import Path

from cryptography import x509
from harness import crl, tools
from harness.case import on_both
from harness.revoking import CAS, REVOKED, Revoking

CONFIG = """
[ca]
default_ca = d
[d]
database = {folder}/index.txt
crlnumber = {folder}/crlnumber
default_md = sha256
crl_extensions = {extensions}
[plain]
authorityKeyIdentifier = keyid:always
[delta]
authorityKeyIdentifier = keyid:always
2.5.29.27 = critical,DER:020101
[partial]
authorityKeyIdentifier = keyid:always
issuingDistributionPoint = critical,@point
[point]
fullname = URI:http://crl.example.com/a.crl
onlyuser = TRUE
"""
LIST = {"Content-Type": "application/pkix-crl"}


class Keeper(tools.OpensslCa):
    """The openssl CA of the neighbours, with an index and lists."""

    def __post_init__(self):
        super().__post_init__()
        (self.folder / "index.txt").touch()
        (self.folder / "crlnumber").write_text("0A\n")

    def revoke(self, certificate: Path) -> None:
        """`openssl ca -revoke`."""
        self._ca_command("plain", "-revoke", certificate, "-crl_reason", "keyCompromise")

    def list(self, *options: object, extensions: str = "plain") -> Path:
        """`openssl ca -gencrl`; the file, PEM."""
        out = self.folder / f"crl-{(self.folder / 'crlnumber').read_text().strip()}.pem"
        self._ca_command(extensions, "-gencrl", "-out", out, *(options or ("-crldays", 7)))
        return out

    def _ca_command(self, extensions: str, *arguments: object) -> None:
        config = self.folder / "ca.cnf"
        config.write_text(CONFIG.format(folder=self.folder, extensions=extensions))
        tools.openssl(
            "ca", "-config", config, "-cert", self.root, "-keyfile", self.folder / "root.key", *arguments
        )


@on_both
class ListsOfAForeignRoot(Revoking):
    """EXTERNAL_ROOT with the list of `openssl ca -gencrl`."""

    def setUp(self) -> None:
        self.keeper = Keeper(self.scratch / "keeper")
        body = {"name": "anchor", "type": "EXTERNAL_ROOT", "certificate": self.keeper.root.read_text()}
        made = self.house.made(self.curl.post(CAS, body))
        self.place = f"{self.server.plain_url}/pki/{made['id']}/1/crl"

    def upload(self, file: Path):
        return self.curl.post(f"{CAS}/anchor/crl", data=file.read_bytes(), headers=LIST)

    def refused(self, file: Path, status: int, code: str) -> None:
        problem = self.assert_problem(self.upload(file), status)
        self.assertIn(code, (problem["code"], *(error["code"] for error in problem.get("errors", []))), problem)

    def verdict(self, name: str) -> str | None:
        """openssl of the subordinate, with the list that we serve."""
        served = x509.load_der_x509_crl(crl.fetch(self.place))
        chain = crl.Chain([self.keeper.sub.read_text(), self.keeper.root.read_text()], [served])
        return crl.verify_openssl(chain.save(self.scratch, name))

    def test_it_is_verified_served_and_replaced(self):
        self.assertEqual(crl.get(self.place).status, 404)
        self.assert_problem(self.curl.post(f"{CAS}/anchor/crl"), 409, "no_crl")
        first = self.keeper.list()
        taken = self.assert_status(self.upload(first), 201).json
        self.assertEqual(taken, {"entries": 0, "restored": 0, "served": True})
        answer = crl.get(self.place)
        self.assertEqual((answer.status, answer.content_type), (200, "application/pkix-crl"))
        self.assertEqual(answer.body, tools.openssl("crl", "-in", first, "-outform", "DER"), "the bytes of the other side")
        self.assertIsNone(self.verdict("good"))

        lapsed = self.keeper.list("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
        future = self.keeper.list("-crl_lastupdate", "20490101000000Z", "-crl_nextupdate", "20490201000000Z")
        delta, partial = (self.keeper.list("-crldays", 7, extensions=kind) for kind in ("delta", "partial"))
        stranger = Keeper(self.scratch / "stranger").list()
        older = self.keeper.list()
        self.keeper.revoke(self.keeper.sub)
        self.assert_status(self.upload(self.keeper.list()), 201)
        self.assertIn(REVOKED, self.verdict("bad") or "accepted")
        before = crl.fetch(self.place)
        for file, status, code in (
            (lapsed, 400, "crl_lapsed"),
            (future, 400, "crl_in_future"),
            (delta, 400, "crl_is_partial"),
            (partial, 400, "crl_is_partial"),
            (stranger, 400, "not_issued_by"),
            (older, 409, "crl_is_older"),
            (first, 409, "crl_is_older"),
        ):
            with self.subTest(code):
                self.refused(file, status, code)
        self.assertEqual(crl.fetch(self.place), before, "what was refused changed nothing")
        (shown,) = self.curl.get(f"{CAS}/anchor/crl").json["items"]
        self.assertEqual((shown["current"]["uploaded"], shown["current"]["entries"], shown["dueAt"]), (True, 1, None))
        audited = self.curl.get("/v1/audit-events?action=crl.upload").json["items"]
        self.assertEqual(len(audited), 2, "what was taken, and nothing else")
