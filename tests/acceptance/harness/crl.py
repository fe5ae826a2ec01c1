"""Revocation lists as clients meet them: through the URLs that stand in certificates, over plain HTTP."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from harness import tools
from harness.curl import Response, run_curl


def load(pem: str) -> x509.Certificate:
    """The first certificate of a PEM text."""
    return x509.load_pem_x509_certificate(pem.encode())


def crl_urls(pem: str) -> list[str]:
    """The addresses in crlDistributionPoints; none for a root."""
    return _points(load(pem).extensions, ExtensionOID.CRL_DISTRIBUTION_POINTS)


def delta_urls(crl: x509.CertificateRevocationList) -> list[str]:
    """The addresses in freshestCRL of a full list."""
    return _points(crl.extensions, ExtensionOID.FRESHEST_CRL)


def issuer_urls(pem: str) -> list[str]:
    """The addresses of caIssuers in authorityInfoAccess."""
    try:
        access = load(pem).extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_INFORMATION_ACCESS).value
    except x509.ExtensionNotFound:
        return []
    return [a.access_location.value for a in access if a.access_method == AuthorityInformationAccessOID.CA_ISSUERS]


def _points(extensions, oid) -> list[str]:
    try:
        points = extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return []
    return [name.value for point in points for name in point.full_name or []]


def get(url: str, *extra: str) -> Response:
    """GET by curl, as anybody does it: without a token, over plain HTTP."""
    if not url.startswith("http://"):
        raise AssertionError(f"{url} is not for clients that do not trust us yet")
    return run_curl(["curl", "--silent", "--show-error", "--max-time", "60", *extra, url])


def fetch(url: str, *extra: str) -> bytes:
    """The bytes behind an address, which must be there."""
    answer = get(url, *extra)
    if answer.status != 200:
        raise AssertionError(f"expected 200:\n{answer}")
    return answer.body


def fetch_crl(url: str, *extra: str) -> x509.CertificateRevocationList:
    """The list behind an address."""
    return x509.load_der_x509_crl(fetch(url, *extra))


def number(crl: x509.CertificateRevocationList) -> int:
    """cRLNumber."""
    return crl.extensions.get_extension_for_oid(ExtensionOID.CRL_NUMBER).value.crl_number


def serials(crl: x509.CertificateRevocationList) -> set[int]:
    """Every serial on it."""
    return {entry.serial_number for entry in crl}


def pem(crl: x509.CertificateRevocationList) -> str:
    """As PEM."""
    return crl.public_bytes(Encoding.PEM).decode()


def wait_for(what: str, condition, seconds: float = 60):
    """What `condition` gives once it gives something; lists are made in the background."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


def wait_listed(url: str, *serial: str, absent: bool = False) -> x509.CertificateRevocationList:
    """The list behind an address once it has these serials (hex), or once it has none of them."""
    wanted = {int(one, 16) for one in serial}

    def look():
        answer = get(url)
        if answer.status != 200:
            return None
        crl = x509.load_der_x509_crl(answer.body)
        seen = wanted & serials(crl)
        # In a list of its own: an empty revocation list counts as false.
        return [crl] if seen == (set() if absent else wanted) else None

    return wait_for(f"{serial} {'gone from' if absent else 'on'} {url}", look)[0]


@dataclass
class Chain:
    """A certificate with everything that its own URLs lead to: issuers up to the root, and each one's list."""

    certificates: list[str]
    crls: list[x509.CertificateRevocationList]

    @classmethod
    def follow(cls, leaf: str, *extra: str) -> "Chain":
        """Walks from the leaf up: caIssuers, then crlDistributionPoints, until a certificate names no issuer."""
        certificates, crls = [leaf], []
        while issuers := issuer_urls(certificates[-1]):
            crls += [fetch_crl(url, *extra) for url in crl_urls(certificates[-1])]
            issuer = x509.load_der_x509_certificate(fetch(issuers[0], *extra))
            certificates.append(issuer.public_bytes(Encoding.PEM).decode())
        return cls(certificates, crls)

    def save(self, folder: Path, name: str) -> "Files":
        """As files for the tools."""
        files = Files(*(folder / f"{name}.{end}" for end in ("leaf", "between", "root", "chain", "crls")))
        files.leaf.write_text(self.certificates[0])
        files.between.write_text("".join(self.certificates[1:-1]))
        files.root.write_text(self.certificates[-1])
        files.chain.write_text("".join(self.certificates))
        files.crls.write_text("".join(pem(crl) for crl in self.crls))
        return files


@dataclass
class Files:
    """PEM files: leaf, CAs between, root, all of them, and the lists."""

    leaf: Path
    between: Path
    root: Path
    chain: Path
    crls: Path


def verify_openssl(files: Files, *options: object) -> str | None:
    """`openssl verify -crl_check_all -x509_strict`; None when accepted, else its words."""
    command: list[object] = ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-crl_check_all"]
    command += [*options, "-CAfile", files.root, "-CRLfile", files.crls]
    command += ["-untrusted", files.between] if files.between.read_text() else []
    done = tools.run(*command, files.leaf)
    return None if done.returncode == 0 else (done.stdout + done.stderr).decode()


def verify_gnutls(files: Files) -> str | None:
    """`certtool --verify --load-crl`; None when accepted, else its words."""
    done = tools.run(
        "certtool", "--verify", "--verify-profile=medium", "--load-ca-certificate", files.root,
        "--load-crl", files.crls, "--infile", files.chain,
    )  # fmt: skip
    out = (done.stdout + done.stderr).decode()
    return None if done.returncode == 0 and "Chain verification output: Verified." in out else out


def reasons_of(crl: x509.CertificateRevocationList) -> dict[int, str]:
    """What openssl reads of each entry: serial and reason (`unspecified` where none is given)."""
    text = tools.openssl("crl", "-noout", "-text", data=pem(crl).encode()).decode()
    found = {}
    for block in text.split("Serial Number: ")[1:]:
        reason = re.search(r"CRL Reason Code:\s*\n\s*(.+)", block)
        found[int(block.split()[0], 16)] = reason.group(1).strip() if reason else "unspecified"
    return found
