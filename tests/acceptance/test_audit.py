"""The audit trail in the hands of somebody who owns the database; and what must stand in no trail, log or answer."""

import json
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from harness.case import Case, ServerCase, on_both
from harness.curl import Curl
from harness.house import House
from harness.postgres import free_port, program
from harness.server import Context, Server

EVENTS = "/v1/audit-events"
CANARY = "cwcanary-7f3a91-password"
ROW = "chain = '{chain}' AND sequence = {number}"
MOVE = "UPDATE audit_events SET sequence = {to} WHERE chain = '{chain}' AND sequence = {number};"


class TrailCase(ServerCase):
    """A server that did a few things and was stopped, with what the database's owner may do to its trail."""

    def work(self) -> None:
        self.house.root("root")
        for one in range(6):
            self.house.issue("root", f"service-{one}", [f"service-{one}.example.com"])
        self.curl.call("GET", "/v1/vaults", token="cwt_nobody")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()

    def verify(self) -> dict:
        return self.assert_status(self.curl.get(f"{EVENTS}/verify"), 200).json

    def export(self, name: str):
        file = self.scratch / name
        file.write_bytes(self.assert_status(self.curl.get(f"{EVENTS}/export"), 200).body)
        return file

    def offline(self, file) -> subprocess.CompletedProcess:
        command = [str(Context.binary), "audit", "verify", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def change(self, statements: str) -> None:
        raise NotImplementedError

    def longest(self) -> tuple[str, int]:
        heads = self.verify()["chains"]
        head = max(heads, key=lambda head: head["sequence"])
        return head["chain"], head["sequence"]

    def found(self, statements: str, *kinds: str) -> dict:
        """What the verification says after this was done to the trail; online and offline say the same."""
        self.change(statements)
        trail = self.verify()
        self.assertEqual(trail["status"], "BROKEN", trail)
        fault = trail["faults"][0]
        self.assertIn(fault["kind"], kinds, trail)
        offline = self.offline(self.export("broken.jsonl"))
        self.assertEqual(offline.returncode, 1, offline.stdout + offline.stderr)
        self.assertIn(fault["kind"], offline.stdout + offline.stderr)
        return fault

    def test_whatever_is_done_to_a_row_is_found(self):
        self.work()
        whole = self.verify()
        self.assertEqual((whole["status"], whole["faults"]), ("VERIFIED", []))
        self.assertGreaterEqual(whole["checkpoint"], 1, "the one of the shutdown")
        good = self.export("good.jsonl")
        self.assertEqual(self.offline(good).returncode, 0, self.offline(good))
        actions = {event["action"] for event in self.curl.get(f"{EVENTS}?limit=500").json["items"]}
        self.assertLessEqual({"ca.create", "certificate.issue"}, actions)
        outcomes = {event["outcome"] for event in self.curl.get(f"{EVENTS}?limit=500").json["items"]}
        self.assertTrue(outcomes - {"SUCCEEDED"}, "the failed login")
        chain, last = self.longest()
        middle = max(1, last // 2)
        self.keep()
        row = ROW.format(chain=chain, number=middle)
        fault = self.found(f"UPDATE audit_events SET actor_name = 'somebody else' WHERE {row};", "MODIFIED")
        self.assertEqual((fault["chain"], fault["sequence"]), (chain, middle))
        self.put_back()
        fault = self.found(f"DELETE FROM audit_events WHERE {row};", "MISSING")
        self.assertEqual((fault["chain"], fault["sequence"]), (chain, middle))
        self.put_back()
        swap = MOVE.format(chain=chain, number=middle, to=10**6)
        if middle > 1:
            swap += MOVE.format(chain=chain, number=middle - 1, to=middle)
            swap += MOVE.format(chain=chain, number=10**6, to=middle - 1)
            self.found(swap, "REORDERED", "MODIFIED")
            self.put_back()
        self.found(f"DELETE FROM audit_events WHERE chain = '{chain}' AND sequence > {middle - 1};", "TRUNCATED", "MISSING")
        self.put_back()
        forged = "UPDATE audit_checkpoints SET statement = replace(statement, '1', '2') WHERE number = 1;"
        self.found(forged, "FORGED_CHECKPOINT")
        self.put_back()
        self.assertEqual(self.verify()["status"], "VERIFIED")

    def test_the_database_refuses_changes(self):
        self.house.vault("audited")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        for statement in ("UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events", "DELETE FROM audit_checkpoints"):
            with self.assertRaises(Exception, msg=statement):
                self.plainly(statement)


class TrailOnSqlite(TrailCase):
    """The owner of the file."""

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.server.data / "certwright.db", timeout=30)

    def plainly(self, statement: str) -> None:
        connection = self.connect()
        try:
            connection.execute(statement)
        finally:
            connection.close()

    def change(self, statements: str) -> None:
        connection = self.connect()
        dropped = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'")
        for (name,) in dropped.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.executescript(statements)
        connection.commit()
        connection.close()

    def keep(self) -> None:
        self.assertEqual(self.server.stop(), 0)
        self.kept = self.scratch / "kept"
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.server.data, self.kept)
        self.server.start()

    def put_back(self) -> None:
        self.server.kill()
        for file in self.server.data.glob("certwright.db*"):
            file.unlink()
        for file in self.kept.glob("certwright.db*"):
            shutil.copy(file, self.server.data)
        self.server.start()


class TrailOnPostgres(TrailCase):
    """A superuser of the database."""

    database = "postgres"

    def run_sql(self, statements: str) -> str:
        return Context.postgres().psql(statements, self.server.database_url.rsplit("/", 1)[1].split("?")[0])

    def plainly(self, statement: str) -> None:
        self.run_sql(statement)

    def change(self, statements: str) -> None:
        self.run_sql(f"SET session_replication_role = replica; {statements}")

    def keep(self) -> None:
        for table in ("audit_events", "audit_checkpoints"):
            self.run_sql(f"DROP TABLE IF EXISTS kept_{table}; CREATE TABLE kept_{table} AS SELECT * FROM {table}")

    def put_back(self) -> None:
        for table in ("audit_events", "audit_checkpoints"):
            self.change(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table};")


# The base class is no test of its own.
del TrailCase


@on_both
class Canaries(ServerCase):
    """Planted secrets are nowhere but where they belong."""


    def test_secrets_stand_in_no_log_no_trail_and_no_answer(self):
        self.house.root("root")
        made = self.assert_status(self.curl.post("/v1/tokens", {"name": "canary"}), 201).json
        issued = self.house.issue("root", "canary", ["canary.example.com"])
        key = issued["privateKey"].splitlines()[2]
        spec = {"ca": "root", "names": ["kept.example.com"], "exportable": True}
        self.assert_status(self.curl.call("PUT", "/v1/certificates/kept", spec), 201)
        file = {"format": "p12", "password": CANARY}
        self.assert_status(self.curl.post("/v1/certificates/kept/bundle", file), 200)
        # A body that is refused after it was read, and a token that is nearly right.
        self.curl.post("/v1/certificates/kept/bundle", {**file, "format": "nonsense"})
        self.curl.post("/v1/certificate-authorities", {"name": "x", "type": "IMPORTED", "password": CANARY})
        nearly = made["token"][:-1] + ("a" if made["token"][-1] != "a" else "b")
        self.curl.call("GET", "/v1/vaults", token=nearly)
        export = self.assert_status(self.curl.get(f"{EVENTS}/export"), 200).body
        listed = self.curl.get(f"{EVENTS}?limit=500").body
        metrics = self.curl.get("/v1/tokens").body
        self.assertEqual(self.server.stop(), 0)
        log = self.server.log_file.read_bytes()
        places = {"log": log, "export": export, "list": listed, "tokens": metrics}
        if self.database == "sqlite":
            for path in self.server.data.glob("certwright.db*"):
                places[path.name] = path.read_bytes()
        else:
            name = self.server.database_url.rsplit("/", 1)[1].split("?")[0]
            dump = [program("pg_dump"), "--dbname", Context.postgres().url(name)]
            places["dump"] = subprocess.run(dump, check=True, capture_output=True).stdout
        # The secret part is base64url: an underscore may stand in it.
        for secret in (CANARY, made["token"], made["token"].split("_", 2)[2][:40], nearly, key):
            self.assertGreaterEqual(len(secret), 20, "too short to be told from chance")
            for place, content in places.items():
                self.assertNotIn(secret.encode(), content, f"{secret[:12]}… in {place}")


class Syslog:
    """A receiver of syslog: TCP with octet counting (RFC 6587). With `reads` off it takes connections and never reads."""

    def __init__(self, port: int, reads: bool = True):
        self.lines: list[dict] = []
        self.faults: list[str] = []
        self.accepted = 0
        self._reads = reads
        self._held: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            if not self._reads:
                self._held.append(connection)
                continue
            content = b""
            with connection:
                while part := connection.recv(65536):
                    content += part
                self._take(content)

    def _take(self, content: bytes) -> None:
        while content:
            length, _, rest = content.partition(b" ")
            message, content = rest[: int(length)], rest[int(length) :]
            fields = message.decode().split(" ", 7)
            line = json.loads(fields[7])
            if not fields[0].endswith(">1") or fields[3] != "certwright" or fields[5] != line["action"]:
                self.faults.append(message.decode())
            self.lines.append(line)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)
        for connection in self._held:
            connection.close()


@on_both
class Shipping(Case):
    """The trail is shipped to a file and to syslog, whatever happens to them."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="certwright-sinks-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.file, self.port, self.stuck = self.folder / "audit.jsonl", free_port(), free_port()
        config = (
            f'[metrics]\nenabled = true\n[audit.sink.file]\nkind = "file"\npath = "{self.file}"\n'
            f'[audit.sink.siem]\nkind = "tcp"\naddress = "127.0.0.1:{self.port}"\n'
        )
        self.server = Server(self.database, config=config)
        self.addCleanup(self.server.remove)

    def begin(self) -> None:
        self.server.start()
        self.curl = Curl(self.server)
        self.house = House(self.curl)
        self.house.root("root")

    def issue(self, first: int, last: int) -> None:
        for number in range(first, last):
            self.house.issue("root", f"service-{number}", [f"service-{number}.example.com"])

    def trail(self) -> dict[str, dict]:
        """What the server's own export has, by id."""
        lines = self.assert_status(self.curl.get(f"{EVENTS}/export"), 200).body.decode().splitlines()
        return {line["id"]: line for line in map(json.loads, lines) if line["type"] == "event"}

    def assert_whole(self, lines: list[dict]) -> None:
        """Nothing is missing, nothing is out of order, everything is as it is in the export."""
        trail, chains = self.trail(), {}
        for line in lines:
            self.assertEqual(line, trail[line["id"]])
            seen = chains.setdefault(line["chain"], [])
            if line["sequence"] not in seen:
                seen.append(line["sequence"])
        ends = {}
        for event in trail.values():
            ends[event["chain"]] = max(ends.get(event["chain"], 0), event["sequence"])
        self.assertEqual(chains, {chain: list(range(1, end + 1)) for chain, end in ends.items()})

    def until(self, what: str, true, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            self.assertLess(time.monotonic(), deadline, f"{what}\n{self.server.log()[-3000:]}")
            time.sleep(0.1)

    def plain(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.server.plain_url}{path}", timeout=10) as answer:
            return answer.read().decode()

    def written(self) -> list[dict]:
        files = [path for path in (self.folder / "audit.jsonl.1", self.file) if path.exists()]
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    def has_all(self, lines: list[dict]) -> bool:
        return {line["id"] for line in lines} >= set(self.trail())

    def test_a_file_is_rotated_and_a_receiver_goes_and_comes_back(self):
        receiver = Syslog(self.port)
        self.begin()
        self.issue(0, 5)
        self.until("the file has everything", lambda: self.has_all(self.written()))
        self.until("the receiver has everything", lambda: self.has_all(receiver.lines))
        before = receiver.lines
        receiver.close()
        self.file.rename(self.folder / "audit.jsonl.1")
        self.issue(5, 30)
        self.until("the new file has everything", lambda: self.has_all(self.written()))
        self.assertTrue(self.file.exists())
        self.assert_whole(self.written())
        failing = 'certwright_audit_shipping_failures_total{sink="siem"}'
        self.until("the failures are counted", lambda: failing in self.plain("/metrics"))
        self.until("/readyz tells", lambda: "audit_shipping_failing" in self.plain("/readyz"))
        # A new start while it is away: what it lacks is not forgotten.
        self.server.kill()
        self.server.start()
        self.issue(30, 35)
        receiver = Syslog(self.port)
        self.addCleanup(receiver.close)
        self.until("the receiver has what it missed", lambda: self.has_all(before + receiver.lines))
        self.assertEqual(receiver.faults, [])
        self.assert_whole(before + receiver.lines)
        self.until("the file has everything", lambda: self.has_all(self.written()))
        self.assert_whole(self.written())
        self.until("/readyz is content", lambda: "audit_shipping_failing" not in self.plain("/readyz"))

    def test_a_receiver_that_never_reads_stops_nothing(self):
        receiver = Syslog(self.port, reads=False)
        self.addCleanup(receiver.close)
        self.begin()
        self.until("it is connected", lambda: receiver.accepted > 0)
        self.issue(0, 40)
        self.until("the file has everything", lambda: self.has_all(self.written()))
        self.assertEqual(receiver.lines, [])
        lag = 'certwright_audit_shipping_lag_events{sink="siem"}'
        self.until("the lag is told", lambda: lag in self.plain("/metrics"))
        self.assertEqual(self.server.stop(), 0)
