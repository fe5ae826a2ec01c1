#!/usr/bin/env python3
"""A throw-away PostgreSQL server on a free loopback port.

As a program, `postgres.py run -- COMMAND…` starts one, runs the command with CERTWRIGHT_TEST_DATABASE_URL set to a
superuser's URL, stops the server and ends with the command's exit status.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

USER = "certwright"


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name: str) -> str:
    """The newest installed PostgreSQL's program of this name; Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    for folder in folders:
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if not found:
        sys.exit(f"error: {name} is not installed (Debian package: postgresql)")
    return found


class Postgres:
    """One cluster in a temporary folder. The server is a child of this process, so it cannot outlive a normal exit."""

    def __init__(self, *, durable: bool = True) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="certwright-postgres-"))
        self._process: subprocess.Popen | None = None
        # PostgreSQL refuses to run as root.
        self._identity = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        made = subprocess.run(
            [
                program("initdb"),
                "-D",
                self.folder / "data",
                "-U",
                USER,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
            capture_output=True,
            text=True,
            cwd=self.folder,
            **self._identity,
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb: {made.stdout}{made.stderr}")
        self._settings = [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={self.folder}",
            "-c",
            "max_connections=400",
            "-c",
            "shared_buffers=64MB",
            "-c",
            f"fsync={'on' if durable else 'off'}",
        ]

    def start(self) -> "Postgres":
        """Starts the server and returns once it answers."""
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", self.folder / "data", "-p", str(self.port), *self._settings],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,
                **self._identity,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready = subprocess.run([program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)])
            if ready.returncode == 0:
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        """Ends every session at once and waits for the server to be gone; `start` brings it back on the same port."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def remove(self) -> None:
        """Stops the server and deletes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """URL of a database for the superuser."""
        return f"postgres://{USER}@127.0.0.1:{self.port}/{database}"

    def psql(self, statement: str, database: str = "postgres") -> str:
        """Runs one statement; the rows as unaligned text without headings."""
        return subprocess.run(
            [program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout


def main() -> int:
    if sys.argv[1:3] != ["run", "--"] or len(sys.argv) < 4:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = Postgres(durable=False)
    try:
        server.start()
        return subprocess.call(sys.argv[3:], env={**os.environ, "CERTWRIGHT_TEST_DATABASE_URL": server.url()})
    except KeyboardInterrupt:
        return 130
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())
