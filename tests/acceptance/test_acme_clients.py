"""ACME clients that people have, unmodified: certbot, lego, dehydrated, uacme, acme-tiny, Caddy, Apache mod_md. The lines
are those of docs/acme-clients.md."""

import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from functools import partial
from pathlib import Path

from harness.acme import AcmeCase, tool
from harness.case import on_both
from harness.server import Context
from harness.tools import openssl


class Site:
    """A web server for a folder: what a webroot is served by."""

    def __init__(self, folder: Path, port: int):
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder)))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


def served(port: int, name: str, root: Path) -> str | None:
    """Serial of the certificate that a server shows for a name, trusted by our root; None while nobody answers."""
    context = ssl.create_default_context(cafile=str(root))
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            with context.wrap_socket(raw, server_hostname=name) as tls:
                der = tls.getpeercert(binary_form=True)
    except (OSError, ssl.SSLError):
        return None
    text = openssl("x509", "-inform", "DER", "-noout", "-serial", data=der).decode()
    return text.strip().removeprefix("serial=").lower()


@on_both
class Certbot(AcmeCase):
    """certbot of Debian."""

    def certbot(self, *arguments: object) -> str:
        """Runs it with folders of its own."""
        home = self.scratch / "certbot"
        folders = ["--config-dir", home / "c", "--work-dir", home / "w", "--logs-dir", home / "l"]
        env = {"REQUESTS_CA_BUNDLE": str(self.server.ca_file)}
        return self.run_tool(tool("certbot"), *arguments, *folders, "-n", env=env)

    def common(self) -> list[object]:
        return ["--server", self.url, "--agree-tos", "-m", "ops@example.com", "--no-eff-email"]

    def live(self, name: str) -> Path:
        return self.scratch / "certbot" / "c" / "live" / name

    def test_standalone_renews_and_revokes(self) -> None:
        standalone = ["--standalone", "--http-01-port", self.http_port]
        self.certbot("certonly", *standalone, *self.common(), "-d", "a.test", "-d", "b.test")
        for host in ("a.test", "b.test"):
            self.assert_chain(self.live("a.test") / "fullchain.pem", host)
        before = (self.live("a.test") / "cert.pem").read_text()
        self.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "a.test")
        self.assertNotEqual((self.live("a.test") / "cert.pem").read_text(), before)
        self.assertEqual(len(self.issued("b.test")), 2)
        self.certbot("update_account", "--server", self.url, "-m", "new@example.com", "--no-eff-email")
        accounts = self.curl.get("/v1/acme-accounts?directory=default").json["items"]
        self.assertIn(["mailto:new@example.com"], [account["contacts"] for account in accounts])
        revoke = ["--server", self.url, "--cert-name", "a.test", "--reason", "superseded"]
        self.certbot("revoke", *revoke, "--no-delete-after-revoke")
        newest = self.issued("b.test")[0]
        self.assertEqual((newest["status"], newest["revocationReason"]), ("REVOKED", "superseded"))
        # By the certificate's key, without the account: the key is known to others.
        self.certbot("certonly", *standalone, *self.common(), "-d", "k.test")
        live = self.live("k.test")
        by_key = ["--cert-path", live / "cert.pem", "--key-path", live / "privkey.pem", "--reason", "keycompromise"]
        self.certbot("revoke", "--server", self.url, *by_key, "--no-delete-after-revoke")
        self.assertEqual(self.issued("k.test")[0]["revocationReason"], "keyCompromise")

    def test_webroot(self) -> None:
        www = self.scratch / "www"
        www.mkdir()
        site = Site(www, self.http_port)
        self.addCleanup(site.close)
        self.certbot("certonly", "--webroot", "-w", www, *self.common(), "-d", "w.test")
        self.assert_chain(self.live("w.test") / "fullchain.pem", "w.test")

    def test_wildcard_by_updates_of_the_zone(self) -> None:
        credentials = self.scratch / "rfc2136.ini"
        credentials.write_text(
            f"dns_rfc2136_server = 127.0.0.1\ndns_rfc2136_port = {self.bind.port}\ndns_rfc2136_name = {self.bind.KEY}.\n"
            f"dns_rfc2136_secret = {self.bind.secret}\ndns_rfc2136_algorithm = HMAC-SHA256\n"
        )
        credentials.chmod(0o600)
        by_update = ["--dns-rfc2136", "--dns-rfc2136-credentials", credentials, "--dns-rfc2136-propagation-seconds", 1]
        self.certbot("certonly", *by_update, *self.common(), "-d", "*.wild.test", "-d", "wild.test")
        self.assert_chain(self.live("wild.test") / "fullchain.pem", "any.wild.test")
        self.assert_chain(self.live("wild.test") / "fullchain.pem", "wild.test")

    def test_bound_account_needs_no_challenge(self) -> None:
        kid, mac = self.binding("certbot", ["*.bound.test"])
        eab = ["--server", self.bound_url, "--eab-kid", kid, "--eab-hmac-key", mac]
        nobody_answers = ["--standalone", "--http-01-port", self.http_port]
        account = ["--agree-tos", "-m", "ops@example.com", "--no-eff-email"]
        self.certbot("certonly", *nobody_answers, *eab, *account, "-d", "a.bound.test")
        self.assert_chain(self.live("a.bound.test") / "fullchain.pem", "a.bound.test")

    def test_nginx_plugin_installs_renews_and_reloads(self) -> None:
        folder = self.scratch / "nginx"
        (folder / "www").mkdir(parents=True)
        (folder / "nginx.conf").write_text(
            f"pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;\n"
            + ("user root;\n" if os.geteuid() == 0 else "")
            + "events {}\nhttp {\n  access_log off;\n"
            + "".join(
                f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            + f"  server {{ listen 127.0.0.1:{self.http_port}; server_name ng.test; root {folder}/www; }}\n}}\n"
        )
        control = folder / "control.sh"
        control.write_text(f'#!/bin/sh\nexec {tool("nginx")} -c {folder}/nginx.conf "$@"\n')
        control.chmod(0o755)
        self.run_tool(control)
        self.addCleanup(subprocess.run, [control, "-s", "stop"], capture_output=True)
        plugin = ["--nginx", "--nginx-server-root", folder, "--nginx-ctl", control]
        plugin += ["--http-01-port", self.http_port, "--https-port", self.tls_port]
        self.certbot(*plugin, *self.common(), "-d", "ng.test")
        self.wait_for(lambda: served(self.tls_port, "ng.test", self.root_file))
        before = served(self.tls_port, "ng.test", self.root_file)
        self.assertEqual(before, self.issued("ng.test")[0]["serial"])
        hook = f"{control} -s reload"
        renew = ["--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "ng.test", "--deploy-hook", hook]
        self.certbot("renew", *renew)
        self.wait_for(lambda: served(self.tls_port, "ng.test", self.root_file) not in (None, before))
        self.assertEqual(served(self.tls_port, "ng.test", self.root_file), self.issued("ng.test")[0]["serial"])

    def wait_for(self, what, seconds: float = 30) -> None:
        """Waits until it is so."""
        deadline = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), deadline, "it did not come about")
            time.sleep(0.1)


@on_both
class Lego(AcmeCase):
    """lego of Debian."""

    def lego(self, *arguments: object, bound: bool = False, env: dict | None = None) -> str:
        # It keeps one account for each server, not for each directory.
        path = ["--path", self.scratch / ("bound" if bound else "lego")]
        server = self.bound_url if bound else self.url
        common = ["--server", server, "--email", "ops@example.com", "--accept-tos"]
        env = {"LEGO_CA_CERTIFICATES": str(self.server.ca_file), **(env or {})}
        return self.run_tool(tool("lego"), *common, *path, *arguments, env=env)

    def chain(self, name: str) -> Path:
        return self.scratch / "lego" / "certificates" / f"{name}.crt"

    def test_http_renew_revoke(self) -> None:
        http = ["--http", "--http.port", f"127.0.0.1:{self.http_port}", "--domains", "h.test"]
        self.lego(*http, "run")
        self.assert_chain(self.chain("h.test"), "h.test")
        self.lego(*http, "renew", "--days", 9999, "--no-random-sleep")
        self.assertEqual(len(self.issued("h.test")), 2)
        self.lego(*http, "revoke", "--reason", 1)
        self.assertEqual(self.issued("h.test")[0]["revocationReason"], "keyCompromise")

    def test_tls_alpn(self) -> None:
        self.lego("--tls", "--tls.port", f"127.0.0.1:{self.tls_port}", "--domains", "t.test", "run")
        self.assert_chain(self.chain("t.test"), "t.test")

    def test_wildcard_by_updates_of_the_zone(self) -> None:
        env = {
            "RFC2136_NAMESERVER": f"127.0.0.1:{self.bind.port}",
            "RFC2136_TSIG_KEY": self.bind.KEY,
            "RFC2136_TSIG_SECRET": self.bind.secret,
            "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
            "RFC2136_DNS_TIMEOUT": "5",
        }
        dns = ["--dns", "rfc2136", "--dns.disable-cp", "--dns.resolvers", f"127.0.0.1:{self.bind.port}"]
        self.lego(*dns, "--domains", "*.lego.test", "run", env=env)
        self.assert_chain(self.scratch / "lego" / "certificates" / "_.lego.test.crt", "any.lego.test")

    def test_bound_account_needs_no_challenge(self) -> None:
        kid, mac = self.binding("lego", ["*.bound.test"])
        http = ["--http", "--http.port", f"127.0.0.1:{self.http_port}", "--domains", "l.bound.test"]
        self.lego("--eab", "--kid", kid, "--hmac", mac, *http, "run", bound=True)
        self.assert_chain(self.scratch / "bound" / "certificates" / "l.bound.test.crt", "l.bound.test")


@on_both
class Dehydrated(AcmeCase):
    """dehydrated of Debian."""

    def test_register_issue_revoke(self) -> None:
        folder = self.scratch / "dehydrated"
        www = folder / "www" / ".well-known" / "acme-challenge"
        www.mkdir(parents=True)
        site = Site(folder / "www", self.http_port)
        self.addCleanup(site.close)
        config = folder / "config"
        config.write_text(
            f'CA="{self.url}"\nBASEDIR="{folder}"\nWELLKNOWN="{www}"\nCURL_OPTS="--cacert {self.server.ca_file}"\n'
            "KEY_ALGO=secp384r1\n"
        )
        program = [tool("dehydrated"), "--config", config]
        self.run_tool(*program, "--register", "--accept-terms")
        self.run_tool(*program, "--cron", "--domain", "d.test")
        chain = folder / "certs" / "d.test" / "fullchain.pem"
        self.assert_chain(chain, "d.test")
        self.run_tool(*program, "--revoke", folder / "certs" / "d.test" / "cert.pem")
        self.assertEqual(self.issued("d.test")[0]["status"], "REVOKED")

    def without_challenge(self, url: str, name: str, more: str, curl: str = "") -> None:
        """A certificate with nobody on port 80."""
        folder = self.scratch / f"dehydrated-{name}"
        (folder / "www").mkdir(parents=True)
        options = f"--cacert {self.server.ca_file} {curl}".strip()
        config = folder / "config"
        config.write_text(
            f'CA="{url}"\nBASEDIR="{folder}"\nWELLKNOWN="{folder}/www"\nCURL_OPTS="{options}"\nKEY_ALGO=secp384r1\n{more}\n'
        )
        program = [tool("dehydrated"), "--config", config]
        self.run_tool(*program, "--register", "--accept-terms")
        self.run_tool(*program, "--cron", "--domain", name)
        self.assert_chain(folder / "certs" / name / "fullchain.pem", name)

    def test_bound_account_needs_no_challenge(self) -> None:
        kid, mac = self.binding("dehydrated", ["*.bound.test"])
        self.without_challenge(self.bound_url, "y.bound.test", f'EAB_KID="{kid}"\nEAB_HMAC_KEY="{mac}"')

    def test_a_machine_with_a_certificate_needs_no_challenge(self) -> None:
        url = self.directory("machines", clientCertificates=True)
        trust = {
            "name": "machines",
            "ca": "issuing-1",
            "certificateNames": ["*.machines.test"],
            "names": ["${claim.name:dots}"],
        }
        self.house.made(self.curl.post("/v1/certificate-trusts", trust))
        made = self.house.issue("issuing-1", "m", ["m.machines.test"], profile="tls-client")
        chain, key = self.scratch / "machine.pem", self.scratch / "machine.key"
        chain.write_text(made["chain"])
        key.write_text(made["privateKey"])
        self.without_challenge(url, "m.machines.test", "", f"--cert {chain} --key {key}")
        # Without the certificate somebody must answer on port 80, and nobody does.
        with self.assertRaises(AssertionError):
            self.without_challenge(url, "n.machines.test", "")


@on_both
class Uacme(AcmeCase):
    """uacme of Debian: addresses, key change, revocation, deactivation, bindings."""

    HOOK = """#!/bin/sh
# METHOD TYPE IDENT TOKEN AUTH
case "$2" in http-01) ;; *) exit 1 ;; esac
case "$1" in
    begin) printf %s "$5" > "{www}/$4" ;;
    done | failed) rm -f "{www}/$4" ;;
esac
"""

    def uacme(self, *arguments: object, home: str = "uacme", server: str | None = None) -> str:
        """It knows the system's CA certificates alone: for its time, those are the server's."""
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        script = f'mount --bind "{self.server.ca_file}" {bundle} && exec "$@"'
        private = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        common = [tool("uacme"), "-v", "-y", "-a", server or self.url, "-c", self.scratch / home]
        return self.run_tool(*private, "sh", "-c", script, "sh", *common, *arguments)

    def test_everything_it_can(self) -> None:
        www = self.scratch / "www" / ".well-known" / "acme-challenge"
        www.mkdir(parents=True)
        site = Site(self.scratch / "www", self.http_port)
        self.addCleanup(site.close)
        hook = self.scratch / "hook.sh"
        hook.write_text(self.HOOK.format(www=www))
        hook.chmod(0o755)
        self.uacme("new", "ops@example.com")
        self.uacme("-h", hook, "issue", "u.test", "v.test")
        self.assert_chain(self.scratch / "uacme" / "u.test" / "cert.pem", "v.test")
        self.uacme("-h", hook, "issue", "127.0.0.1")
        text = openssl("x509", "-noout", "-text", "-in", self.scratch / "uacme" / "127.0.0.1" / "cert.pem").decode()
        self.assertIn("IP Address:127.0.0.1", text)
        self.uacme("newkey")
        self.uacme("-f", "-h", hook, "issue", "u.test", "v.test")
        self.assertEqual(len(self.issued("v.test")), 2)
        self.uacme("-r", 4, "revoke", self.scratch / "uacme" / "u.test" / "cert.pem")
        self.assertEqual(self.issued("v.test")[0]["revocationReason"], "superseded")
        self.uacme("deactivate")
        accounts = self.curl.get("/v1/acme-accounts?directory=default").json["items"]
        self.assertIn("deactivated", [account["status"] for account in accounts])

    def test_bound_account_needs_no_challenge(self) -> None:
        kid, mac = self.binding("uacme", ["*.bound.test"])
        self.uacme("-e", f"{kid}:{mac}", "new", home="bound", server=self.bound_url)
        self.uacme("issue", "u.bound.test", home="bound", server=self.bound_url)
        self.assert_chain(self.scratch / "bound" / "u.bound.test" / "cert.pem", "u.bound.test")


class AcmeTiny(AcmeCase):
    """acme-tiny of Debian: the smallest of all, with an RSA key."""

    def test_issue(self) -> None:
        folder = self.scratch / "tiny"
        www = folder / "www" / ".well-known" / "acme-challenge"
        www.mkdir(parents=True)
        site = Site(folder / "www", self.http_port)
        self.addCleanup(site.close)
        openssl("genrsa", "-out", folder / "account.key", "2048")
        openssl("genrsa", "-out", folder / "site.key", "2048")
        names = ["-addext", "subjectAltName=DNS:tiny.test"]
        openssl("req", "-new", "-key", folder / "site.key", "-subj", "/CN=tiny.test", *names, "-out", folder / "site.csr")
        command = [tool("acme-tiny"), "--account-key", folder / "account.key", "--csr", folder / "site.csr"]
        command += ["--acme-dir", www, "--directory-url", self.url, "--disable-check"]
        chain = folder / "chain.pem"
        chain.write_text(self.run_tool(*command, "--quiet", env={"SSL_CERT_FILE": str(self.server.ca_file)}))
        self.assert_chain(chain, "tiny.test")


class Caddy(AcmeCase):
    """Caddy gets its certificate by itself, by tls-alpn-01."""

    def test_serves_with_our_certificate(self) -> None:
        folder = self.scratch / "caddy"
        folder.mkdir()
        (folder / "Caddyfile").write_text(
            f"{{\n  acme_ca {self.url}\n  acme_ca_root {self.server.ca_file}\n  email ops@example.com\n  admin off\n"
            f"  http_port {self.http_port}\n  https_port {self.tls_port}\n  storage file_system {folder}/data\n"
            f"  skip_install_trust\n}}\ncaddy.test {{\n  bind 127.0.0.1\n  respond ok\n}}\n"
        )
        log = open(folder / "log", "wb")
        command = [tool("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
        env = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        caddy = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        self.addCleanup(caddy.wait, 30)
        self.addCleanup(caddy.terminate)
        deadline = time.monotonic() + 90
        while served(self.tls_port, "caddy.test", self.root_file) is None:
            written = (folder / "log").read_text()[-4000:]
            self.assertLess(time.monotonic(), deadline, written)
            self.assertIsNone(caddy.poll(), written)
            time.sleep(0.2)
        self.assertEqual(served(self.tls_port, "caddy.test", self.root_file), self.issued("caddy.test")[0]["serial"])


class ModMd(AcmeCase):
    """Apache's mod_md gets its certificate by itself."""

    def test_serves_with_our_certificate(self) -> None:
        folder = self.scratch / "apache"
        for part in ("www", "md", "run"):
            (folder / part).mkdir(parents=True)
        # Apache gives up being root, and reads this afterwards.
        trusted = folder / "server-ca.pem"
        shutil.copyfile(self.server.ca_file, trusted)
        modules = "/usr/lib/apache2/modules"
        loaded = "".join(
            f"LoadModule {name}_module {modules}/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "ssl", "socache_shmcb", "watchdog", "md", "unixd")
            if Path(f"{modules}/mod_{name}.so").exists()
        )
        (folder / "httpd.conf").write_text(
            loaded
            + ("User www-data\nGroup www-data\n" if os.geteuid() == 0 else "")
            + f"ServerRoot {folder}\nDefaultRuntimeDir {folder}/run\nPidFile {folder}/run/pid\nErrorLog {folder}/error.log\n"
            f"LogLevel md:info\nListen 127.0.0.1:{self.http_port}\nListen 127.0.0.1:{self.tls_port}\nServerName md.test\n"
            f"MDStoreDir {folder}/md\nMDCertificateAuthority {self.url}\nMDCACertificateFile {trusted}\n"
            f"MDCertificateAgreement accepted\nMDContactEmail ops@example.com\nMDRetryDelay 5s\n"
            f"MDPortMap http:{self.http_port} https:{self.tls_port}\nMDomain md.test\n"
            f"<VirtualHost *:{self.http_port}>\nServerName md.test\nDocumentRoot {folder}/www\n</VirtualHost>\n"
            f"<VirtualHost *:{self.tls_port}>\nServerName md.test\nSSLEngine on\nProtocols http/1.1 acme-tls/1\n"
            f"DocumentRoot {folder}/www\n</VirtualHost>\n"
        )
        if os.geteuid() == 0:
            for path in (self.scratch, folder, folder / "md"):
                path.chmod(0o755)
            shutil.chown(folder / "md", "www-data")
        control = [tool("apache2"), "-f", str(folder / "httpd.conf")]
        apache = subprocess.Popen([*control, "-D", "FOREGROUND"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(apache.wait, 30)
        self.addCleanup(apache.terminate)
        deadline = time.monotonic() + 90
        while not self.issued("md.test"):
            written = (folder / "error.log").read_text()[-6000:] if (folder / "error.log").exists() else ""
            self.assertLess(time.monotonic(), deadline, f"{written}\n{self.server.log()[-3000:]}")
            self.assertIsNone(apache.poll(), written)
            time.sleep(0.3)
        # It is taken into use by a graceful restart, as Apache says itself.
        while served(self.tls_port, "md.test", self.root_file) is None:
            self.assertLess(time.monotonic(), deadline, (folder / "error.log").read_text()[-6000:])
            subprocess.run([*control, "-k", "graceful"], capture_output=True)
            time.sleep(1)
        self.assertEqual(served(self.tls_port, "md.test", self.root_file), self.issued("md.test")[0]["serial"])


if Context.long:

    class NpmAcmeClient(AcmeCase):
        """The package `acme-client` of npm, where Node is there (`--long`)."""

        SCRIPT = """
const acme = require('acme-client'), http = require('http'), fs = require('fs');
(async () => {
    const shown = {};
    const server = http.createServer((request, response) => response.end(shown[request.url.split('/').pop()] || ''));
    await new Promise((done) => server.listen(+process.env.HTTP_PORT, '127.0.0.1', done));
    const client = new acme.Client({directoryUrl: process.env.DIRECTORY, accountKey: await acme.crypto.createPrivateEcdsaKey()});
    const [key, csr] = await acme.crypto.createCsr({commonName: 'npm.test', altNames: ['npm.test', 'other.npm.test']});
    const chain = await client.auto({
        csr, email: 'ops@example.com', termsOfServiceAgreed: true, challengePriority: ['http-01'], skipChallengeVerification: true,
        challengeCreateFn: async (_, challenge, proof) => { shown[challenge.token] = proof; },
        challengeRemoveFn: async (_, challenge) => { delete shown[challenge.token]; },
    });
    fs.writeFileSync('chain.pem', chain);
    await client.updateAccountKey(await acme.crypto.createPrivateRsaKey());
    await client.revokeCertificate(chain.split(/(?=-----BEGIN)/)[0], {reason: 4});
    await client.updateAccount({status: 'deactivated'});
    server.close();
})().catch((error) => { console.error(error); process.exit(1); });
"""

        def test_orders_changes_its_key_revokes(self) -> None:
            folder = self.scratch / "npm"
            folder.mkdir()
            (folder / "package.json").write_text('{"private": true, "dependencies": {"acme-client": "5.4.0"}}')
            (folder / "client.js").write_text(self.SCRIPT)
            self.run_tool(shutil.which("npm"), "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent")
            env = {
                "NODE_EXTRA_CA_CERTS": str(self.server.ca_file),
                "DIRECTORY": self.url,
                "HTTP_PORT": str(self.http_port),
                "PATH": os.environ["PATH"],
            }
            node = ["sh", "-c", 'cd "$0" && exec node client.js', folder]
            self.run_tool(*node, env=env)
            self.assert_chain(folder / "chain.pem", "other.npm.test")
            newest = self.issued("npm.test")[0]
            self.assertEqual((newest["status"], newest["revocationReason"]), ("REVOKED", "superseded"))
