//! Identity providers: who may come in with a token (JWT) of somebody else's.

mod jwt;
mod keys;
mod login;
mod names;
mod providers;
mod source;
mod trial;

pub use login::Exchange;
pub use providers::NewIdentityProvider;
pub use trial::{RuleOutcome, TokenTrial};

pub(crate) use jwt::is_jwt;
pub(crate) use names::check_names;

use crate::{App, Error};
use certwright_domain::identity::IdentityProvider;
use certwright_domain::time::{Span, Timestamp};
use source::KeySets;
use std::sync::{Arc, Mutex, PoisonError};

/// How old what is known of the providers may be: as with tokens.
const FRESH: Span = Span::from_s(1);

/// What this node knows of providers and their keys.
#[derive(Default)]
pub(crate) struct Identities {
    keys: KeySets,
    known: Mutex<Option<Known>>,
}

/// The providers that let somebody in.
#[derive(Clone)]
struct Known {
    /// The epoch that was read before them.
    epoch: i64,
    read_at: Timestamp,
    providers: Arc<Vec<IdentityProvider>>,
}

impl App {
    /// The providers that let somebody in, and an epoch under which they do.
    async fn enabled_providers(&self) -> Result<(i64, Arc<Vec<IdentityProvider>>), Error> {
        let (context, now) = (&self.inner.context, self.now());
        let lock = || self.inner.identities.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().clone();
        if let Some(known) = known
            && known.epoch != 0
            && known.epoch == context.epoch()
            && (0..=FRESH.ms()).contains(&now.ms_since(known.read_at))
        {
            return Ok((known.epoch, known.providers));
        }
        let mut read = self.inner.store.read().await?;
        // The epoch is read first: what is read after it is at least as new.
        let epoch = read.epoch().await?;
        let providers = Arc::new(read.enabled_identity_providers().await?);
        context.note_epoch(epoch);
        *lock() = Some(Known { epoch, read_at: now, providers: Arc::clone(&providers) });
        Ok((epoch, providers))
    }

    /// Does its provider still let this machine in? One that no provider vouches for is asked about elsewhere.
    pub(crate) async fn is_vouched_for(&self, workload: &crate::access::Workload) -> Result<bool, Error> {
        let Some(provider) = &workload.provider else { return Ok(true) };
        let (_, providers) = self.enabled_providers().await?;
        Ok(providers.iter().any(|known| known.id == *provider))
    }
}

#[cfg(test)]
mod tests;
