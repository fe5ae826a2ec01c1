"""Other people's tools: openssl, certtool, and certificates with faults that we would never make ourselves."""

import datetime
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SUBJECT_A = (
    "/C=KR/ST=Seongnam-si/L=Bundang-gu/O=DDIM/OU=Engineer/emailAddress=example@example.com/CN=service-a.example.com"
)
SUBJECT_B = SUBJECT_A.replace("service-a", "service-b")


def run(*command: object, data: bytes | None = None) -> subprocess.CompletedProcess:
    """Runs a program; the exit status is the caller's business."""
    return subprocess.run(
        [str(c) for c in command], input=data if data is not None else b"", capture_output=True, timeout=60
    )


def openssl(*arguments: object, data: bytes | None = None) -> bytes:
    """Runs openssl, which must succeed; its standard output."""
    done = run("openssl", *arguments, data=data)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(map(str, arguments))}: {done.stderr.decode()}")
    return done.stdout


def pem_blocks(text: str) -> list[str]:
    """The PEM blocks of a text, each with its own lines only."""
    return [b + "\n" for b in re.findall(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", text, re.DOTALL)]


def describe(certificate: Path | str) -> str:
    """`openssl x509 -text` of a file or of PEM text, names in the order of the certificate."""
    data = certificate.encode() if isinstance(certificate, str) else certificate.read_bytes()
    return openssl("x509", "-noout", "-text", "-nameopt", "oneline,-esc_msb,utf8", data=data).decode()


NEW_KEY = {
    "ECDSA_P256": ("ec", "ec_paramgen_curve:P-256"),
    "ECDSA_P384": ("ec", "ec_paramgen_curve:P-384"),
    "ECDSA_P521": ("ec", "ec_paramgen_curve:P-521"),
    "RSA_2048": ("rsa", "rsa_keygen_bits:2048"),
    "RSA_1024": ("rsa", "rsa_keygen_bits:1024"),
    "ED25519": ("ed25519", None),
}


def new_key(folder: Path, name: str, algorithm: str = "ECDSA_P256") -> Path:
    """A private key made by openssl."""
    kind, option = NEW_KEY[algorithm]
    path = folder / f"{name}.key"
    openssl("genpkey", "-algorithm", kind, *(["-pkeyopt", option] if option else []), "-out", path)
    return path


def new_csr(
    folder: Path,
    name: str,
    subject: str,
    san: str | None = None,
    *,
    algorithm: str = "ECDSA_P256",
    more: tuple[str, ...] = (),
) -> tuple[Path, Path]:
    """Key and CSR by `openssl req`; `san` as in `DNS:a.example.com,IP:10.0.0.5`."""
    key, csr = new_key(folder, name, algorithm), folder / f"{name}.csr"
    extensions = ["-addext", f"subjectAltName={san}"] if san else []
    openssl("req", "-new", "-key", key, "-subj", subject, "-utf8", *extensions, *more, "-out", csr)
    return key, csr


def verify_openssl(
    root: Path, chain: Path | None, leaf: Path, *, host: str | None = None, purpose: str | None = None
) -> str | None:
    """`openssl verify -x509_strict`; None when accepted, else its words."""
    command: list[object] = ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", root]
    command += ["-untrusted", chain] if chain else []
    command += ["-verify_hostname", host] if host else []
    command += ["-purpose", purpose] if purpose else []
    done = run(*command, leaf)
    return None if done.returncode == 0 else (done.stdout + done.stderr).decode()


PURPOSES = {"sslserver": "1.3.6.1.5.5.7.3.1", "sslclient": "1.3.6.1.5.5.7.3.2"}


def verify_gnutls(root: Path, chain: Path, *, host: str | None = None, purpose: str | None = None) -> str | None:
    """`certtool --verify` of a chain (leaf first); None when accepted, else its words."""
    command: list[object] = [
        "certtool",
        "--verify",
        "--verify-profile=medium",
        "--load-ca-certificate",
        root,
        "--infile",
        chain,
    ]
    command += ["--verify-hostname", host] if host else []
    command += ["--verify-purpose", PURPOSES[purpose]] if purpose else []
    done = run(*command)
    out = (done.stdout + done.stderr).decode()
    return None if done.returncode == 0 and "Chain verification output: Verified." in out else out


def verify_pyca(root: str, chain: list[str], *, host: str | None = None) -> str | None:
    """pyca/cryptography's verifier, for a server when `host` is given, else for a client; None when accepted."""
    from cryptography import x509
    from cryptography.x509 import verification

    leaf, *others = [x509.load_pem_x509_certificate(pem.encode()) for pem in chain]
    builder = verification.PolicyBuilder().store(verification.Store([x509.load_pem_x509_certificate(root.encode())]))
    try:
        if host:
            builder.build_server_verifier(x509.DNSName(host)).verify(leaf, others)
        else:
            builder.build_client_verifier().verify(leaf, others)
    except verification.VerificationError as refused:
        return str(refused)
    return None


@dataclass
class OpensslCa:
    """A chain made by the openssl command line, for certificates with a fault: root, constrained subordinate."""

    folder: Path

    def __post_init__(self):
        self.folder.mkdir(exist_ok=True)
        self.root = self._ca("root", None, "basicConstraints=critical,CA:TRUE")
        self.sub = self._ca(
            "sub",
            "root",
            "basicConstraints=critical,CA:TRUE,pathlen:0\nnameConstraints=critical,permitted;DNS:example.com",
        )

    def _ca(self, name: str, issuer: str | None, extensions: str) -> Path:
        new_csr(self.folder, name, f"/O=DDIM/CN=openssl {name}")
        text = f"{extensions}\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
        return self._sign(name, issuer, text, days=3650)

    def _sign(self, name: str, issuer: str | None, extensions: str, *, days: int) -> Path:
        if issuer:
            extensions += "authorityKeyIdentifier=keyid:always\n"
        (self.folder / f"{name}.ext").write_text(extensions)
        out = self.folder / f"{name}.pem"
        signer = (
            ["-CA", self.folder / f"{issuer}.pem", "-CAkey", self.folder / f"{issuer}.key"]
            if issuer
            else ["-signkey", self.folder / f"{name}.key"]
        )
        openssl(
            "x509",
            "-req",
            "-in",
            self.folder / f"{name}.csr",
            *signer,
            "-days",
            days,
            "-sha256",
            "-set_serial",
            f"0x{abs(hash(name)) + 1:x}",
            "-extfile",
            self.folder / f"{name}.ext",
            "-out",
            out,
        )
        return out

    def leaf(self, name: str, san: str, *, usage: str = "serverAuth", expired: bool = False) -> Path:
        """A leaf below the constrained subordinate; nothing is refused here."""
        new_csr(self.folder, name, f"/O=DDIM/CN={name}")
        text = (
            f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
            f"subjectKeyIdentifier=hash\nsubjectAltName={san}\n"
        )
        out = self._sign(name, "sub", text, days=30)
        if expired:
            self._backdate(out)
        return out

    def _backdate(self, leaf: Path) -> None:
        """Signs the leaf anew so that it ended yesterday; openssl's command line cannot."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization

        old = x509.load_pem_x509_certificate(leaf.read_bytes())
        key = serialization.load_pem_private_key((self.folder / "sub.key").read_bytes(), None)
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer).public_key(old.public_key())
        )
        builder = builder.serial_number(old.serial_number).not_valid_before(now - datetime.timedelta(days=9))
        builder = builder.not_valid_after(now - datetime.timedelta(days=1))
        for extension in old.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        leaf.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def chain(self, leaf: Path) -> Path:
        """Leaf and subordinate in one file."""
        out = leaf.with_suffix(".chain")
        out.write_text(leaf.read_text() + self.sub.read_text())
        return out
