"""The audit trail in the hands of a real rsyslog: over TCP, TLS and a socket, with the lines of docs/audit.md."""

import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness.case import Case, on_both
from harness.curl import Curl
from harness.house import House
from harness.postgres import free_port
from harness.server import Server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
EVENTS = "/v1/audit-events"
# Without these, rsyslog takes what comes to a socket for messages of the old form.
OPTIONS = 'useSpecialParser="off" parseHostname="on"'


@on_both
class RealSyslog(Case):
    """One rsyslog for TCP and a socket, one for TLS."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="certwright-rsyslog-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.tcp, self.tls, self.socket = free_port(), free_port(), self.folder / "log"
        config = (
            f'[audit.sink.tcp]\nkind = "tcp"\naddress = "127.0.0.1:{self.tcp}"\n'
            f'[audit.sink.tls]\nkind = "tls"\naddress = "localhost:{self.tls}"\n'
            f'[audit.sink.unix]\nkind = "unix"\npath = "{self.socket}"\n'
        )
        self.server = Server(self.database, config=config)
        self.addCleanup(self.server.remove)
        self.server.start()
        self.curl = Curl(self.server)
        self.house = House(self.curl)
        self.house.root("root")

    def rsyslog(self, name: str, config: str) -> Path:
        """Starts one with this configuration; the file that it writes."""
        written, place = self.folder / f"{name}.jsonl", self.folder / f"{name}.conf"
        (self.folder / name).mkdir()
        config = config.replace("/var/log/certwright.jsonl", str(written))
        place.write_text(f'global(workDirectory="{self.folder / name}")\n{config}')
        command = [shutil.which("rsyslogd", path="/usr/sbin:/usr/bin"), "-n", "-f", place, "-i", self.folder / f"{name}.pid"]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)

        def stop() -> None:
            process.terminate()
            process.wait(30)

        self.addCleanup(stop)
        return written

    def lines(self, name: str) -> list[dict]:
        written = self.folder / f"{name}.jsonl"
        # The last line may be half written.
        return [json.loads(line) for line in written.read_text().split("\n")[:-1]] if written.exists() else []

    def trail(self) -> dict[str, dict]:
        lines = self.assert_status(self.curl.get(f"{EVENTS}/export"), 200).body.decode().splitlines()
        return {line["id"]: line for line in map(json.loads, lines) if line["type"] == "event"}

    def until_whole(self, name: str) -> None:
        """Everything that the trail has is in the file, as it is in the export."""
        deadline = time.monotonic() + 120
        while not {line["id"] for line in self.lines(name)} >= set(self.trail()):
            log = (self.folder / f"{name}.log").read_text()[-2000:]
            self.assertLess(time.monotonic(), deadline, f"{name}: {log}\n{self.server.log()[-2000:]}")
            time.sleep(0.1)
        trail = self.trail()
        for line in self.lines(name):
            self.assertEqual(line, trail[line["id"]])

    def test_what_the_page_says_of_rsyslog_is_true(self):
        plain, encrypted = re.findall(r"```\n(global\(maxMessageSize.*?)```", PAGE.read_text(), re.DOTALL)
        self.assertIn('port="601"', plain)
        self.assertIn(OPTIONS, PAGE.read_text())
        unix = f'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{self.socket}" {OPTIONS})\n'
        ruleset = plain.replace('port="601"', f'address="127.0.0.1" port="{self.tcp}"')
        self.rsyslog("tcp", ruleset)
        # A socket's messages come by themselves in one file of their own.
        local = re.sub(r"module\(load=\"imtcp\"\)\n|input\(.*?\)\n", "", plain).replace("global(", f"{unix}global(", 1)
        self.rsyslog("unix", local)
        made = self.house.issue("root", "syslog", ["localhost"])
        chain, key = self.folder / "rsyslog.pem", self.folder / "rsyslog.key"
        chain.write_text(made["chain"])
        key.write_text(made["privateKey"])
        encrypted = encrypted.replace('port="6514"', f'address="127.0.0.1" port="{self.tls}"')
        for there, here in (("/etc/rsyslog.d/tls.pem", chain), ("/etc/rsyslog.d/tls.key", key)):
            self.assertIn(there, encrypted)
            encrypted = encrypted.replace(there, str(here))
        self.rsyslog("tls", encrypted)
        for name in ("tcp", "tls", "unix"):
            self.until_whole(name)
        for number in range(20):
            self.house.issue("root", f"later-{number}", [f"later-{number}.example.com"])
        for name in ("tcp", "tls", "unix"):
            self.until_whole(name)
