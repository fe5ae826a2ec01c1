//! Handing certificates out (RFC 8555 section 7.4.2) and revoking them (section 7.6).

use super::nonces::{Begun, GivenNonce, TAKE, begun};
use super::problem::{AcmeError, Problem, ProblemKind, absent, refuse};
use super::view::{AcmeCall, AcmeDoor, CertificateChain, CertificateChains};
use crate::change::by_id;
use crate::jose::Jwk;
use crate::revocation::{RevocationTarget, Revoke};
use crate::{App, Call, Error};
use certwright_domain::acme::{Authorization, Identifier};
use certwright_domain::id::{CaId, IssuedId};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::revocation::RevocationReason as Reason;
use certwright_domain::serial::Sha256;
use certwright_pki::read_certificate;
use certwright_store::ProofSearch;
use std::sync::Arc;

/// Reasons that whoever holds a certificate may give.
const REASONS: [Reason; 6] = [
    Reason::Unspecified,
    Reason::KeyCompromise,
    Reason::AffiliationChanged,
    Reason::Superseded,
    Reason::CessationOfOperation,
    Reason::PrivilegeWithdrawn,
];

/// What stands above the certificates that a version of a CA signed.
pub(crate) struct ChainAbove {
    version: u32,
    /// Of the version's public key.
    key: Sha256,
    revoked: bool,
    /// DER, the version's own first, without the root.
    certificates: Vec<Vec<u8>>,
    /// Where the version's own is.
    issuer_urls: Vec<String>,
}

impl App {
    /// Begins with a certificate of the account, with every chain that leads up from it. The bytes are the same for ever, but that a CA's
    /// renewal may bring another chain.
    pub async fn begin_with_acme_certificate(
        &self,
        call: &AcmeCall,
        nonce: GivenNonce,
        id: &str,
    ) -> Result<Begun<CertificateChains>, AcmeError> {
        let Ok(id) = IssuedId::parse(id) else { return self.begin_refused(nonce, absent("certificate")).await };
        let begun = begun(self.inner.store.begin_with_issued(TAKE, &nonce.0, &id).await)?;
        let begun = begun
            .and_then(|row| row.filter(|row| row.requester == call.requester()).ok_or_else(|| absent("certificate")));
        Ok(begun.and_then_async(async |row| self.chains_of(&row).await).await)
    }

    async fn chains_of(&self, row: &IssuedCertificate) -> Result<CertificateChains, AcmeError> {
        let above = self.acme_chains(&row.ca_id).await?;
        let signer = above.iter().find(|chain| chain.version == row.ca_version);
        let signer = signer.ok_or_else(|| Error::Internal(format!("the version that signed {} is missing", row.id)))?;
        // A renewal with another key did not sign this.
        let others = above.iter().filter(|it| it.version != row.ca_version && !it.revoked && it.key == signer.key);
        let mut chains: Vec<CertificateChain> = Vec::new();
        for chain in std::iter::once(signer).chain(others) {
            let certificates = [std::slice::from_ref(&row.certificate), &chain.certificates].concat();
            if !chains.iter().any(|known| known.certificates == certificates) {
                chains.push(CertificateChain { certificates, issuer_urls: chain.issuer_urls.clone() });
            }
        }
        Ok(CertificateChains { chains })
    }

    /// What stands above the certificates of a CA, from memory where the epoch allows.
    async fn acme_chains(&self, id: &CaId) -> Result<Arc<Vec<ChainAbove>>, Error> {
        let epoch = self.working_epoch().await?;
        if let Some((_, known)) = self.inner.acme.chains.get(id).filter(|(known, _)| *known == epoch) {
            return Ok(known);
        }
        let mut read = self.inner.store.read().await?;
        let epoch = read.epoch().await?;
        self.inner.context.note_epoch(epoch);
        let ca = crate::cas::find(&mut *read, &by_id(id.as_str())?).await?;
        let versions = read.ca_versions(id).await?;
        drop(read);
        let mut chains = Vec::with_capacity(versions.len());
        for version in versions {
            let Some(der) = &version.certificate else { continue };
            let first = read_certificate(der)?;
            let key = first.public_key.spki_sha256;
            let mut certificates = Vec::new();
            for der in std::iter::once(der).chain(&version.chain) {
                let certificate = read_certificate(der)?;
                if certificate.issuer_der == certificate.subject_der {
                    break;
                }
                certificates.push(certificate.der);
            }
            let revoked = version.revocation.is_some();
            let issuer_urls = self.urls(&ca, version.number, &first).issuers().to_vec();
            chains.push(ChainAbove { version: version.number, key, revoked, certificates, issuer_urls });
        }
        let chains = Arc::new(chains);
        self.inner.acme.chains.insert(id.clone(), (epoch, Arc::clone(&chains)));
        Ok(chains)
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
        // Another compromise is of somebody else's key; that of the certificate's own is worse.
        if row.revocation.is_some_and(|revocation| revocation.reason == Reason::KeyCompromise) {
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
        let identifiers: Option<Vec<String>> =
            row.names.iter().map(|name| Identifier::of(name.clone()).map(|it| it.to_string())).collect();
        let Some(names) = identifiers else { return Ok(false) };
        let search = ProofSearch { account: &call.account.id, names: &names, now: self.now(), most_pending: 0 };
        let found = self.inner.store.glance().await?.search_acme_authorizations(&search).await?;
        // Proofs that no challenge stands behind are an operator's leave to order, not to end what others hold.
        let is_proven = |it: &Option<Authorization>| it.as_ref().is_some_and(|it| it.proven_by().is_some());
        Ok(!names.is_empty() && found.valid.iter().all(is_proven))
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
