"""`certwright quickstart` in an empty folder, and the lines it prints."""

import re
import signal
import socket
import subprocess
import time

from harness.case import Case
from harness.curl import Curl, run_curl
from harness.house import House
from harness.server import Context, Server, clean_environment


class Quickstart(Case):
    """quickstart sets everything up, its lines work as printed, the second run only serves."""

    def start(self, server: Server) -> None:
        """Starts quickstart in the server's folder."""
        server.arguments = lambda verb, plain=server.arguments: plain("quickstart")
        server.start()

    def printed(self, server: Server, wanted: str) -> str:
        """What it printed, once this stands in it."""
        deadline = time.monotonic() + 60
        while wanted not in server.log():
            self.assertLess(time.monotonic(), deadline, server.log())
            time.sleep(0.05)
        return server.log()

    def shell(self, server: Server, line: str) -> subprocess.CompletedProcess:
        """Runs a printed line as a person would: pasted into a shell, in the folder where quickstart was started."""
        path = f"{Context.binary.parent}:{clean_environment()['PATH']}"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=server.folder,
            env=clean_environment(PATH=path),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_quickstart(self):
        server = Server("sqlite")
        self.addCleanup(server.remove)
        self.start(server)
        text = self.printed(server, "openssl ")
        lines = {word: self.line(text, word) for word in ("curl", "certwright", "openssl")}
        self.assertNotIn(server.token(), text, "the token is a secret")

        with self.subTest("the curl line issues a certificate"):
            done = self.shell(server, lines["curl"])
            self.assertEqual(done.returncode, 0, f"{lines['curl']}\n{done.stdout}{done.stderr}")
            self.assertIn(
                "BEGIN CERTIFICATE",
                done.stdout
                + "".join(
                    f.read_text(errors="replace")
                    for f in server.folder.glob("*")
                    if f.is_file() and f != server.log_file
                ),
            )
        with self.subTest("the openssl line verifies"):
            done = self.shell(server, lines["openssl"])
            self.assertEqual(done.returncode, 0, f"{lines['openssl']}\n{done.stdout}{done.stderr}")
        with self.subTest("the CLI line names a verb that exists"):
            done = self.shell(server, lines["certwright"])
            self.assertEqual(done.returncode, 0, f"{lines['certwright']}\n{done.stdout}{done.stderr}")

        with self.subTest("what it made"):
            command = ["curl", "-sS", "--cacert", str(server.ca_file), "-H", f"Authorization: Bearer {server.token()}"]
            cas = run_curl([*command, f"{server.url}/v1/certificate-authorities"]).json["items"]
            self.assertEqual(sorted(ca["type"] for ca in cas), ["ROOT", "SUBORDINATE"])
            rows = run_curl([*command, f"{server.url}/v1/issued-certificates?kind=LEAF"]).json["items"]
            self.assertGreaterEqual(len(rows), 1)

        with self.subTest("modes of the secret files"):
            self.assertEqual(server.data.stat().st_mode & 0o777, 0o700)
            for name in ("admin.token", "root.key"):
                self.assertEqual((server.data / name).stat().st_mode & 0o777, 0o600, name)
        self.assertEqual(server.stop(), 0)

        with self.subTest("the second run says so and serves"):
            token, root = server.token(), server.ca_file.read_text()
            server.log_file.unlink()
            server.start()
            self.assertRegex(self.printed(server, "nothing was made"), r"nothing was made")
            again = run_curl([*command, f"{server.url}/v1/certificate-authorities"]).json["items"]
            self.assertEqual([ca["id"] for ca in again], [ca["id"] for ca in cas])
            self.assertEqual((server.token(), server.ca_file.read_text()), (token, root))
            self.assertEqual(server.stop(), 0)

    def test_a_server_that_was_started_first_is_set_up_all_the_same(self):
        server = Server("sqlite")
        self.addCleanup(server.remove)
        server.start()
        token = server.token()
        # Beside the server that runs, as in a container.
        command = [*server.arguments("quickstart"), "--no-serve"]
        for said in ("is set up", "nothing was made"):
            done = subprocess.run(
                command, capture_output=True, text=True, env=server.environment(), cwd=server.folder, timeout=60
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(said, done.stdout)
        self.assertEqual(server.token(), token, "the token that there was")
        cas = Curl(server).get("/v1/certificate-authorities").json["items"]
        self.assertEqual(sorted(ca["name"] for ca in cas), ["issuing-1", "root"])

    def line(self, text: str, program: str) -> str:
        """The line that begins with a program's name, as it would be pasted."""
        found = [line.strip() for line in text.splitlines() if re.match(rf"\s*(\$ )?{program} ", line)]
        self.assertEqual(len(found), 1, f"one line for {program} in:\n{text}")
        return found[0].removeprefix("$ ")


class Shutdown(Case):
    """SIGTERM lets requests in flight finish and ends with 0."""

    def test_a_request_in_flight_is_answered(self):
        server = Server("sqlite")
        self.addCleanup(server.remove)
        server.start()
        curl = Curl(server)
        House(curl).vault("v")
        body = b'{"name":"k","algorithm":"ECDSA","length":256}'
        head = (
            f"POST /v1/vaults/v/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        )
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
            server.tls().wrap_socket(plain, server_hostname="127.0.0.1") as caller,
        ):
            caller.sendall(head.encode())
            # The interim answer proves that the request is in work and waits for its body.
            self.assertIn(b" 100 ", caller.recv(1024))
            server.signal(signal.SIGTERM)
            self.wait_until_closed(server)
            caller.sendall(body)
            answer = caller.recv(4096)
        self.assertTrue(answer.startswith(b"HTTP/1.1 201 "), answer)
        self.assertEqual(server.wait(), 0)
        server.start()
        self.assert_status(curl.get("/v1/vaults/v/keys/k"), 200)

    def wait_until_closed(self, server: Server) -> None:
        """Until nobody listens any more: new callers are refused while the old one is served."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                # It was in the queue when the listener closed.
                pass
            time.sleep(0.05)
        self.fail("still listening after SIGTERM")
