"""What ACME clients need around them: names that resolve to this machine, and a DNS server that takes updates."""

import base64
import os
import shutil
import subprocess
import time
from pathlib import Path

from harness.case import ServerCase
from harness.postgres import free_port

SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def tool(name: str) -> str:
    """Where Debian puts it."""
    found = shutil.which(name, path=SBIN)
    if not found:
        raise AssertionError(f"{name} is missing; scripts/test installs it")
    return found


class Bind:
    """BIND on a free port: everything under `test.` is this machine, and clients with the key may add TXT records."""

    KEY = "acme-updates"

    def __init__(self, folder: Path):
        self.folder, self.port = folder, free_port()
        self.secret = base64.b64encode(os.urandom(32)).decode()
        folder.mkdir(parents=True)
        (folder / "test.zone").write_text(
            "$TTL 1\n@ IN SOA ns.test. ops.test. 1 3600 600 86400 1\n@ IN NS ns.test.\nns IN A 127.0.0.1\n"
            "@ IN A 127.0.0.1\n* IN A 127.0.0.1\n"
        )
        (folder / "named.conf").write_text(
            f'key "{self.KEY}" {{ algorithm hmac-sha256; secret "{self.secret}"; }};\n'
            f'options {{ directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session.key";\n'
            f"  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;\n"
            "  allow-query { any; }; dnssec-validation no; };\n"
            "controls { };\n"
            f'zone "test" {{ type primary; file "{folder}/test.zone"; allow-update {{ key "{self.KEY}"; }}; }};\n'
        )

    def start(self) -> "Bind":
        """Starts it; returns once it answers."""
        log = open(self.folder / "log", "ab")
        command = [tool("named"), "-g", "-c", str(self.folder / "named.conf"), "-u", "root"]
        if os.geteuid() != 0:
            command = command[:-2]
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while "running" not in (self.folder / "log").read_text():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"BIND does not run:\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(30)


class AcmeCase(ServerCase):
    """A server with a CA, an ACME directory `default` and one for bound accounts, and DNS that leads to this machine."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.http_port, cls.tls_port = free_port(), free_port()
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="certwright-bind-"))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.bind = Bind(folder / "bind").start()
        cls.addClassCleanup(cls.bind.stop)
        cls.config = (
            f"[acme]\nhttp_port = {cls.http_port}\ntls_port = {cls.tls_port}\n"
            f'dns_servers = ["127.0.0.1:{cls.bind.port}"]\n'
        )
        super().setUpClass()
        cls.house.root("root")
        cls.house.subordinate("issuing-1", "root")
        profile = {
            "name": "acme",
            "usages": ["serverAuth"],
            "names": {"dns": ["*"], "wildcards": True, "ip": ["*"], "subject": ["commonName"], "required": True},
        }
        cls.house.made(cls.curl.post("/v1/profiles", profile))
        cls.directory("default")
        cls.directory("bound", externalAccountRequired=True, withoutChallenge=True)
        cls.root_file = cls.scratch / "root.pem"
        cls.root_file.write_text(cls.curl.get("/v1/trust?format=pem", token=None).text)

    @classmethod
    def directory(cls, name: str, **more) -> str:
        """Makes a directory; its URL."""
        body = {
            "name": name,
            "ca": "issuing-1",
            "profiles": ["acme", "tls-server-or-client"],
            "allowedPrivateRanges": ["127.0.0.0/8"],
            **more,
        }
        return cls.house.made(cls.curl.post("/v1/acme-directories", body))["url"]

    @property
    def url(self) -> str:
        """The URL of `default`."""
        return f"{self.server.url}/acme/default/directory"

    @property
    def bound_url(self) -> str:
        """The URL of `bound`."""
        return f"{self.server.url}/acme/bound/directory"

    def binding(self, name: str, names: list[str]) -> tuple[str, str]:
        """A key for external account bindings: what clients call kid and HMAC key."""
        made = self.house.made(
            self.curl.post("/v1/acme-eab-keys", {"name": name, "directory": "bound", "names": names, "uses": 1})
        )
        return made["id"], made["hmacKey"]

    def run_tool(self, *command: object, env: dict | None = None, seconds: float = 180) -> str:
        """Runs a client, which must succeed; what it wrote."""
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": SBIN, **(env or {})},
        )
        written = done.stdout + done.stderr
        if done.returncode != 0:
            log = self.server.log()[-6000:]
            self.fail(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{written[-6000:]}\n{log}")
        return written

    def issued(self, name: str) -> list[dict]:
        """What the inventory has for a name, the newest first."""
        return self.curl.get(f"/v1/issued-certificates?san={name}").json["items"]

    def assert_chain(self, chain: Path, host: str) -> None:
        """openssl takes the chain (leaf first) for this host, with our root alone."""
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", self.root_file]
            + ["-untrusted", chain, "-verify_hostname", host, chain],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
