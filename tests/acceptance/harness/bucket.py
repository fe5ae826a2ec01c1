"""An S3-compatible server (moto) on a free loopback port."""

import os
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from harness.postgres import free_port
from harness.server import ROOT

PROGRAM = ROOT / ".venv-bucket" / "bin" / "moto_server"


class BucketServer:
    """The server with one bucket. What it holds is gone when it stops."""

    def __init__(self, name: str, folder: Path, *, tls: bool = False):
        self.name = name
        self.port = free_port()
        self.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{self.port}"
        #: For the TLS of the server: certificate chain, key, and whom its own requests trust.
        self.tls: tuple[Path, Path, Path] | None = None
        self._log = folder / f"bucket-{name}.log"
        self._process: subprocess.Popen | None = None

    def start(self, **environment: str) -> "BucketServer":
        """Starts it and makes the bucket, which anybody may read."""
        command = [PROGRAM, "-H", "127.0.0.1", "-p", str(self.port)]
        if self.tls:
            command += ["--ssl", "--ssl-cert", self.tls[0], "--ssl-key", self.tls[1]]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/moto-api/", timeout=5, context=self._context()).close()
                self.call("PUT", f"/{self.name}")
                policy = self._policy("s3:GetObject", '"Principal":"*",').encode()
                self.call("PUT", f"/{self.name}?policy", policy, **{"Content-Type": "application/json"})
                return self
            except urllib.error.HTTPError:
                raise
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"the bucket's server does not answer:\n{self._log.read_text()[-2000:]}")

    def call(self, method: str, path: str, data: bytes | None = None, **headers: str) -> tuple[dict, bytes]:
        """A request of nobody: headers and body of the answer."""
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10, context=self._context()) as answer:
            return {name.lower(): value for name, value in answer.headers.items()}, answer.read()

    def _policy(self, action: str, who: str = "") -> str:
        statement = f'{{"Effect":"Allow",{who}"Action":"{action}","Resource":"arn:aws:s3:::{self.name}/*"}}'
        return f'{{"Version":"2012-10-17","Statement":[{statement}]}}'

    def _context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.tls[2])) if self.tls else None

    def make_key(self) -> tuple[str, str]:
        """A user who may write to the bucket; the id and the secret of its access key."""

        def ask(**fields: str) -> str:
            body = urllib.parse.urlencode({"Version": "2010-05-08", **fields}).encode()
            scope = "Credential=nobody/20260101/us-east-1/iam/aws4_request"
            return self.call("POST", "/", body, Authorization=f"AWS4-HMAC-SHA256 {scope}")[1].decode()

        policy = self._policy("s3:PutObject")
        ask(Action="CreateUser", UserName="certwright")
        ask(Action="PutUserPolicy", UserName="certwright", PolicyName="put", PolicyDocument=policy)
        made = ask(Action="CreateAccessKey", UserName="certwright")
        return tuple(re.search(f"<{tag}>(.*?)</{tag}>", made).group(1) for tag in ("AccessKeyId", "SecretAccessKey"))

    def stop(self) -> None:
        """Ends it."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)
