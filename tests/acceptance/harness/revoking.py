"""The base of the tests about revocation."""

from harness import crl
from harness.case import ServerCase

CAS = "/v1/certificate-authorities"
#: What openssl says.
REVOKED = "certificate revoked"


class Revoking(ServerCase):
    """What these tests do: issue, revoke, look."""

    def leaf(self, ca: str, name: str) -> dict:
        return self.house.issue(ca, f"{name}.example.com", [f"{name}.example.com"])

    def revoke(self, issued: dict, reason: str = "superseded") -> None:
        answer = self.curl.post(f"/v1/issued-certificates/{issued['serial']}/revoke", {"reason": reason})
        self.assert_status(answer, 200)

    def change(self, ca: str, revocation: dict) -> None:
        etag = self.curl.get(f"{CAS}/{ca}").headers["etag"]
        answer = self.curl.patch(f"{CAS}/{ca}", {"revocation": revocation}, headers={"If-Match": etag})
        self.assert_status(answer, 200)

    def verify(self, issued: dict, *options: object) -> str | None:
        """openssl's verdict with nothing but the certificate and what its URLs lead to."""
        files = crl.Chain.follow(issued["certificate"]).save(self.scratch, issued["serial"])
        return crl.verify_openssl(files, *options)

    def refused(self, issued: dict, *options: object) -> None:
        self.assertIn(REVOKED, self.verify(issued, *options) or "accepted")

    def accepted(self, issued: dict, *options: object) -> None:
        self.assertIsNone(self.verify(issued, *options))
