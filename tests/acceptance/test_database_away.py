"""PostgreSQL goes away under a running server and comes back."""

import threading
import time

from harness.case import Case
from harness.curl import Curl
from harness.house import House
from harness.postgres import Postgres
from harness.server import Context, Server


class DatabaseAway(Case):
    """The database is stopped under the server: 503 with Retry-After, and all is well when it is back."""

    def test_away_and_back(self):
        if "postgres" not in Context.databases:
            return
        postgres = Postgres()
        self.addCleanup(postgres.remove)
        postgres.start()
        server = Server("postgres", database_url=postgres.url())
        self.addCleanup(server.remove)
        server.start()
        curl = Curl(server)
        house = House(curl)
        house.root("root")
        kept = house.issue("root", "before.example.com", ["before.example.com"])

        postgres.stop()
        issue = {
            "subject": {"commonName": "during.example.com"},
            "names": ["during.example.com"],
            "keyAlgorithm": "ECDSA_P256",
        }
        for method, path, body in (
            ("GET", "/v1/issued-certificates", None),
            ("POST", "/v1/certificate-authorities/root/issue", issue),
            ("POST", "/v1/vaults", {"name": "during"}),
        ):
            with self.subTest(f"{method} {path}"):
                answer = curl.call(method, path, body)
                problem = self.assert_problem(answer, 503)
                self.assertRegex(answer.headers.get("retry-after", ""), r"^[1-9][0-9]*$", f"\n{answer}")
                self.assertTrue(problem["retryable"])
                self.assertNotIn(
                    "postgres",
                    (problem["detail"] + problem["hint"]).lower().replace("postgresql", ""),
                    "no URL, no host",
                )
        self.assertEqual(curl.get("/readyz", token=None, base=server.plain_url).status, 503)
        self.assertEqual(curl.get("/healthz", token=None, base=server.plain_url).status, 200, "alive, only not ready")

        # Sixteen callers keep asking while it comes back: nobody sees anything but 201 and 503.
        seen: list[int] = []

        def ask() -> None:
            for _ in range(10):
                seen.append(curl.post("/v1/certificate-authorities/root/issue", issue).status)

        callers = [threading.Thread(target=ask) for _ in range(8)]
        for caller in callers:
            caller.start()
        postgres.start()
        for caller in callers:
            caller.join()
        self.assertLessEqual(set(seen), {201, 503})

        deadline = time.monotonic() + 60
        while curl.get("/readyz", token=None, base=server.plain_url).status != 200:
            self.assertLess(time.monotonic(), deadline, "not ready after a minute")
            time.sleep(0.1)
        house.issue("root", "after.example.com", ["after.example.com"])
        rows = house.inventory("&ca=root")
        names = [name for row in rows for name in row["names"]]
        self.assertIn(kept["serial"], [row["serial"] for row in rows])
        self.assertIn("after.example.com", names)
        self.assertEqual(names.count("during.example.com"), seen.count(201))
        self.assert_problem(curl.get("/v1/vaults/during"), 404)

    def test_a_server_does_not_start_without_its_database(self):
        server = Server("postgres", database_url="postgres://nobody@127.0.0.1:9/none")
        self.addCleanup(server.remove)
        server.start(wait=False)
        self.assertNotEqual(server.wait(60), 0)
        self.assertNotIn("panicked", server.log())
        self.assertFalse((server.data / "admin.token").exists())
