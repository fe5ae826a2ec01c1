"""The real binary on free loopback ports with a data folder of its own."""

import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from harness.postgres import Postgres, free_port

ROOT = Path(__file__).resolve().parents[3]


class Context:
    """What the whole run shares: the binary, one PostgreSQL server, how thorough to be."""

    binary = ROOT / "target" / "debug" / "certwright"
    long = False
    databases = ("sqlite", "postgres")
    _postgres: Postgres | None = None
    _made = 0

    @classmethod
    def postgres(cls) -> Postgres:
        """The shared PostgreSQL server, started when first asked for."""
        if cls._postgres is None:
            cls._postgres = Postgres().start()
        return cls._postgres

    @classmethod
    def new_database(cls) -> str:
        """URL of a new, empty database on the shared server."""
        cls._made += 1
        name = f"certwright_{cls._made}"
        cls.postgres().psql(f"CREATE DATABASE {name}")
        return cls.postgres().url(name)

    @classmethod
    def close(cls) -> None:
        """Ends whatever is still running."""
        for server in list(Server.running):
            server.kill()
        if cls._postgres:
            cls._postgres.remove()
            cls._postgres = None


def clean_environment(**extra: str) -> dict[str, str]:
    """An environment without a CERTWRIGHT_ variable of the caller."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("CERTWRIGHT_") and k not in ("RUST_LOG", "RUST_BACKTRACE")
    }
    return {**kept, **extra}


class Server:
    """One server. `start` and `stop` may be called again and again; the data stay until `remove`."""

    running: set["Server"] = set()

    def __init__(
        self, database: str, *, database_url: str | None = None, config: str = "", arguments: tuple[str, ...] = ()
    ):
        self.database = database
        self.folder = Path(tempfile.mkdtemp(prefix="certwright-acceptance-"))
        self.data = self.folder / "data"
        self.log_file = self.folder / "log"
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.plain_url = f"http://127.0.0.1:{self.plain_port}"
        self.database_url = database_url
        if database == "postgres" and not database_url:
            self.database_url = Context.new_database()
        self._arguments = list(arguments)
        if config:
            (self.folder / "config.toml").write_text(config)
            self._arguments += ["--config", str(self.folder / "config.toml")]
        self._process: subprocess.Popen | None = None

    # -- life ------------------------------------------------------------------------------------------------------

    def arguments(self, verb: str) -> list[str]:
        """The command line of a verb for this server."""
        return [
            str(Context.binary),
            verb,
            "--data",
            str(self.data),
            "--listen",
            f"127.0.0.1:{self.port}",
            "--http-listen",
            f"127.0.0.1:{self.plain_port}",
            *self._arguments,
        ]

    def environment(self) -> dict[str, str]:
        """Its environment: the database comes in as in docker-compose.yml."""
        extra = {"CERTWRIGHT_DATABASE_URL": self.database_url} if self.database_url else {}
        return clean_environment(**extra)

    def start(self, *, wait: bool = True) -> "Server":
        """Starts it; with `wait`, returns once it is ready."""
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(
                self.arguments("serve"),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment(),
                cwd=self.folder,
            )
        Server.running.add(self)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds: float = 60) -> None:
        """Waits until /readyz says 200."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process and self._process.poll() is not None:
                raise RuntimeError(f"the server ended with {self._process.returncode}:\n{self.log()[-4000:]}")
            try:
                with urllib.request.urlopen(f"{self.plain_url}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.03)
        raise RuntimeError(f"the server is not ready after {seconds} s:\n{self.log()[-4000:]}")

    def signal(self, number: int) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = 60) -> int:
        """Waits for its end; the exit status."""
        status = self._process.wait(seconds)
        Server.running.discard(self)
        return status

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        Server.running.discard(self)

    def remove(self) -> None:
        """Kills it and deletes its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- what clients need -----------------------------------------------------------------------------------------

    @property
    def ca_file(self) -> Path:
        """The root of the server's own TLS certificate."""
        return self.data / "tls" / "ca.pem"

    def token(self) -> str:
        """The administrator token of the first start."""
        return (self.data / "admin.token").read_text().strip()

    def tls(self) -> ssl.SSLContext:
        """A client context that trusts the server."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def log(self) -> str:
        """Everything it wrote so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess:
        """Runs the binary beside the server with the same data folder and database."""
        return subprocess.run(
            [str(Context.binary), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.folder,
            env={**self.environment(), "CERTWRIGHT_DATA": str(self.data), **extra},
        )
