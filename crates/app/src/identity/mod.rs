//! Who may come in with a token (JWT) of somebody else's, or with a certificate of ours.

mod certificate;
mod jwt;
mod keys;
mod login;
mod names;
mod providers;
mod source;
mod trial;
mod trusts;

pub use certificate::ClientCertificate;
pub use login::Exchange;
pub use providers::NewIdentityProvider;
pub use trial::{RuleOutcome, TokenTrial};
pub use trusts::NewCertificateTrust;

pub(crate) use certificate::stands;
pub(crate) use jwt::is_jwt;
pub(crate) use names::check_names;

use crate::{App, Error};
use certwright_domain::identity::{CertificateTrust, IdentityProvider};
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::token::Voucher;
use source::KeySets;
use std::sync::{Arc, Mutex, PoisonError};

/// How old what is known of the providers may be: as with tokens.
const FRESH: Span = Span::from_s(1);

/// What this node knows of those who vouch for machines, and of their keys.
#[derive(Default)]
pub(crate) struct Identities {
    keys: KeySets,
    known: Mutex<Option<WaysIn>>,
}

/// Those that let somebody in.
#[derive(Clone)]
struct WaysIn {
    /// The epoch that was read before them.
    epoch: i64,
    read_at: Timestamp,
    providers: Arc<Vec<IdentityProvider>>,
    trusts: Arc<Vec<CertificateTrust>>,
}

impl App {
    /// Providers and trusts that let somebody in, and an epoch under which they do.
    async fn ways_in(&self) -> Result<WaysIn, Error> {
        let (context, now) = (&self.inner.context, self.now());
        let lock = || self.inner.identities.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().clone();
        if let Some(known) = known
            && known.epoch != 0
            && known.epoch == context.epoch()
            && (0..=FRESH.ms()).contains(&now.ms_since(known.read_at))
        {
            return Ok(known);
        }
        let mut read = self.inner.store.read().await?;
        // The epoch is read first: what is read after it is at least as new.
        let epoch = read.epoch().await?;
        let providers = Arc::new(read.enabled_identity_providers().await?);
        let trusts = Arc::new(read.enabled_certificate_trusts().await?);
        context.note_epoch(epoch);
        let known = WaysIn { epoch, read_at: now, providers, trusts };
        *lock() = Some(known.clone());
        Ok(known)
    }

    /// Do those who vouched for this machine still let it in, as the same?
    pub(crate) async fn is_vouched_for(&self, workload: &crate::access::Workload) -> Result<bool, Error> {
        match &workload.voucher {
            Voucher::Provider(provider) => {
                Ok(self.ways_in().await?.providers.iter().any(|known| known.id == *provider))
            }
            Voucher::Certificate { fingerprint, .. } => match self.admit_certificate(fingerprint).await {
                Ok((now, _, _)) => Ok(now == *workload),
                Err(Error::Unauthenticated { .. }) => Ok(false),
                Err(other) => Err(other),
            },
        }
    }
}

#[cfg(test)]
mod tests;
