"""The HTTP conventions, by curl: problems, ids, idempotency keys, ETags, dry run, paging, limits."""

import csv
import io
import json
import re
import threading
import uuid

from harness import tools
from harness.case import ServerCase, on_both
from harness.curl import Curl

ISSUE = "/v1/certificate-authorities/root/issue"


def wish(name: str, **more) -> dict:
    """A request for a certificate."""
    return {"subject": {"commonName": name}, "names": [name], "keyAlgorithm": "ECDSA_P256", **more}


@on_both
class Conventions(ServerCase):
    """The HTTP conventions, by curl."""

    # Talkative, because the log must name the request and must not tell a secret.
    config = '[log]\nlevel = "debug"\n'

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root", rules={"pathLength": 0})

    # -- who are you, what do you want -------------------------------------------------------------------------------

    def test_without_or_with_a_wrong_token(self):
        for token in (None, "wrong", "cw_" + "0" * 43):
            with self.subTest(token):
                answer = self.curl.get("/v1/vaults", token=token)
                problem = self.assert_problem(answer, 401)
                self.assertRegex(answer.headers["www-authenticate"], r"^Bearer")
                self.assertIn("Authorization: Bearer", problem["hint"])
        self.assert_problem(self.curl.get("/v1/vaults", token=None, headers={"Authorization": "Basic YTpi"}), 401)

    def test_what_is_not_there(self):
        for path in (
            "/v1/vaults/none",
            "/v1/certificate-authorities/none",
            "/v1/profiles/none",
            "/v1/nothing",
            "/nothing",
            "/v1/issued-certificates/00ff",
        ):
            with self.subTest(path):
                self.assert_problem(self.curl.get(path), 404)
        self.assert_problem(self.curl.post("/v1/certificate-authorities/none/issue", wish("a.example.com")), 404)

    def test_an_answer_that_comes_before_the_body_reaches_curl(self):
        # Over HTTP/2 a server that forgets the body resets the stream, and curl may lose the answer.
        body = b"x" * 4096
        for _ in range(8):
            self.assert_problem(self.curl.call("POST", "/v1/nothing", data=body), 404)
            self.assert_problem(self.curl.call("POST", "/v1/vaults", data=body, token=None), 401)

    def test_a_method_that_is_not_there(self):
        answer = self.curl.call("DELETE", "/v1/vaults")
        self.assert_problem(answer, 405)
        self.assertIn("GET", answer.headers["allow"])

    def test_a_wrong_content_type_names_the_curl_flag_that_mends_it(self):
        for kind in ("application/x-www-form-urlencoded", "text/plain", ""):
            with self.subTest(kind):
                answer = self.curl.call(
                    "POST", "/v1/vaults", data=b'{"name":"typed"}', headers={"Content-Type": kind} if kind else {}
                )
                problem = self.assert_problem(answer, 415)
                flag = re.search(r"-H '([^']+)'", problem["hint"])
                self.assertIsNotNone(flag, problem)
        # The flag, as printed, mends it.
        mended = self.curl.call("POST", "/v1/vaults", data=b'{"name":"typed"}', extra=("-H", flag[1]))
        self.assert_status(mended, 201)

    def test_bodies_that_are_no_requests(self):
        deep = b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        cases = {
            "not JSON": (b"{", 400),
            "empty": (b"", 400),
            "a list": (b"[]", 400),
            "deep": (deep, 400),
            "not UTF-8": (b'{"name":"\xff"}', 400),
            "unknown field": (b'{"name":"x","nmae":"y"}', 400),
            "a field twice": (b'{"name":"x","name":"y"}', 400),
            "wrong type": (b'{"name":7}', 400),
            "missing field": (b"{}", 400),
            "bad name": (b'{"name":"a/b"}', 400),
            "long name": (json.dumps({"name": "a" * 256}).encode(), 400),
        }
        for name, (body, status) in cases.items():
            with self.subTest(name):
                self.assert_problem(
                    self.curl.call("POST", "/v1/vaults", data=body, headers={"Content-Type": "application/json"}),
                    status,
                )
        unknown = self.curl.call(
            "POST", "/v1/vaults", data=b'{"name":"x","nmae":"y"}', headers={"Content-Type": "application/json"}
        )
        self.assertIn("nmae", json.dumps(unknown.json))

    def test_a_body_beyond_the_limit(self):
        for size, status in ((1024 * 1024 + 1, 413), (8 * 1024 * 1024, 413)):
            with self.subTest(size):
                body = json.dumps({"name": "x" * (size - len('{"name": ""}'))}).encode()
                self.assertEqual(len(body), size)
                headers = {"Content-Type": "application/json", "Expect": ""}
                self.assert_problem(self.curl.call("POST", "/v1/vaults", data=body, headers=headers), status)
        chunked = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        self.assert_problem(self.curl.call("POST", "/v1/vaults", data=b" " * (2 * 1024 * 1024), headers=chunked), 413)

    def test_a_head_beyond_the_limit(self):
        answer = self.curl.get("/v1/vaults", headers={"X-Long": "a" * 40_000}, extra=("--http1.1",))
        self.assertEqual(answer.status, 431, answer)

    def test_unknown_query_parameters_are_refused(self):
        problem = self.assert_problem(self.curl.get("/v1/vaults?limt=3"), 400)
        self.assertIn("limt", json.dumps(problem))
        self.assert_problem(self.curl.get("/v1/vaults?limit=0"), 400)
        self.assert_problem(self.curl.get("/v1/vaults?limit=501"), 400)
        self.assert_problem(self.curl.get("/v1/vaults?cursor=garbage"), 400)

    # -- ids of a call -----------------------------------------------------------------------------------------------

    def test_request_ids_and_traces(self):
        made = self.assert_status(self.curl.get("/v1/vaults"), 200)
        self.assertTrue(made.headers["x-request-id"])
        given = str(uuid.uuid4())
        echoed = self.curl.get("/v1/vaults/none", headers={"X-Request-Id": given})
        self.assertEqual(echoed.headers["x-request-id"], given)
        self.assertEqual(echoed.json["requestId"], given)
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        traced = self.curl.get("/v1/vaults", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        self.assertIn(trace, traced.headers["traceparent"])
        evil = self.curl.get("/v1/vaults", headers={"X-Request-Id": "a b\tc"})
        self.assertNotEqual(evil.headers["x-request-id"], "a b\tc", "only plain ids are taken over: they go to the log")
        self.assertIn(given, self.server.log())

    # -- concurrency and retries -------------------------------------------------------------------------------------

    def test_if_match(self):
        made = self.house.root("matched")
        path = "/v1/certificate-authorities/matched"
        tag = self.assert_status(self.curl.get(path), 200).headers["etag"]
        change = {"rules": {"leafMaxValidity": "P30D"}}
        missing = self.assert_problem(self.curl.patch(path, change), 428)
        self.assertIn("If-Match", missing["hint"] + missing["detail"])
        self.assert_problem(self.curl.patch(path, change, headers={"If-Match": '"9999"'}), 412)
        self.assertEqual(self.curl.get(path).json["rules"], made["rules"], "nothing was changed")
        changed = self.assert_status(self.curl.patch(path, change, headers={"If-Match": tag}), 200)
        self.assertEqual(changed.json["rules"]["leafMaxValidity"], "P30D")
        self.assertNotEqual(changed.headers["etag"], tag)
        self.assert_problem(self.curl.patch(path, change, headers={"If-Match": tag}), 412)

    def test_an_idempotency_key_answers_again(self):
        key = {"Idempotency-Key": str(uuid.uuid4())}
        body = wish("once.example.com")
        first = self.assert_status(self.curl.post(ISSUE, body, headers=key), 201)
        again = self.assert_status(self.curl.post(ISSUE, body, headers=key), 201)
        self.assertEqual(first.body, again.body, "the same certificate and the same key")
        self.assertEqual(len(self.house.inventory("&name=once.example.com")), 1)
        other = self.curl.post(ISSUE, wish("twice.example.com"), headers=key)
        self.assertIn(other.status, (409, 422), other)
        self.assert_problem(other, other.status, "idempotency_key_reused")
        self.assertEqual(self.house.inventory("&name=twice.example.com"), [])
        # Another path is another request.
        self.assertIn(self.curl.post("/v1/vaults", {"name": "elsewhere"}, headers=key).status, (409, 422))
        for bad in ("a b", "k" * 256):
            with self.subTest(bad):
                self.assert_problem(self.curl.post(ISSUE, body, headers={"Idempotency-Key": bad}), 400)

    def test_an_idempotency_key_survives_a_restart_and_never_stands_open(self):
        key = {"Idempotency-Key": str(uuid.uuid4())}
        refused = self.assert_problem(
            self.curl.post(ISSUE, wish("no.example.com", validity={"duration": "P91D"}), headers=key), 422
        )
        self.assertTrue(refused["errors"])
        vault = {"Idempotency-Key": str(uuid.uuid4())}
        first = self.assert_status(self.curl.post("/v1/vaults", {"name": "kept"}, headers=vault), 201)
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        again = self.assert_status(self.curl.post("/v1/vaults", {"name": "kept"}, headers=vault), 201)
        self.assertEqual(first.body, again.body)

    def test_one_idempotency_key_in_many_hands(self):
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answers = []

        def ask() -> None:
            answers.append(self.curl.post(ISSUE, wish("race.example.com"), headers=key))

        callers = [threading.Thread(target=ask) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.assertLessEqual({a.status for a in answers}, {201, 409}, [str(a) for a in answers])
        self.assertEqual(len({a.body for a in answers if a.status == 201}), 1)
        self.assertEqual(len(self.house.inventory("&name=race.example.com")), 1)

    # -- states ------------------------------------------------------------------------------------------------------

    def test_a_name_that_is_taken(self):
        self.house.vault("taken")
        self.assert_problem(self.curl.post("/v1/vaults", {"name": "taken"}), 409)

    def test_keys_that_cannot_sign_for_a_ca(self):
        self.house.made(self.curl.post("/v1/vaults/default/keys", {"name": "aes", "algorithm": "AES", "length": 256}))
        self.house.key("disabled")
        self.assert_status(self.curl.post("/v1/vaults/default/keys/disabled/disable"), 200)
        for key in ("aes", "disabled", "root-key"):
            with self.subTest(key):
                body = {
                    "name": f"on-{key}",
                    "type": "ROOT",
                    "vault": "default",
                    "key": key,
                    "subject": {"commonName": "x"},
                }
                self.assert_problem(self.curl.post("/v1/certificate-authorities", body), 409)
                self.assert_problem(self.curl.get(f"/v1/certificate-authorities/on-{key}"), 404)

    def test_a_disabled_ca_does_not_issue(self):
        self.house.root("resting")
        path = "/v1/certificate-authorities/resting"
        tag = self.curl.get(path).headers["etag"]
        off = self.assert_status(self.curl.patch(path, {"enabled": False}, headers={"If-Match": tag}), 200)
        answer = self.curl.post(f"{path}/issue", wish("a.example.com"))
        self.assertIn(answer.status, (409, 422), answer)
        self.assert_problem(answer, answer.status)
        self.assert_status(self.curl.patch(path, {"enabled": True}, headers={"If-Match": off.headers["etag"]}), 200)
        self.assert_status(self.curl.post(f"{path}/issue", wish("a.example.com")), 201)

    def test_deletion_is_scheduled_and_cancelled(self):
        self.house.root("parent", rules={"pathLength": 1})
        self.house.subordinate("child", "parent", days=300)
        self.assert_problem(self.curl.post("/v1/certificate-authorities/parent/schedule-deletion", {}), 409)
        scheduled = self.assert_status(self.curl.post("/v1/certificate-authorities/child/schedule-deletion", {}), 200)
        self.assertEqual(scheduled.json["state"], "PENDING_DELETION")
        cancelled = self.assert_status(self.curl.post("/v1/certificate-authorities/child/cancel-deletion"), 200)
        self.assertEqual(cancelled.json["state"], "ACTIVE")

    # -- trials ------------------------------------------------------------------------------------------------------

    def test_a_dry_run_changes_nothing_and_judges_everything(self):
        before = (len(self.house.inventory()), self.audit_count())
        said = self.assert_status(self.curl.post(f"{ISSUE}?dryRun=true", wish("trial.example.com")), 200).json
        self.assertIs(said["dryRun"], True)
        self.assertIn("trial.example.com", said["wouldBe"]["names"])
        self.assertNotIn("privateKey", json.dumps(said))
        self.assertTrue(any(rule["rule"] == "leafMaxValidity" and rule["passed"] for rule in said["rules"]), said)
        refused = self.assert_problem(
            self.curl.post(f"{ISSUE}?dryRun=true", wish("trial.example.com", validity={"duration": "P91D"})), 422
        )
        self.assertIn("leafMaxValidity", {error["rule"] for error in refused["errors"]})
        for path, body in (
            ("/v1/vaults", {"name": "trial"}),
            ("/v1/vaults/default/keys", {"name": "trial", "algorithm": "ECDSA"}),
            ("/v1/profiles", {"name": "trial", "usages": ["serverAuth"], "names": {"dns": ["*.example.com"]}}),
            ("/v1/tokens", {"name": "trial"}),
        ):
            with self.subTest(path):
                self.assertIs(self.assert_status(self.curl.post(f"{path}?dryRun=true", body), 200).json["dryRun"], True)
        self.assertEqual((len(self.house.inventory()), self.audit_count()), before)
        self.assert_problem(self.curl.get("/v1/vaults/trial"), 404)

    def audit_count(self) -> int:
        """How many things callers did, by the audit trail. (Lists are made, and refusals written, when their time comes.)"""
        count, path = 0, "/v1/audit-events?limit=500"
        while path:
            page = self.assert_status(self.curl.get(path), 200).json
            count += sum((event["door"], event["outcome"]) == ("token", "SUCCEEDED") for event in page["items"])
            self.assertGreater(count, 0)
            path = f"/v1/audit-events?limit=500&cursor={page['nextCursor']}" if page["nextCursor"] else ""
        return count

    # -- lists -------------------------------------------------------------------------------------------------------

    def test_paging_with_links(self):
        for number in range(7):
            self.house.vault(f"page-{number}")
        seen, url, pages = [], "/v1/vaults?limit=3", 0
        while url:
            page = self.assert_status(self.curl.get(url), 200)
            self.assertLessEqual(len(page.json["items"]), 3)
            seen += [vault["name"] for vault in page.json["items"]]
            pages += 1
            link = re.search(r'<([^>]+)>; *rel="next"', page.headers.get("link", ""))
            self.assertEqual(bool(link), page.json["nextCursor"] is not None, page)
            url = link[1].removeprefix(self.server.url) if link else ""
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual({f"page-{n}" for n in range(7)}, set(seen))
        self.assertGreaterEqual(pages, 3)

    def test_the_inventory_is_searched(self):
        issued = self.house.issue(
            "root", "find-me.example.com", ["find-me.example.com", "10.1.2.3"], profile="tls-server"
        )
        serial = issued["serial"]
        queries = {
            "name": "find-me.example.com",
            "san": "10.1.2.3",
            "serial": serial.upper(),
            "q": "find-me",
            "fingerprint": issued["fingerprint"],
            "ca": "root&name=find-me.example.com",
            "profile": "tls-server&name=find-me.example.com",
            "status": "VALID&name=find-me.example.com",
            "expiresBefore": "2099-01-01T00:00:00Z&name=find-me.example.com",
        }
        for name, value in queries.items():
            with self.subTest(name):
                self.assertEqual([row["serial"] for row in self.house.inventory(f"&{name}={value}")], [serial])
        for query in (
            "&name=find-me.example.com&ca=root&profile=tls-client",
            "&san=10.1.2.4",
            "&status=REVOKED&name=find-me.example.com",
            "&expiresBefore=2020-01-01T00:00:00Z",
        ):
            with self.subTest(query):
                self.assertEqual(self.house.inventory(query), [])

    def test_the_inventory_as_csv(self):
        self.house.issue("root", "csv.example.com", ["csv.example.com"])
        self.house.made(
            self.curl.post(ISSUE, {**wish("x"), "subject": {"commonName": '=1+1,"x"'}, "names": ["csv2.example.com"]})
        )
        for how in ({"headers": {"Accept": "text/csv"}}, {}):
            answer = self.assert_status(
                self.curl.get("/v1/issued-certificates" + ("" if how else "?format=csv"), **how), 200
            )
            self.assertEqual(answer.content_type, "text/csv")
            rows = list(csv.DictReader(io.StringIO(answer.text)))
            self.assertEqual(len(rows), len(self.house.inventory()))
            self.assertIn("csv.example.com", answer.text)
            for row in rows:
                for cell in row.values():
                    self.assertNotRegex(cell or "", r"^[=+@\t-]", "a spreadsheet would run it as a formula")

    def test_revoking_marks_the_row(self):
        issued = self.house.issue("root", "revoked.example.com", ["revoked.example.com"])
        path = f"/v1/issued-certificates/{issued['serial']}"
        self.assert_problem(self.curl.post(f"{path}/revoke", {"reason": "nonsense"}), 400)
        self.assert_status(self.curl.post(f"{path}/revoke", {"reason": "keyCompromise"}), 200)
        row = self.curl.get(path).json
        self.assertEqual((row["status"], row["revocationReason"]), ("REVOKED", "keyCompromise"))

    # -- access ------------------------------------------------------------------------------------------------------

    def test_tokens_are_made_listed_and_revoked(self):
        made = self.house.made(self.curl.post("/v1/tokens", {"name": "ci", "expiresAt": "2099-01-01T00:00:00Z"}))
        self.assert_status(self.curl.get("/v1/whoami", token=made["token"]), 200)
        listed = self.assert_status(self.curl.get("/v1/tokens"), 200)
        self.assertIn("ci", [token["name"] for token in listed.json["items"]])
        self.assertNotIn(made["token"], listed.text)
        revoked = self.curl.post(f"/v1/tokens/{made['id']}/revoke")
        self.assertIn(revoked.status, (200, 204), revoked)
        self.assert_problem(self.curl.get("/v1/whoami", token=made["token"]), 401)
        self.assert_problem(self.curl.post("/v1/tokens", {"name": "late", "expiresAt": "2020-01-01T00:00:00Z"}), 400)

    def test_every_change_left_an_audit_event(self):
        answer = self.curl.post("/v1/vaults", {"name": "audited"}, headers={"X-Request-Id": "audit-me-1"})
        self.assert_status(answer, 201)
        events = self.assert_status(self.curl.get("/v1/audit-events?requestId=audit-me-1"), 200).json["items"]
        self.assertEqual([(e["action"], e["target"]["name"]) for e in events], [("vault.create", "audited")])

    def test_no_secret_reaches_the_log(self):
        issued = self.house.issue("root", "secret.example.com", ["secret.example.com"])
        self.curl.get("/v1/vaults", token="wrong-but-secret")
        log = self.server.log()
        for secret in (self.server.token(), "wrong-but-secret", issued["privateKey"].splitlines()[1], "PRIVATE KEY"):
            self.assertNotIn(secret, log)


@on_both
class Formats(ServerCase):
    """One URL, many formats."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("issuing-1", "root")
        _, cls.csr = tools.new_csr(cls.scratch, "a", "/CN=a.example.com", "DNS:a.example.com")

    def sign(self, query: str = "", **headers: str):
        """Signs the CSR."""
        return self.curl.call(
            "POST",
            f"/v1/certificate-authorities/issuing-1/sign{query}",
            data=self.csr.read_bytes(),
            headers={"Content-Type": "application/pkcs10", **headers},
        )

    def test_sign(self):
        expected = {
            "json": "application/json",
            "pem": "application/pem-certificate-chain",
            "der": "application/pkix-cert",
            "p7": "application/pkcs7-mime",
            "tar": "application/x-tar",
        }
        for short, media in expected.items():
            for how, answer in (("format", self.sign(f"?format={short}")), ("Accept", self.sign(Accept=media))):
                with self.subTest(f"{short} by {how}"):
                    self.assert_status(answer, 201)
                    self.assertEqual(answer.content_type, media)
                    self.check(short, answer.body)

    def check(self, short: str, body: bytes) -> None:
        """openssl or tar can read it."""
        if short == "json":
            body = json.loads(body)["certificate"].encode()
        if short == "tar":
            files = self.untar(body)
            self.assertNotIn("PRIVATE", "".join(files.values()))
            self.assertEqual(files.keys(), {"cert.pem", "chain.pem", "ca.pem"})
            body = files["cert.pem"].encode()
        if short == "p7":
            self.assertEqual(
                tools.openssl("pkcs7", "-inform", "DER", "-print_certs", data=body).decode().count("BEGIN CERTIFICATE"),
                2,
            )
            return
        text = tools.openssl(
            "x509", "-noout", "-text", "-inform", "DER" if short == "der" else "PEM", data=body
        ).decode()
        self.assertIn("DNS:a.example.com", text)

    def untar(self, body: bytes) -> dict[str, str]:
        """The files of a tar archive, read by tar itself."""
        archive, folder = self.scratch / "a.tar", self.scratch / str(uuid.uuid4())
        archive.write_bytes(body)
        folder.mkdir()
        self.assertEqual(tools.run("tar", "-xf", archive, "-C", folder).returncode, 0)
        return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}

    def test_issue_as_pem_is_ready_to_use(self):
        body = wish("a.example.com")
        path = "/v1/certificate-authorities/issuing-1/issue"
        answer = self.assert_status(self.curl.post(f"{path}?format=pem", body), 201)
        kinds = re.findall(r"-----BEGIN ([A-Z ]+)-----", answer.text)
        self.assertEqual(kinds, ["PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"])
        self.assertIn("no-store", answer.headers["cache-control"])

    def test_issue_as_tar_holds_certificate_chain_ca_and_key(self):
        answer = self.assert_status(
            self.curl.post("/v1/certificate-authorities/issuing-1/issue?format=tar", wish("a.example.com")), 201
        )
        files = self.untar(answer.body)
        self.assertEqual(files.keys(), {"cert.pem", "chain.pem", "ca.pem", "key.pem"})
        self.assertEqual(sum("PRIVATE KEY" in text for text in files.values()), 1)
        listed = tools.run("tar", "-tvf", self.scratch / "a.tar").stdout.decode()
        key = next(line for line in listed.splitlines() if "key" in line.split()[-1])
        self.assertTrue(key.startswith("-rw-------"), listed)

    def test_json_is_never_cached(self):
        answer = self.assert_status(
            self.curl.post("/v1/certificate-authorities/issuing-1/issue", wish("a.example.com")), 201
        )
        self.assertIn("no-store", answer.headers["cache-control"])

    def test_formats_that_do_not_exist(self):
        self.assert_problem(self.sign("?format=docx"), 400)
        self.assert_problem(self.sign(Accept="image/png"), 406)
        self.assert_status(self.sign(Accept="image/png, */*;q=0.1"), 201)
        self.assertEqual(
            self.sign(Accept="application/pkix-cert;q=0.5, application/pem-certificate-chain").content_type,
            "application/pem-certificate-chain",
        )

    def test_trust_in_every_format(self):
        for how, media in (
            ("", "application/json"),
            ("?format=pem", "application/x-pem-file"),
            ("?format=der", "application/pkix-cert"),
            ("?format=p7", "application/pkcs7-mime"),
        ):
            with self.subTest(how):
                answer = self.assert_status(Curl(self.server).get(f"/v1/trust{how}", token=None), 200)
                if how != "?format=pem":
                    self.assertEqual(answer.content_type, media)
                else:
                    self.assertEqual(
                        tools.pem_blocks(answer.text)[0].strip(), self.house.certificate_of("root").strip()
                    )
