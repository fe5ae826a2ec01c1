//! Renewal information (RFC 9773): from the same due time that the inventory shows and the scheduler acts on.

use super::problem::{AcmeError, Problem, ProblemKind, absent};
use super::view::AcmeDoor;
use crate::{App, Error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::acme::{RenewalWindow, renewal_window};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::serial::Serial;
use certwright_domain::time::Timestamp;
use certwright_pki::{Certificate, read_certificate};

/// When to renew a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalInfo {
    /// The window.
    pub window: RenewalWindow,
    /// Where it is explained, when it is out of the ordinary.
    pub explanation_url: Option<String>,
}

impl App {
    /// When a certificate of the directory's CA is to be renewed. `id`: base64url of the authority key identifier, a dot,
    /// base64url of the serial's DER octets (RFC 9773 section 4.1).
    pub async fn acme_renewal_info(&self, door: &AcmeDoor, id: &str) -> Result<RenewalInfo, AcmeError> {
        let found = self.find_renewal(id).await?.filter(|(row, _)| row.ca_id == door.directory.ca);
        let (row, _) = found.ok_or_else(|| absent("certificate"))?;
        let at_once = self.renewed_at_once(&row).await?;
        let window = renewal_window(&row.validity, row.renew_at, at_once);
        // Whoever called for the renewal says why. A revocation has no text of its own; what is only overdue needs none.
        let website = || at_once.and(door.directory.settings.website()).map(ToString::to_string);
        let explanation_url = self.explanation_of(&row).await?.or_else(website);
        Ok(RenewalInfo { window, explanation_url })
    }

    /// The certificate that an identifier names.
    pub(super) async fn find_renewal(&self, id: &str) -> Result<Option<(IssuedCertificate, Certificate)>, AcmeError> {
        let (authority, serial) = parse(id).ok_or_else(|| {
            let detail = "A certificate is named by base64url of its authority key identifier, `.`, and base64url of its serial.";
            Problem::new(ProblemKind::Malformed, detail)
        })?;
        let rows = self.inner.store.glance().await?.issued_by_serial(&serial).await?;
        for row in rows.into_iter().filter(|row| row.kind == IssuedKind::Leaf) {
            let certificate = read_certificate(&row.certificate).map_err(Error::from)?;
            if certificate.authority_key_id.as_ref() == Some(&authority) {
                return Ok(Some((row, certificate)));
            }
        }
        Ok(None)
    }

    /// Where the call is explained that moved its renewal.
    async fn explanation_of(&self, row: &IssuedCertificate) -> Result<Option<String>, AcmeError> {
        let mut read = self.inner.store.glance().await?;
        let Some(moved) = read.moved_renewal(&row.id).await? else { return Ok(None) };
        let call = read.early_renewal(&moved.call).await?;
        Ok(call.and_then(|call| call.terms.explanation_url).map(|url| url.to_string()))
    }

    /// When it is to be renewed.
    pub(super) async fn window_of(&self, row: &IssuedCertificate) -> Result<RenewalWindow, AcmeError> {
        Ok(renewal_window(&row.validity, row.renew_at, self.renewed_at_once(row).await?))
    }

    /// Since when it is to be renewed at once: it, or the CA's version that signed it, was revoked.
    async fn renewed_at_once(&self, row: &IssuedCertificate) -> Result<Option<Timestamp>, AcmeError> {
        let version = self.inner.store.glance().await?.ca_version(&row.ca_id, row.ca_version).await?;
        let of_ca = version.and_then(|version| version.revocation);
        Ok(row.revocation.or(of_ca).map(|revocation| revocation.at))
    }
}

fn parse(id: &str) -> Option<(Vec<u8>, Serial)> {
    let (authority, serial) = id.split_once('.')?;
    let (authority, serial) = (URL_SAFE_NO_PAD.decode(authority).ok()?, URL_SAFE_NO_PAD.decode(serial).ok()?);
    if authority.is_empty() {
        return None;
    }
    // The octets of a DER INTEGER: a zero in front only where the number would be negative without it.
    let digits = match serial.as_slice() {
        [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => rest,
        [first, ..] if first & 0x80 == 0 && *first != 0 => serial.as_slice(),
        _ => return None,
    };
    Some((authority, Serial::from_bytes(digits).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9773 section 4.1.
    #[test]
    fn i1_i2_certificates_are_named_as_in_the_rfc() {
        let (authority, serial) = parse("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE").unwrap();
        assert_eq!(hex::encode(authority), "69885b6b87464041e1b37b847ba0ae2cde01c8d4");
        assert_eq!(serial.to_string(), "87654321");
        for wrong in [
            "",
            ".",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.",
            ".AIdlQyE",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE=",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.h2VDIQ",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AAE",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE.x",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.+/==",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AA",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
