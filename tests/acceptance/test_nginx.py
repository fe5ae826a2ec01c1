"""nginx takes a renewed certificate by reload, and no connection is dropped."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from harness.case import ServerCase

BLOB = 600_000
# Debian puts it where the PATH of ordinary users does not look.
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or "nginx"

CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; user root;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl; server_name localhost; root {folder}/www;
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
    location /slow {{ alias {folder}/www/blob; limit_rate 200k; }}
  }}
}}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx(ServerCase):
    """A renewed certificate in nginx."""

    def setUp(self) -> None:
        self.house.root("root")
        body = {"ca": "root", "names": ["localhost"], "exportable": True}
        self.assert_status(self.curl.call("PUT", "/v1/certificates/nginx", body), 201)
        self.folder = self.scratch / "nginx"
        (self.folder / "www").mkdir(parents=True)
        (self.folder / "www" / "blob").write_bytes(b"x" * BLOB)
        self.port = free_port()
        (self.folder / "nginx.conf").write_text(CONFIG.format(folder=self.folder, port=self.port))
        root = self.curl.get("/v1/trust?format=pem", token=None).text
        self.trust = ssl.create_default_context(cadata=root)
        self.fetch()
        self.nginx = subprocess.Popen([NGINX, "-c", self.folder / "nginx.conf"])
        self.addCleanup(self.nginx.wait, 30)
        self.addCleanup(self.nginx.terminate)
        self.wait_for(lambda: self.serial() is not None)

    def fetch(self) -> None:
        """What an agent does: chain and key into files."""
        text = self.curl.get("/v1/certificates/nginx/bundle?format=json&includeKey=true").json
        for name, content in (("chain.pem", text["chain"]), ("key.pem", text["privateKey"])):
            Path(self.folder, name).write_text(content)

    def wait_for(self, condition) -> None:
        for _ in range(200):
            if condition():
                return
            time.sleep(0.05)
        self.fail((self.folder / "error.log").read_text())

    def connect(self) -> ssl.SSLSocket:
        return self.trust.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 10), server_hostname="localhost")

    def serial(self) -> str | None:
        """The serial on the wire, verified against our root; `None` while nobody answers."""
        try:
            with self.connect() as connection:
                return connection.getpeercert()["serialNumber"].lower()
        except ConnectionError:
            return None

    def download(self, got: list) -> None:
        with self.connect() as connection:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while part := connection.recv(65536):
                got.append(part)

    def test_a_reload_serves_the_new_version_and_drops_nothing(self):
        before = self.serial()
        self.assertEqual(before, self.curl.get("/v1/certificates/nginx").json["version"]["serial"])
        got: list[bytes] = []
        download = threading.Thread(target=self.download, args=(got,))
        download.start()
        self.wait_for(lambda: got)
        renewed = self.assert_status(self.curl.post("/v1/certificates/nginx/renew", {}), 200).json
        self.fetch()
        subprocess.run([NGINX, "-c", self.folder / "nginx.conf", "-s", "reload"], check=True)
        # For a moment workers of before and after the reload take connections.
        self.wait_for(lambda: self.serial() == renewed["version"]["serial"])
        self.assertTrue(download.is_alive(), "the download must still be under way for this to show anything")
        download.join(60)
        answer = b"".join(got)
        self.assertIn(b"200 OK", answer)
        self.assertEqual(len(answer.split(b"\r\n\r\n", 1)[1]), BLOB, "the connection of before the reload was served whole")
