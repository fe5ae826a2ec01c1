//! Coming in with a client certificate of our own, where a trust means it.
//!
//! The certificate of the connection is looked at for each request: nothing of an earlier one is carried over, and a token that
//! is bound to a certificate is good with that one alone.

use crate::access::{Door, Workload};
use crate::change::by_id;
use crate::{App, Caller, Error};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;
use certwright_domain::token::Voucher;
use certwright_pki::read_certificate;
use std::sync::Arc;

/// In a request's extensions, as the listener says: the SHA-256 of the client certificate (its DER) whose key this very
/// connection has proven. It says nothing yet about whether anybody should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate(pub Sha256);

impl App {
    /// Which machine holds the key of the certificate with this fingerprint (SHA-256 of its DER), as the connection has proven?
    /// The certificate must stand, and a trust must mean it; the first by name counts. All others get the same answer.
    pub async fn authenticate_trusted(&self, fingerprint: &Sha256) -> Result<Caller, Error> {
        let (workload, trust, epoch) = self.admit_certificate(fingerprint).await?;
        // Decisions rest on what is in memory: it is brought up to date before the first of them.
        self.access().await?;
        let id = format!("mtls:{trust}:{}", workload.subject);
        Ok(Caller::workload(id, Door::Certificate, workload, None, Arc::new([]), epoch))
    }

    /// The machine, the name of the trust that means it, and an epoch under which it does.
    pub(crate) async fn admit_certificate(&self, fingerprint: &Sha256) -> Result<(Workload, String, i64), Error> {
        let known = self.ways_in().await?;
        if known.trusts.is_empty() {
            return Err(untrusted());
        }
        let (row, epoch) = self.standing_certificate(fingerprint).await?.ok_or_else(untrusted)?;
        let means = |trust: &_| {
            certwright_domain::identity::CertificateTrust::judge(trust, &row).map(|found| (trust.clone(), found))
        };
        let (trust, identity) = known.trusts.iter().find_map(means).ok_or_else(untrusted)?;
        let identity = identity.map_err(|why| {
            tracing::debug!(trust.id = %trust.id, certificate.serial = %row.serial, why, "a client certificate was turned away");
            untrusted()
        })?;
        let workload = Workload {
            voucher: Voucher::Certificate { trust: trust.id.clone(), fingerprint: *fingerprint },
            subject: identity.subject,
            groups: trust.settings.groups().iter().map(ToString::to_string).collect(),
            claims: identity.claims.into_map(),
            names: identity.names.map(|names| names.texts().to_vec()),
        };
        Ok((workload, trust.settings.name().to_string(), epoch.min(known.epoch)))
    }

    /// The certificate with this fingerprint, and the epoch that was read before it; `None`: it does not speak for its holder,
    /// because it is not of the inventory, not for clients, out of its validity, revoked, or of a CA that is out of use.
    pub(crate) async fn standing_certificate(
        &self,
        fingerprint: &Sha256,
    ) -> Result<Option<(IssuedCertificate, i64)>, Error> {
        let mut queries = self.inner.store.read().await?;
        // The epoch is read first: the row that is read after it is at least as new.
        let epoch = queries.epoch().await?;
        let row = queries.issued_by_fingerprint(fingerprint).await?;
        drop(queries);
        self.inner.context.note_epoch(epoch);
        let now = self.now();
        let Some(row) = row.filter(|row| stands(row, now)) else { return Ok(None) };
        match self.issuer(&by_id(row.ca_id.as_str())?).await {
            Ok(_) => Ok(Some((row, epoch))),
            Err(Error::NotFound { .. } | Error::Conflict { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

/// May the certificate speak for its holder at `now`?
pub(crate) fn stands(row: &IssuedCertificate, now: Timestamp) -> bool {
    let second = now.floor_to_second();
    row.kind == IssuedKind::Leaf
        && row.revocation.is_none()
        && (row.validity.not_before()..=row.validity.not_after()).contains(&second)
        && read_certificate(&row.certificate).is_ok_and(|certificate| certificate.for_client_auth)
}

/// The one answer to every certificate that lets nobody in.
fn untrusted() -> Error {
    Error::Unauthenticated {
        detail: "The request carries no token, and the client certificate of the connection is not one that lets its holder in: \
                 of ours, in force, not revoked, for client authentication, and meant by a trust (/v1/certificate-trusts)."
            .to_owned(),
    }
}
