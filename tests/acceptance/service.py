#!/usr/bin/env python3
"""A small HTTPS service of the standard library, for the mutual TLS tests.

    service.py NAME PORT CERTIFICATE KEY [--client-ca FILE] [--peer HOST:PORT] [--peer-ca FILE]

`/` names the service and the caller's certificate. `/call?certificate=yes&root=yes` calls the peer with or without the
service's own certificate, with or without the root to verify against, and answers what came of it.
"""

import argparse
import http.client
import json
import socket
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

parser = argparse.ArgumentParser()
for argument in ("name", "port", "certificate", "key"):
    parser.add_argument(argument)
for option in ("--client-ca", "--peer", "--peer-ca"):
    parser.add_argument(option)
options = parser.parse_args()


def call_peer(with_certificate: bool, with_root: bool) -> dict:
    """GET / of the peer; the peer's answer or why there was none."""
    host, port = options.peer.split(":")
    context = ssl.create_default_context(cafile=options.peer_ca if with_root else None)
    if with_certificate:
        context.load_cert_chain(options.certificate, options.key)
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname=host) as secured:
                connection = http.client.HTTPConnection(host)
                connection.sock = secured
                connection.request("GET", "/")
                return {"answered": True, "peer": json.loads(connection.getresponse().read())}
    except (ssl.SSLError, OSError, http.client.HTTPException) as error:
        return {"answered": False, "error": f"{type(error).__name__}: {error}"}


class Handler(BaseHTTPRequestHandler):
    """Answers the two paths."""

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/call":
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            answer = call_peer(query.get("certificate") == "yes", query.get("root") == "yes")
        else:
            peer = self.connection.getpeercert() or {}
            subject = dict(pair for rdn in peer.get("subject", ()) for pair in rdn)
            answer = {"service": options.name, "caller": subject.get("commonName"), "tls": self.connection.version()}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Service(ThreadingHTTPServer):
    """Shakes hands in the connection's own thread, so that a refused client does not end the service."""

    daemon_threads = True

    def finish_request(self, request, address):
        request.settimeout(10)
        secured = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        try:
            secured.do_handshake()
            self.RequestHandlerClass(secured, address, self)
        except (ssl.SSLError, OSError):
            # Closing with unread bytes would reset the connection and lose the alert that says why.
            try:
                secured.shutdown(socket.SHUT_WR)
                while secured.recv(4096):
                    pass
            except OSError:
                pass
        finally:
            secured.close()


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(options.certificate, options.key)
if options.client_ca:
    context.load_verify_locations(options.client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
Service(("127.0.0.1", int(options.port)), Handler).serve_forever()
