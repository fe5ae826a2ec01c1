"""Events reach a receiver written in Python: signature by the code of docs/events.md, retries, TLS, the egress guard."""

import json
import re
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.case import ServerCase, on_both
from harness.server import ROOT


def documented_verify():
    """The function that docs/events.md tells receivers to use."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "events.md").read_text(), re.DOTALL).group(1)
    namespace: dict = {}
    exec(code, namespace)  # noqa: S102 - our own documentation
    return namespace["verify"]


class Receiver:
    """A receiver on loopback that answers these statuses, then 204, and remembers what it got."""

    def __init__(self, *statuses: int, context: ssl.SSLContext | None = None):
        self.got: list[tuple[dict, bytes]] = []
        self._statuses = list(statuses)
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver._changed:
                    status = receiver._statuses.pop(0) if receiver._statuses else 204
                    receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                    receiver._changed.notify_all()
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_port}/certwright?x=y"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def wait(self, count: int, seconds: float = 60) -> list[tuple[dict, bytes]]:
        """What it got, once that is so many requests."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.got) >= count, seconds):
                raise AssertionError(f"{len(self.got)} of {count} requests came within {seconds} s")
            return list(self.got)

    def close(self) -> None:
        """Ends it."""
        self._http.shutdown()
        self._http.server_close()


@on_both
class Webhooks(ServerCase):
    """Events reach receivers."""

    config = '[egress]\nallowed_ranges = ["127.0.0.0/8"]\n[webhooks]\nfirst_retry = "1s"\n'

    def receiver(self, *statuses: int, **options) -> Receiver:
        """A receiver for the length of the test."""
        receiver = Receiver(*statuses, **options)
        self.addCleanup(receiver.close)
        return receiver

    def webhook(self, name: str, url: str, **more) -> dict:
        """A webhook that goes when the test ends."""
        made = self.house.made(self.curl.post("/v1/webhooks", {"name": name, "url": url, **more}))
        self.addCleanup(self.curl.call, "DELETE", f"/v1/webhooks/{name}")
        return made

    def delivered(self, webhook: str) -> dict:
        """The newest delivery, once it is DELIVERED."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            newest = self.curl.get(f"/v1/webhooks/{webhook}/deliveries?limit=1").json["items"]
            if newest and newest[0]["state"] == "DELIVERED":
                return newest[0]
            time.sleep(0.05)
        raise AssertionError(f"not delivered: {newest}\n{self.server.log()[-3000:]}")

    def test_a_receiver_that_fails_twice_gets_the_event_at_the_third_try(self):
        receiver = self.receiver(500, 503)
        made = self.webhook("thrice", receiver.url, events=["ca.issued"])
        self.assertRegex(made["secret"], r"^whsec_[A-Za-z0-9+/]{43}=$")
        ca = self.house.root("thrice")
        got = receiver.wait(3)
        verify = documented_verify()
        for headers, body in got:
            self.assertTrue(verify(made["secret"], headers, body))
            self.assertFalse(verify(made["secret"], headers, body + b" "))
            self.assertEqual(body, got[0][1], "every attempt sends the same bytes")
            self.assertEqual(headers["webhook-id"], got[0][0]["webhook-id"])
            self.assertEqual(headers["content-type"].split(";")[0], "application/cloudevents+json")
        event = json.loads(got[0][1])
        self.assertEqual((event["specversion"], event["type"]), ("1.0", "dev.certwright.ca.issued"))
        self.assertEqual((event["subject"], event["source"]), (f"ca/{ca['id']}", f"https://localhost:{self.server.port}"))
        self.assertEqual((event["data"]["name"], event["id"]), ("thrice", got[0][0]["webhook-id"]))
        delivery = self.delivered("thrice")
        self.assertEqual((delivery["attempts"], delivery["lastStatus"]), (3, 204))
        self.assertEqual(delivery["eventId"], event["id"])
        # The history, and once more by hand.
        shown = self.curl.get(f"/v1/events/{event['id']}").json
        self.assertEqual((shown["event"]["kind"], len(shown["deliveries"])), ("ca.issued", 1))
        path = f"/v1/webhooks/thrice/deliveries/{delivery['id']}/resend"
        self.assert_status(self.curl.post(path), 200)
        self.assertEqual(receiver.wait(4)[3][1], got[0][1])

    def test_a_receiver_with_a_certificate_of_ours_is_trusted(self):
        self.house.root("inside")
        wish = {"names": ["127.0.0.1"], "subject": {"commonName": "receiver"}}
        issued = self.house.made(self.curl.post("/v1/certificate-authorities/inside/issue", wish))
        pem = self.scratch / "receiver.pem"
        pem.write_text(issued["privateKey"] + issued["chain"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        receiver = self.receiver(context=context)
        made = self.webhook("tls", receiver.url, events=["ca.revoked"])
        self.assert_status(self.curl.post("/v1/webhooks/tls/test"), 201)
        [(headers, body)] = receiver.wait(1)
        self.assertTrue(documented_verify()(made["secret"], headers, body))
        self.assertEqual(json.loads(body)["type"], "dev.certwright.webhook.test")
        self.delivered("tls")

    def test_the_secret_is_nowhere(self):
        receiver = self.receiver()
        made = self.webhook("hush", receiver.url)
        self.assert_status(self.curl.post("/v1/webhooks/hush/test"), 201)
        receiver.wait(1)
        self.delivered("hush")
        secret = made["secret"].removeprefix("whsec_")
        self.assertNotIn(secret, self.server.log())
        for path in ("/v1/webhooks", "/v1/webhooks/hush", "/v1/audit-events", "/v1/webhooks/hush/deliveries"):
            self.assertNotIn(secret, self.assert_status(self.curl.get(path), 200).text)

    def test_link_local_addresses_stay_refused(self):
        wish = {"name": "metadata", "url": "http://169.254.169.254/latest/meta-data"}
        self.assert_problem(self.curl.post("/v1/webhooks", wish), 400, "address_not_allowed")


class WebhooksByDefault(ServerCase):
    """Nothing inside is called unless the operator allows it."""

    config = '[webhooks]\nfirst_retry = "1s"\n'

    def test_loopback_is_refused_by_address_and_by_name(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        problem = self.assert_problem(
            self.curl.post("/v1/webhooks", {"name": "inside", "url": receiver.url}), 400, "address_not_allowed"
        )
        self.assertIn("allowed_ranges", problem["errors"][0]["hint"])
        by_name = receiver.url.replace("127.0.0.1", "localhost")
        self.house.made(self.curl.post("/v1/webhooks", {"name": "by-name", "url": by_name}))
        self.assert_status(self.curl.post("/v1/webhooks/by-name/test"), 201)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            [delivery] = self.curl.get("/v1/webhooks/by-name/deliveries").json["items"]
            if delivery["attempts"] >= 2:
                break
            time.sleep(0.05)
        self.assertEqual(delivery["state"], "PENDING")
        self.assertIn("egress guard", delivery["lastError"])
        self.assertEqual(receiver.got, [])
