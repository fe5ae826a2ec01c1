"""The base of the tests and the few assertions that they share."""

import http.client
import re
import shutil
import socket
import ssl
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

from harness.curl import Curl, Response
from harness.house import House
from harness.server import Context, Server


class Case(unittest.TestCase):
    """A test with a scratch folder and assertions on answers."""

    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.scratch = Path(tempfile.mkdtemp(prefix="certwright-scratch-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)

    def assert_status(self, response: Response, status: int) -> Response:
        """The answer has this status; the whole exchange is shown when not."""
        self.assertEqual(response.status, status, f"\n{response}")
        return response

    def assert_problem(self, response: Response, status: int, code: str | None = None) -> dict:
        """The answer is a problem document (RFC 9457) in the house's shape; gives it back."""
        self.assert_status(response, status)
        self.assertEqual(response.content_type, "application/problem+json", f"\n{response}")
        problem = response.json
        for name in ("type", "title", "detail", "code", "hint", "requestId"):
            self.assertIsInstance(problem.get(name), str, f"{name} in\n{response}")
            self.assertTrue(problem[name], f"{name} in\n{response}")
        self.assertEqual(problem["status"], status, f"\n{response}")
        self.assertIs(type(problem.get("retryable")), bool, f"\n{response}")
        self.assertEqual(problem["requestId"], response.headers.get("x-request-id"), f"\n{response}")
        self.assertRegex(problem["code"], r"^[a-z][a-z0-9_]*$")
        for error in problem.get("errors", []):
            self.assertIn("pointer", error, f"\n{response}")
            self.assertRegex(error["code"], r"^[a-z][a-z0-9_]*$", f"\n{response}")
        if code:
            self.assertEqual(problem["code"], code, f"\n{response}")
        return problem


class ServerCase(Case):
    """A test with one server for the whole class."""

    database = "sqlite"
    config = ""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.server = Server(cls.database, config=cls.config)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()
        cls.curl = Curl(cls.server)
        cls.house = House(cls.curl)

    def assert_nothing_outlives_a_revocation(
        self, chain: Path, key: Path, serial: str, request: Callable[[int], bytes], status: int
    ) -> None:
        """With this client certificate the request (its bytes, for a port) is answered so; once the certificate is revoked, with
        401: over an open connection, a resumed session, and a connection of a session that was resumed before."""
        port = int(self.server.url.rsplit(":", 1)[1])
        context = self.server.tls()
        # Sessions can be resumed by hand with TLS 1.2 alone.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(chain, key)

        def ask(connection: ssl.SSLSocket) -> int:
            connection.sendall(request(port))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            answer.read()
            return answer.status

        def connect(session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
            raw = socket.create_connection(("localhost", port), timeout=60)
            return context.wrap_socket(raw, server_hostname="localhost", session=session)

        with connect() as first:
            self.assertEqual(ask(first), status)
            session = first.session
            with connect(session) as second:
                self.assertTrue(second.session_reused)
                self.assertEqual(ask(second), status)
                revoked = self.curl.post(f"/v1/issued-certificates/{serial}/revoke", {"reason": "superseded"})
                self.assert_status(revoked, 200)
                self.assertEqual(ask(second), 401)
            self.assertEqual(ask(first), 401)
        with connect(session) as third:
            self.assertTrue(third.session_reused)
            self.assertEqual(ask(third), 401)


def on_both(cls):
    """Class decorator: the class becomes one class per database, and is itself no test any more."""
    for database in ("sqlite", "postgres"):
        if database in Context.databases:
            name = f"{cls.__name__}On{database.capitalize()}"
            made = type(name, (cls,), {"database": database, "__module__": cls.__module__, "__doc__": cls.__doc__})
            setattr(sys.modules[cls.__module__], name, made)
    return None


def words(name: str) -> str:
    """`test_some_thing` as words."""
    return re.sub(r"^test_", "", name).replace("_", " ")
