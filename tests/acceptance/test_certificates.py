"""Managed certificates by curl: the rules page of the OCI form, ensure, renewal, versions, keys, deletion."""

import concurrent.futures
import datetime

from harness import tools
from harness.case import ServerCase, on_both

WEB = {
    "ca": "root",
    "profile": "tls-server-or-client",
    "subject": {"commonName": "oci-demo-certificate"},
    "names": ["service-a.example.com", "10.0.0.5", "spiffe://corp/db"],
    "keyAlgorithm": "ECDSA_P256",
    "validity": {"duration": "P89D"},
    "renewal": {"interval": "P60D", "advancePeriod": "P15D"},
    "exportable": True,
}


def time(text: str) -> datetime.datetime:
    """RFC 3339 to a time."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


@on_both
class ManagedCertificates(ServerCase):
    """Managed certificates, by curl."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root", rules={"pathLength": 0})

    def put(self, name: str, body: dict, **options):
        return self.curl.call("PUT", f"/v1/certificates/{name}", body, **options)

    def test_the_rules_page_shows_when_renewal_is_due(self):
        made = self.assert_status(self.put("oci-demo-certificate", WEB), 201).json
        self.assertEqual(made["ensured"]["outcome"], "CREATED")
        renewal, version = made["renewal"], made["version"]
        self.assertEqual((renewal["interval"], renewal["advancePeriod"]), ("P60D", "P15D"))
        # min(notBefore + 60 days, notAfter - 15 days) is sixty days after notBefore, and a little later by the spread.
        due = time(renewal["renewAt"]) - time(version["notBefore"])
        self.assertGreaterEqual(due, datetime.timedelta(days=60))
        self.assertLess(due, datetime.timedelta(days=60, hours=22))
        self.assertEqual(renewal["outlook"], "SCHEDULED")
        self.assertEqual(renewal["nextAttemptAt"], renewal["renewAt"])
        inventory = self.assert_status(self.curl.get(f"/v1/issued-certificates/{version['serial']}"), 200).json
        self.assertEqual(inventory["renewAt"], renewal["renewAt"], "one truth")
        for wrong in ({"advancePeriod": "P90D"}, {"interval": "PT1S"}, {}):
            problem = self.assert_problem(self.put("other", {**WEB, "renewal": wrong}), 400)
            self.assertEqual(problem["errors"][0]["code"], "invalid_renewal_rule")
        self.assert_problem(self.curl.get("/v1/certificates/other"), 404)

    def test_a_hundred_identical_calls_make_one_version(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: self.put("hundred", WEB), range(100)))
        self.assertEqual(sorted(answer.status for answer in answers), [200] * 99 + [201])
        self.assertEqual(len({answer.json["version"]["serial"] for answer in answers}), 1)
        page = self.curl.get("/v1/certificates/hundred/versions").json
        self.assertEqual([version["number"] for version in page["items"]], [1])

    def test_versions_stages_and_names(self):
        self.assert_status(self.put("staged", WEB), 201)
        changed = self.put("staged", {**WEB, "names": ["service-b.example.com"]}).json
        self.assertEqual((changed["ensured"]["outcome"], changed["latestVersion"]), ("NEW_VERSION", 2))
        self.assertIn("names", changed["ensured"]["reason"])
        waiting = self.curl.post("/v1/certificates/staged/renew", {"stage": "PENDING", "versionName": "next"}).json
        self.assertEqual((waiting["currentVersion"], waiting["latestVersion"]), (2, 3))
        by_name = self.curl.get("/v1/certificates/staged/bundle?versionName=next").json
        self.assertEqual((by_name["version"], by_name["stages"]), (3, ["PENDING", "LATEST"]))
        self.assert_status(self.curl.post("/v1/certificates/staged/versions/3/make-current", {}), 200)
        self.assert_problem(self.curl.get("/v1/certificates/staged/bundle?version=9"), 404)
        self.assert_problem(self.curl.call("DELETE", "/v1/certificates/staged/versions/2"), 409, "version_in_use")
        self.assert_status(self.curl.call("DELETE", "/v1/certificates/staged/versions/1"), 204)
        revoked = self.curl.post("/v1/certificates/staged/versions/2/revoke", {"reason": "superseded"})
        self.assertEqual(self.assert_status(revoked, 200).json["revocationReason"], "superseded")
        back = self.curl.post("/v1/certificates/staged/versions/2/make-current", {})
        self.assert_problem(back, 409, "version_revoked")

    def test_the_requesters_key(self):
        _, csr = tools.new_csr(self.scratch, "by-csr", "/CN=service-c.example.com", "DNS:service-c.example.com")
        csr = csr.read_text()
        made = self.assert_status(self.put("by-csr", {"ca": "root", "csr": csr}), 201).json
        self.assertEqual((made["kind"], made["renewal"]["outlook"]), ("CSR", "NEVER"))
        self.assertEqual(made["version"]["names"], ["service-c.example.com"])
        self.assert_problem(self.curl.post("/v1/certificates/by-csr/renew", {}), 409, "csr_needed")
        again = self.curl.post("/v1/certificates/by-csr/renew", {"reuseCsr": True})
        self.assertEqual(self.assert_status(again, 200).json["currentVersion"], 2)
        self.assert_problem(self.curl.get("/v1/certificates/by-csr/bundle?includeKey=true"), 409)
        serial = again.json["version"]["serial"]
        self.curl.post(f"/v1/issued-certificates/{serial}/revoke", {"reason": "keyCompromise"})
        problem = self.assert_problem(self.curl.post("/v1/certificates/by-csr/renew", {"reuseCsr": True}), 422)
        self.assertEqual(problem["errors"][0]["code"], "key_compromised")

    def test_agents_poll_cheaply(self):
        self.assert_status(self.put("polled", WEB), 201)
        first = self.assert_status(self.curl.get("/v1/certificates/polled/bundle?format=pem"), 200)
        known = {"If-None-Match": first.headers["etag"]}
        same = self.curl.get("/v1/certificates/polled/bundle?format=pem", headers=known)
        self.assert_status(same, 304)
        self.assertEqual(same.body, b"")
        with_key = self.curl.get("/v1/certificates/polled/bundle?format=pem&includeKey=true", headers=known)
        self.assertIn("BEGIN PRIVATE KEY", self.assert_status(with_key, 200).text)
        self.assertEqual(with_key.headers["cache-control"], "no-store")
        self.curl.post("/v1/certificates/polled/renew", {})
        newer = self.curl.get("/v1/certificates/polled/bundle?format=pem", headers=known)
        self.assertNotEqual(self.assert_status(newer, 200).text, first.text)

    def test_every_read_of_a_key_is_audited_and_what_is_not_exportable_stays(self):
        self.assert_status(self.put("closed", {**WEB, "exportable": False}), 201)
        refused = self.curl.get("/v1/certificates/closed/bundle?includeKey=true")
        self.assert_problem(refused, 409, "key_not_exportable")
        made = self.assert_status(self.put("open", WEB), 201).json
        read = self.assert_status(self.curl.get("/v1/certificates/open/bundle?includeKey=true"), 200)
        self.assertIn("PRIVATE KEY", read.json["privateKey"])
        events = self.curl.get("/v1/audit-events?action=managed-certificate.read-key").json["items"]
        mine = [event for event in events if event["target"]["id"] == made["id"]]
        self.assertEqual([event["requestId"] for event in mine], [read.headers["x-request-id"]])

    def test_a_change_of_the_cas_rules_says_whom_it_would_refuse(self):
        self.house.root("strict", rules={"pathLength": 0})
        self.assert_status(self.put("long", {**WEB, "ca": "strict"}), 201)
        ca = self.curl.get("/v1/certificate-authorities/strict")
        body, tag = {"rules": {"leafMaxValidity": "P30D"}}, {"If-Match": ca.headers["etag"]}
        path = "/v1/certificate-authorities/strict"
        would = self.assert_status(self.curl.patch(f"{path}?dryRun=true", body, headers=tag), 200).json["wouldBe"]
        self.assertEqual([one["name"] for one in would["refusedRenewals"]], ["long"])
        self.assertEqual(would["refusedRenewals"][0]["errors"][0]["rule"], "leafMaxValidity")
        self.assert_status(self.curl.patch(path, body, headers=tag), 200)
        self.assertEqual(self.curl.get("/v1/certificates/long").json["currentVersion"], 1, "nothing issued is touched")

    def test_deletion_waits_and_can_be_cancelled(self):
        self.assert_status(self.put("going", WEB), 201)
        going = self.assert_status(self.curl.post("/v1/certificates/going/schedule-deletion", {}), 200).json
        self.assertEqual(going["state"], "PENDING_DELETION")
        days = time(going["deletionAt"]) - datetime.datetime.now(datetime.UTC)
        self.assertEqual(round(days.total_seconds() / 86400), 30)
        self.assert_problem(self.put("going", WEB), 409, "certificate_pending_deletion")
        back = self.assert_status(self.curl.post("/v1/certificates/going/cancel-deletion", {}), 200).json
        self.assertEqual(back["state"], "ACTIVE")
