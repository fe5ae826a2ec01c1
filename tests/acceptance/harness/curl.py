"""curl as a client: every call is a real `curl` process, as operators and pipelines run it."""

import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Response:
    """An answer. Header names are in lower case; repeated headers are joined by a comma and a blank."""

    status: int
    headers: dict[str, str]
    body: bytes
    command: list[str] = field(repr=False)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self):
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def content_type(self) -> str:
        """The media type without parameters."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def __str__(self) -> str:
        return f"{' '.join(self.command)}\n  -> {self.status} {self.headers}\n  {self.body[:3000]!r}"


class Curl:
    """curl against one server, with its root and its administrator token."""

    def __init__(self, server):
        self.server = server
        self._headers = server.folder / "authorization"
        self._headers.touch(mode=0o600)
        self._headers.write_text(f"Authorization: Bearer {server.token()}\n")

    def call(
        self,
        method: str,
        path: str,
        body=None,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        token: str | None = "",
        extra: tuple[str, ...] = (),
        base: str | None = None,
    ) -> Response:
        """One call. `body` goes out as JSON, `data` as it is. `token=None`: without Authorization."""
        command = ["curl", "--silent", "--show-error", "--max-time", "60", "--cacert", str(self.server.ca_file)]
        command += ["--head"] if method == "HEAD" else ["--request", method]
        if token == "":
            command += ["--header", f"@{self._headers}"]
        elif token is not None:
            command += ["--header", f"Authorization: Bearer {token}"]
        if body is not None:
            data = json.dumps(body).encode()
            command += ["--header", "Content-Type: application/json"]
        if data is not None:
            command += ["--data-binary", "@-"]
        for name, value in (headers or {}).items():
            command += ["--header", f"{name}: {value}" if value else f"{name};"]
        command += [*extra, (base or self.server.url) + path]
        return run_curl(command, data)

    def get(self, path: str, **options) -> Response:
        """GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, body=None, **options) -> Response:
        """POST."""
        return self.call("POST", path, body, **options)

    def patch(self, path: str, body=None, **options) -> Response:
        """PATCH."""
        return self.call("PATCH", path, body, **options)


def run_curl(command: list[str], data: bytes | None = None) -> Response:
    """Runs a curl command line and reads status, headers and body."""
    with tempfile.TemporaryDirectory(prefix="certwright-curl-") as folder:
        head, out = Path(folder, "head"), Path(folder, "body")
        head.touch()
        out.touch()
        command = [*command, "--dump-header", str(head), "--output", str(out), "--write-out", "%{http_code}"]
        done = subprocess.run(command, input=data if data is not None else b"", capture_output=True, timeout=120)
        shown = [part for part in command if "Bearer" not in part]
        if done.returncode != 0:
            raise CurlError(done.returncode, f"{' '.join(shown)}: {done.stderr.decode()}")
        # The last block belongs to the answer; an interim 100 may stand before it.
        block = head.read_text(errors="replace").replace("\r\n", "\n").strip().split("\n\n")[-1]
        headers: dict[str, str] = {}
        for line in block.splitlines()[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        return Response(int(done.stdout), headers, out.read_bytes(), shown)


class CurlError(Exception):
    """curl itself failed; `code` is its exit status (35: TLS handshake, 60: certificate not trusted)."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code
