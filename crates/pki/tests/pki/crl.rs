//! CRLs of ours: what is asked for stands in them, and nobody else's CRL passes for one.

use crate::support::*;
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::revocation::{CrlEntry, CrlNumber, EntryKind, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_domain::time::{Span, Timestamp};
use certwright_pki::{Certificate, Crl, CrlBuilder, CrlHeader, CrlKind, Error, PreparedCrl, read_crl, to_pem};
use proptest::prelude::*;
use std::sync::OnceLock;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// A CA, whose certificate takes a while to make.
pub(crate) struct Ca {
    pub(crate) key: TestKey,
    pub(crate) certificate: Certificate,
}

impl Ca {
    pub(crate) fn new(algorithm: KeyAlgorithm) -> Self {
        let key = TestKey::new(algorithm);
        Self { certificate: root(&key), key }
    }

    pub(crate) fn sign(&self, prepared: PreparedCrl) -> Result<Crl, Error> {
        let signature = self.key.sign(self.key.algorithm, prepared.tbs());
        prepared.finish(&signature)
    }

    pub(crate) fn prepare(&self, header: &CrlHeader, entries: &[CrlEntry]) -> Result<PreparedCrl, Error> {
        let mut builder = CrlBuilder::new(&self.certificate, self.key.algorithm, header.clone())?;
        entries.iter().try_for_each(|entry| builder.push(entry))?;
        builder.finish_tbs()
    }

    pub(crate) fn issue(&self, header: &CrlHeader, entries: &[CrlEntry]) -> Crl {
        self.sign(self.prepare(header, entries).unwrap()).unwrap()
    }
}

/// One CA for the tests that need any.
fn ca() -> &'static Ca {
    static CA: OnceLock<Ca> = OnceLock::new();
    CA.get_or_init(|| Ca::new(KeyAlgorithm::EcdsaP256))
}

pub(crate) fn full() -> CrlHeader {
    CrlHeader {
        number: 7,
        this_update: now(),
        next_update: now().plus(Span::from_days(7)),
        kind: CrlKind::Full { freshest: Vec::new() },
        distribution_point: Vec::new(),
    }
}

pub(crate) fn delta() -> CrlHeader {
    CrlHeader { kind: CrlKind::Delta { base: 5 }, ..full() }
}

pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub(crate) fn entry(serial: &str, kind: EntryKind) -> CrlEntry {
    CrlEntry { serial: Serial::parse(serial).unwrap(), revoked_at: now(), kind }
}

pub(crate) const COMPROMISED: EntryKind = EntryKind::Revoked(RevocationReason::KeyCompromise);

/// One entry for each reason, with serials of many lengths.
pub(crate) fn every_reason() -> Vec<CrlEntry> {
    let serials =
        ["1", "7f", "80", "ff", "0100", "8000", "ff00ff00ff00ff00ff", "ffffffffffffffffffffffffffffffffffffff"];
    let serials = serials.into_iter().chain(["7fffffffffffffffffffffffffffffffffffffff"]);
    let of = |(serial, reason): (&str, &RevocationReason)| entry(serial, EntryKind::Revoked(*reason));
    serials.zip(RevocationReason::ALL).map(of).collect()
}

#[test]
fn smoke() {
    let folder = crate::openssl::Folder::new();
    let crl = ca().issue(&full(), &every_reason());
    folder.write("a.crl", to_pem("X509 CRL", crl.der())).write("ca.pem", to_pem("CERTIFICATE", &ca().certificate.der));
    panic!("{}", folder.run("openssl crl -in a.crl -noout -text -verify -CAfile ca.pem"));
}
