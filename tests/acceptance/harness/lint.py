"""pkilint inside this process: 26 ms per certificate instead of a second per program start."""

import functools
from dataclasses import dataclass

from pkilint import finding_filter, loader
from pkilint import pkix as pkix_base
from pkilint.bin import lint_pkix_signer_signee_cert_chain as pair_linter
from pkilint.cabf import serverauth
from pkilint.cabf.serverauth import serverauth_constants
from pkilint.pkix import certificate, extension, name
from pkilint.pkix import crl as crl_linter
from pkilint.validation import ValidationFindingSeverity


@dataclass(frozen=True)
class Finding:
    """One finding, its place and its severity."""

    severity: str
    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity} {self.code} at {self.path}: {self.message}"


def _findings(results, threshold=ValidationFindingSeverity.WARNING) -> list[Finding]:
    """Findings of at least this severity (smaller numbers are worse in pkilint)."""
    return [
        Finding(d.finding.severity.name, d.finding.code, str(r.node.path), d.message or "")
        for r in results
        for d in r.finding_descriptions
        if d.finding.severity <= threshold
    ]


@functools.cache
def _pkix():
    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )


def pkix(pem: str) -> list[Finding]:
    """What `lint_pkix_cert` reports at WARNING or worse."""
    loaded = loader.RFC5280CertificateDocumentLoader().load_pem_document(pem, "certificate")
    return _findings(_pkix().validate(loaded.root))


def cabf(pem: str, kind: str = "DV-FINAL-CERTIFICATE") -> list[Finding]:
    """What `lint_cabf_serverauth_cert` reports at WARNING or worse."""
    wanted = serverauth_constants.CertificateType.from_option_str(kind)
    loaded = loader.RFC5280CertificateDocumentLoader().load_pem_document(pem, "certificate")
    container = certificate.create_pkix_certificate_validator_container(
        serverauth.create_decoding_validators(), serverauth.create_validators(wanted)
    )
    results, _ = finding_filter.filter_results(
        serverauth.create_serverauth_finding_filters(wanted), container.validate(loaded.root)
    )
    return _findings(results)


def pair(issuer: str, subject: str) -> list[Finding]:
    """What `lint_pkix_signer_signee_cert_chain` reports: names, key identifiers, signature."""
    documents: dict = {}
    load = loader.RFC5280CertificateDocumentLoader().load_pem_document
    documents["issuer"] = load(issuer, "issuer", "issuer", documents)
    documents["subject"] = load(subject, "subject", "subject", documents)
    decoding = pair_linter.create_decoder_validation_container()
    results = decoding.validate(documents["issuer"].root)
    results += decoding.validate(documents["subject"].root)
    results += pair_linter.create_issuer_validation_container().validate(documents["issuer"].root)
    results += pair_linter.create_subject_validation_container().validate(documents["subject"].root)
    return _findings(results)


@functools.cache
def _crl():
    return crl_linter.create_pkix_crl_validator_container(
        [
            pkix_base.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix_base.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl_linter.create_issuer_validator_container([]),
            crl_linter.create_validity_validator_container([]),
            crl_linter.create_extensions_validator_container([]),
        ],
    )


def crl(pem: str) -> list[Finding]:
    """What `lint_crl --profile PKIX` reports at WARNING or worse."""
    loaded = loader.RFC5280CertificateListDocumentLoader().load_pem_document(pem, "crl")
    return _findings(_crl().validate(loaded.root))
