//! Where a provider's keys come from, and how long they are kept.
//!
//! Keys that were fetched are fresh as long as the issuer says (within bounds), and good for a day longer while the issuer
//! is away. A `kid` that they do not know has them fetched anew, once a minute at most: tokens that nobody signed must not
//! make us call the issuer all the time. One request at a time goes to an issuer; the others wait for what it brings.

use super::keys::KeySet;
use crate::jose::json::{self, Json};
use crate::{Outbound, OutboundError};
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::IdentityProviderId;
use certwright_domain::identity::{IdentityProvider, KeySource, MAX_KEY_SET, MAX_PROVIDERS};
use certwright_domain::time::{Span, Timestamp};
use moka::sync::Cache;
use std::sync::{Arc, Mutex, PoisonError};

/// Largest discovery document, in bytes.
const MAX_DISCOVERY: usize = 64 << 10;
/// Keys are fresh at least so long, whatever the issuer says,
const SHORTEST: Span = Span::from_minutes(5);
/// and at most so long.
const LONGEST: Span = Span::from_hours(24);
/// When it says nothing.
const USUAL: Span = Span::from_hours(1);
/// How much longer keys are good while the issuer is away.
const GRACE: Span = Span::from_hours(24);
/// Between two looks for a `kid` that is not known.
const PAUSE: Span = Span::from_minutes(1);
/// Between two attempts that fail.
const RETRY: Span = Span::from_s(10);

/// Why there are no keys. For logs and administrators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SourceError {
    #[error("{url}: {error}")]
    Fetching { url: String, error: OutboundError },
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("{url}: {why}")]
    Content { url: String, why: String },
    #[error("the keys that are written down cannot be used: {0}")]
    Static(String),
    #[error("the issuer was away a moment ago")]
    Away,
}

/// The keys of all providers, on this node.
pub(crate) struct KeySets {
    slots: Cache<IdentityProviderId, Arc<Slot>>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    keys: Option<Kept>,
    asked_at: Option<Timestamp>,
    failed: bool,
}

#[derive(Clone)]
struct Kept {
    keys: Arc<KeySet>,
    fresh_until: Timestamp,
}

impl Default for KeySets {
    fn default() -> Self {
        Self { slots: Cache::new(MAX_PROVIDERS.saturating_mul(2)) }
    }
}

impl State {
    /// May the issuer be asked now? A clock that was set back does not make it wait for long.
    fn may_ask(&self, now: Timestamp) -> bool {
        let pause = if self.failed { RETRY } else { PAUSE };
        self.asked_at.is_none_or(|at| !(0..pause.ms()).contains(&now.ms_since(at)))
    }

    fn fresh(&self, now: Timestamp) -> Option<&Kept> {
        self.keys.as_ref().filter(|kept| now < kept.fresh_until)
    }

    /// Keys that count, and whether newer ones should be looked for.
    fn good(&self, now: Timestamp) -> Option<&Kept> {
        self.keys.as_ref().filter(|kept| now < kept.fresh_until.plus(GRACE))
    }
}

impl KeySets {
    /// The keys of a provider. `knows` says whether a set is good enough; when it is not, newer keys are looked for.
    pub(super) async fn of(
        &self,
        provider: &IdentityProvider,
        outbound: &dyn Outbound,
        now: Timestamp,
        knows: impl Fn(&KeySet) -> bool,
    ) -> Result<Arc<KeySet>, SourceError> {
        let url = match provider.settings.keys() {
            KeySource::Static(text) => {
                let keys = KeySet::parse_own(text).map_err(|invalid| SourceError::Static(invalid.detail))?;
                return Ok(Arc::new(keys));
            }
            KeySource::Url(url) | KeySource::Discovery(url) => url,
        };
        let slot = self.slots.get_with_by_ref(&provider.id, Arc::default);
        let enough = |state: &State| {
            let kept = state.fresh(now).filter(|kept| knows(&kept.keys))?;
            Some(Arc::clone(&kept.keys))
        };
        if let Some(keys) = enough(&slot.state()) {
            return Ok(keys);
        }
        let _turn = slot.turn.lock().await;
        let before = slot.state().clone();
        // Whoever had the turn before may have brought them.
        if let Some(keys) = enough(&before) {
            return Ok(keys);
        }
        if !before.may_ask(now) {
            return before.good(now).map(|kept| Arc::clone(&kept.keys)).ok_or(SourceError::Away);
        }
        let fetched = fetch(provider, url, outbound).await;
        let mut state = slot.state();
        state.asked_at = Some(now);
        state.failed = fetched.is_err();
        match fetched {
            Ok((keys, max_age)) => {
                let keys = Arc::new(keys);
                let age = max_age.unwrap_or(USUAL).clamp(SHORTEST, LONGEST);
                state.keys = Some(Kept { keys: Arc::clone(&keys), fresh_until: now.plus(age) });
                Ok(keys)
            }
            Err(error) => {
                let kept = state.good(now).map(|kept| Arc::clone(&kept.keys));
                tracing::warn!(identity_provider.id = %provider.id, %error, in_hand = kept.is_some(),
                    "the keys of an identity provider cannot be fetched");
                kept.ok_or(error)
            }
        }
    }
}

impl Slot {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(
    provider: &IdentityProvider,
    url: &HttpUrl,
    outbound: &dyn Outbound,
) -> Result<(KeySet, Option<Span>), SourceError> {
    let found;
    let url = match provider.settings.keys() {
        KeySource::Discovery(_) => {
            let (document, _) = get(url, MAX_DISCOVERY, outbound).await?;
            let content = |why: &str| SourceError::Content { url: url.to_string(), why: why.to_owned() };
            found = jwks_uri(&document, provider.settings.issuer()).map_err(content)?;
            &found
        }
        KeySource::Url(_) | KeySource::Static(_) => url,
    };
    let (document, max_age) = get(url, MAX_KEY_SET, outbound).await?;
    let content =
        |why: &str| SourceError::Content { url: url.to_string(), why: format!("the key set cannot be used: {why}") };
    Ok((KeySet::parse(&document).map_err(content)?, max_age))
}

async fn get(url: &HttpUrl, most: usize, outbound: &dyn Outbound) -> Result<(Vec<u8>, Option<Span>), SourceError> {
    let fetched = outbound.get(url, most).await;
    let fetched = fetched.map_err(|error| SourceError::Fetching { url: url.to_string(), error })?;
    match fetched.status {
        200 => Ok((fetched.body, fetched.max_age)),
        status => Err(SourceError::Status { url: url.to_string(), status }),
    }
}

/// Where the discovery document says that the keys are. It must be the issuer's own (OpenID Connect Discovery 1.0
/// section 4.3).
fn jwks_uri(document: &[u8], issuer: &str) -> Result<HttpUrl, &'static str> {
    let document = json::object(document).ok_or("it is not a JSON object, or a member stands twice")?;
    if document.get("issuer").and_then(Json::text) != Some(issuer) {
        return Err("its `issuer` is another one");
    }
    let uri = document.get("jwks_uri").and_then(Json::text).ok_or("it has no `jwks_uri`")?;
    let uri = HttpUrl::parse(uri).map_err(|_| "its `jwks_uri` is not a URL")?;
    if uri.is_https() { Ok(uri) } else { Err("its `jwks_uri` is not `https`") }
}
