//! Handing certificates out (RFC 8555 section 7.4.2) and revoking them (section 7.6).

use super::problem::{AcmeError, Problem, ProblemKind, absent, refuse};
use super::view::{AcmeCall, AcmeDoor, CertificateChains};
use crate::jose::Jwk;
use crate::revocation::{RevocationTarget, Revoke};
use crate::{App, Call, Error};
use certwright_domain::acme::Identifier;
use certwright_domain::id::IssuedId;
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::revocation::RevocationReason as Reason;
use certwright_pki::read_certificate;

/// Reasons that whoever holds a certificate may give.
const REASONS: [Reason; 6] = [
    Reason::Unspecified,
    Reason::KeyCompromise,
    Reason::AffiliationChanged,
    Reason::Superseded,
    Reason::CessationOfOperation,
    Reason::PrivilegeWithdrawn,
];

impl App {
    /// A certificate of the account, with every chain that leads up from it. The bytes are the same for ever, but that a CA's
    /// renewal may bring another chain.
    pub async fn acme_certificate(&self, call: &AcmeCall, id: &str) -> Result<CertificateChains, AcmeError> {
        let id = IssuedId::parse(id).map_err(|_| absent("certificate"))?;
        let mut read = self.inner.store.glance().await?;
        let row = read.issued(&id).await?.filter(|row| row.requester == call.requester());
        let row = row.ok_or_else(|| absent("certificate"))?;
        let versions = read.ca_versions(&row.ca_id).await?;
        drop(read);
        let signer = versions.iter().find(|version| version.number == row.ca_version);
        let signer_der = signer.and_then(|version| version.certificate.clone());
        let signer_der =
            signer_der.ok_or_else(|| Error::Internal(format!("the version that signed {id} is missing")))?;
        let signer_key = read_certificate(&signer_der).map_err(Error::from)?.public_key.spki_sha256;
        let mut chains: Vec<Vec<Vec<u8>>> = Vec::new();
        let others = versions.iter().filter(|version| version.number != row.ca_version && version.revocation.is_none());
        for version in signer.into_iter().chain(others) {
            let Some(der) = &version.certificate else { continue };
            let mut chain = vec![row.certificate.clone()];
            for (place, der) in std::iter::once(der).chain(&version.chain).enumerate() {
                let certificate = read_certificate(der).map_err(Error::from)?;
                // A renewal with another key did not sign this.
                if place == 0 && certificate.public_key.spki_sha256 != signer_key {
                    chain.clear();
                    break;
                }
                if certificate.issuer_der == certificate.subject_der {
                    break;
                }
                chain.push(certificate.der);
            }
            if !chain.is_empty() && !chains.contains(&chain) {
                chains.push(chain);
            }
        }
        Ok(CertificateChains { chains })
    }

    /// Revokes by account: its own certificates for the reason it gives, those whose names it has proven because they are no
    /// longer in use.
    pub async fn revoke_acme_certificate(
        &self,
        call: &AcmeCall,
        certificate: &[u8],
        reason: Option<i64>,
    ) -> Result<(), AcmeError> {
        let asked = read_reason(reason)?;
        let row = self.revocable(&call.door, certificate).await?;
        let reason = if row.requester == call.requester() {
            asked
        } else if self.has_proven(call, &row).await? {
            Reason::CessationOfOperation
        } else {
            return refuse(ProblemKind::Unauthorized, "The account has not proven control of the certificate's names.");
        };
        if row.revocation.is_some() {
            return already(&row);
        }
        self.revoke_row(&call.door.call(Some(&call.account.id), Some(row.id.clone())), row, reason).await
    }

    /// Revokes by the certificate's key, which whoever signs with it has shown to others: the reason is keyCompromise, and the
    /// key is blocked for ever.
    pub async fn revoke_acme_certificate_by_key(
        &self,
        door: &AcmeDoor,
        key: &Jwk,
        certificate: &[u8],
        reason: Option<i64>,
    ) -> Result<(), AcmeError> {
        read_reason(reason)?;
        let row = self.revocable(door, certificate).await?;
        if row.spki_sha256 != key.spki_sha256() {
            return refuse(ProblemKind::Unauthorized, "The key is not the certificate's.");
        }
        if row.revocation.is_some_and(|revocation| revocation.reason.is_compromise()) {
            return already(&row);
        }
        self.revoke_row(&door.call(None, Some(row.id.clone())), row, Reason::KeyCompromise).await
    }

    /// A certificate of the directory's CA that has not expired.
    async fn revocable(&self, door: &AcmeDoor, der: &[u8]) -> Result<IssuedCertificate, AcmeError> {
        let unknown = || Problem::new(ProblemKind::Malformed, "No such certificate was issued here.").with_status(404);
        let malformed = || Problem::new(ProblemKind::Malformed, "`certificate` is not a certificate in DER.");
        let certificate = read_certificate(der).map_err(|_| malformed())?;
        if certificate.der != der {
            return Err(malformed().into());
        }
        let row = self.inner.store.read().await?.issued_by_fingerprint(&certificate.fingerprint).await?;
        let row =
            row.filter(|row| row.ca_id == door.directory.ca && row.kind == IssuedKind::Leaf).ok_or_else(unknown)?;
        if row.validity.not_after() < self.now().floor_to_second() {
            return refuse(ProblemKind::Unauthorized, "The certificate has expired; there is nothing to revoke.");
        }
        Ok(row)
    }

    /// Does the account hold a proof for every name of the certificate?
    async fn has_proven(&self, call: &AcmeCall, row: &IssuedCertificate) -> Result<bool, AcmeError> {
        let mut read = self.inner.store.read().await?;
        for name in &row.names {
            let Some(identifier) = Identifier::of(name.clone()) else { return Ok(false) };
            let found = read.valid_acme_authorization(&call.account.id, &identifier.to_string(), self.now()).await?;
            // Proofs that no challenge stands behind are an operator's leave to order, not to end what others hold.
            if found.is_none_or(|it| it.proven_by().is_none()) {
                return Ok(false);
            }
        }
        Ok(!row.names.is_empty())
    }

    async fn revoke_row(&self, call: &Call, row: IssuedCertificate, reason: Reason) -> Result<(), AcmeError> {
        let target = RevocationTarget::Certificate(row.certificate.clone());
        match self.revoke_issued_certificate(call, &target, Revoke::because(reason)).await {
            Ok(revoked) if revoked.unchanged => already(&row),
            Ok(_) => Ok(()),
            Err(Error::Conflict { code: "already_revoked", .. }) => already(&row),
            Err(error) => Err(error.into()),
        }
    }
}

fn read_reason(reason: Option<i64>) -> Result<Reason, AcmeError> {
    let Some(code) = reason else { return Ok(Reason::Unspecified) };
    let known = u8::try_from(code).ok().and_then(Reason::from_code).filter(|reason| REASONS.contains(reason));
    known.ok_or_else(|| {
        let texts: Vec<String> = REASONS.iter().map(|reason| format!("{} ({reason})", reason.code())).collect();
        let detail = format!("The reason {code} cannot be given here; take one of {}.", texts.join(", "));
        Problem::new(ProblemKind::BadRevocationReason, detail).into()
    })
}

fn already<T>(row: &IssuedCertificate) -> Result<T, AcmeError> {
    refuse(ProblemKind::AlreadyRevoked, format!("Certificate {} is revoked already.", row.serial))
}
