//! CRLs that others made: that of an offline root, or of another CA.

use super::Fault;
use super::entries::Entries;
use super::extensions::{self, Extensions, REISSUE};
use super::list::List;
use crate::certificate::{Certificate, check_ca_certificate};
use crate::frame::{Signed, Tbs};
use crate::key::{self, WrongSignature};
use crate::tlv::{self, Reader};
use crate::{Error, pem, sha256};
use certwright_domain::revocation::{CrlEntry, CrlNumber};
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;
use certwright_domain::violation::Invalid;
use std::fmt;
use x509_cert::ext::pkix::IssuingDistributionPoint;

/// Most bytes of DER of a CRL that is read: about 400,000 entries.
pub const MAX_CRL_BYTES: usize = 16 << 20;
/// Most bytes of what [`read_crl`] is given: a CRL of [`MAX_CRL_BYTES`] as PEM, with text around it.
pub const MAX_CRL_UPLOAD_BYTES: usize = 24 << 20;

/// A CRL that another CA made, verified with that CA's certificate. Made by [`read_crl`] alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignCrl {
    der: Vec<u8>,
    sha256: Sha256,
    this_update: Timestamp,
    next_update: Timestamp,
    number: Option<CrlNumber>,
    base: Option<CrlNumber>,
    scope: Option<CrlScope>,
    entry_count: usize,
}

/// What issuingDistributionPoint limits a CRL to (RFC 5280 section 5.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlScope {
    /// Certificates with one of these URIs in their crlDistributionPoints; empty when it names none.
    pub uris: Vec<String>,
    /// End-entity certificates.
    pub only_user_certificates: bool,
    /// CA certificates.
    pub only_ca_certificates: bool,
    /// Revocations for some of the reasons.
    pub only_some_reasons: bool,
}

/// Reads a CRL, PEM or DER, that the CA with the certificate `issuer` is to have signed.
///
/// Refused are: what is larger than [`MAX_CRL_UPLOAD_BYTES`] ([`MAX_CRL_BYTES`] of DER) or not DER; another issuer, another
/// authorityKeyIdentifier, a wrong signature; an issuer that may not sign CRLs; no nextUpdate, or one that is not after
/// thisUpdate; extensions that stand there twice, critical ones that are not known here; indirect CRLs and those of attribute
/// certificates; serials that are not positive or longer than 20 octets; unknown reasons. CRLs of version 1, without a
/// number, with an empty list of entries or with a serial that stands there twice are read. Whether the CRL is current,
/// complete ([`ForeignCrl::base`], [`ForeignCrl::scope`]) and newer than another is for the caller to say.
pub fn read_crl(bytes: &[u8], issuer: &Certificate) -> Result<ForeignCrl, Error> {
    bounded(bytes.len(), MAX_CRL_UPLOAD_BYTES)?;
    let mut found = pem::unarmor(bytes, &["X509 CRL"], "a certificate revocation list")?.into_iter();
    let (Some(der), None) = (found.next(), found.next()) else {
        return Err(Fault::new("there is more than one in the PEM", "Send exactly one.").into());
    };
    bounded(der.len(), MAX_CRL_BYTES)?;
    let signed = Signed::read(&der).map_err(Fault::from)?;
    let list = List::read(signed.body).map_err(|at| match Tbs::read(signed.body) {
        Ok(_) => Fault::new("it is a certificate", "Send the CRL that this CA issued."),
        Err(_) => at.into(),
    })?;
    let extensions = match list.extensions {
        Some(_) if !list.v2 => {
            return Err(Fault::malformed("it has extensions, which CRLs of version 1 do not have").into());
        }
        Some(content) => Extensions::read(content)?,
        None => Extensions::default(),
    };
    check_issuer(&list, &extensions, issuer)?;
    check_signature(&signed, &list, issuer)?;
    let next_update = list.next_update.ok_or_else(|| Fault::new("it has no nextUpdate", REISSUE))?;
    if next_update <= list.this_update {
        return Err(Fault::new("its nextUpdate is not after its thisUpdate", REISSUE).into());
    }
    let scope = extensions.distribution_point.as_ref().map(scope).transpose()?;
    let mut reader = Entries::new(list.revoked.unwrap_or_default(), list.v2, extensions.base.is_some());
    let mut entry_count = 0_usize;
    while reader.next().map_err(|fault| fault.at_entry(entry_count.saturating_add(1)))?.is_some() {
        entry_count = entry_count.saturating_add(1);
    }
    Ok(ForeignCrl {
        this_update: list.this_update,
        next_update,
        number: extensions.number,
        base: extensions.base,
        scope,
        entry_count,
        sha256: sha256(&der),
        der,
    })
}

impl ForeignCrl {
    /// DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// DER, to keep.
    pub fn into_der(self) -> Vec<u8> {
        self.der
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// thisUpdate, a whole second.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// nextUpdate, a whole second.
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// cRLNumber, where there is one.
    pub fn number(&self) -> Option<CrlNumber> {
        self.number
    }

    /// For a delta CRL, the number of the complete one.
    pub fn base(&self) -> Option<CrlNumber> {
        self.base
    }

    /// What it is limited to; `None` when it is about all certificates of its issuer.
    pub fn scope(&self) -> Option<&CrlScope> {
        self.scope.as_ref()
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> usize {
        self.entry_count
    }

    /// The entries in the order of the CRL, decoded as they are asked for.
    pub fn entries(&self) -> impl Iterator<Item = CrlEntry> + '_ {
        // Each of them was read by `read_crl` already: nothing is cut off here.
        let mut entries = self.reader();
        std::iter::from_fn(move || entries.as_mut()?.next().ok()?.and_then(|entry| entry.to_owned().ok()))
    }

    fn reader(&self) -> Option<Entries<'_>> {
        let mut outer = Reader::only(&self.der, tlv::SEQUENCE, "").ok()?;
        let list = List::read(outer.next().ok()??.raw).ok()?;
        Some(Entries::new(list.revoked.unwrap_or_default(), list.v2, self.base.is_some()))
    }
}

impl fmt::Debug for ForeignCrl {
    /// Without the bytes, of which there are many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignCrl")
            .field("sha256", &self.sha256)
            .field("this_update", &self.this_update)
            .field("next_update", &self.next_update)
            .field("number", &self.number)
            .field("base", &self.base)
            .field("scope", &self.scope)
            .field("entries", &self.entry_count)
            .finish_non_exhaustive()
    }
}

fn bounded(bytes: usize, most: usize) -> Result<(), Fault> {
    if bytes > most {
        return Err(Fault::new(
            format!("it has {bytes} bytes, {most} are allowed"),
            "Have its CA split it by distribution points, or leave out what has expired.",
        ));
    }
    Ok(())
}

/// The CRL names this certificate as its issuer, and the certificate may issue CRLs.
fn check_issuer(list: &List<'_>, extensions: &Extensions, issuer: &Certificate) -> Result<(), Invalid> {
    if list.issuer != issuer.subject_der {
        return Err(refuse(
            format!("The CRL names another issuer than `{}`.", issuer.subject),
            "Send the CRL that this CA issued.",
        ));
    }
    if let (Some(authority), Some(key)) = (&extensions.authority_key_id, &issuer.subject_key_id)
        && authority != key
    {
        return Err(refuse(
            format!("The CRL was signed by another key of `{}`: its key identifiers differ.", issuer.subject),
            "Send the CRL whose authorityKeyIdentifier is this CA certificate's subjectKeyIdentifier.",
        ));
    }
    check_ca_certificate(issuer)?;
    if !issuer.may_sign_crls {
        return Err(refuse(
            format!("The certificate of `{}` does not allow signing CRLs (cRLSign is missing).", issuer.subject),
            "Have the CA certificate issued with keyCertSign and cRLSign.",
        ));
    }
    Ok(())
}

fn check_signature(signed: &Signed<'_>, list: &List<'_>, issuer: &Certificate) -> Result<(), Invalid> {
    if list.algorithm != signed.algorithm {
        return Err(Fault::new("it names two different signature algorithms", REISSUE).into());
    }
    let algorithm = key::signature_algorithm(signed.algorithm)
        .ok_or_else(|| key::refuse_signature_algorithm(signed.algorithm, "CRL"))?;
    issuer.verification_key(algorithm)?.verify(signed.body, signed.signature).map_err(|WrongSignature| {
        refuse(
            format!("The CRL's signature was not made by the key of `{}`.", issuer.subject),
            "Send the CRL that this CA issued, unchanged.",
        )
    })
}

fn refuse(detail: String, hint: &str) -> Invalid {
    Invalid::new("not_issued_by", detail, hint)
}

fn scope(point: &IssuingDistributionPoint) -> Result<CrlScope, Fault> {
    if point.indirect_crl {
        return Err(Fault::new(
            "it is indirect: it may be about other CAs' certificates",
            "Use the CRL that the certificates' own CA issues.",
        ));
    }
    if point.only_contains_attribute_certs {
        return Err(Fault::new(
            "it is about attribute certificates",
            "Use the CRL that is about public key certificates.",
        ));
    }
    Ok(CrlScope {
        uris: extensions::uris(point.distribution_point.as_ref()),
        only_user_certificates: point.only_contains_user_certs,
        only_ca_certificates: point.only_contains_ca_certs,
        only_some_reasons: point.only_some_reasons.is_some(),
    })
}

#[cfg(test)]
mod tests;
