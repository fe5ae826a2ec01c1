//! Coming in with a token of an identity provider, by itself or in exchange for one of ours.

use super::WaysIn;
use super::jwt::Unverified;
use super::keys::KeyError;
use super::source::SourceError;
use crate::access::{Door, Workload};
use crate::audit::Target;
use crate::{App, Call, Caller, Error};
use certwright_domain::id::TokenId;
use certwright_domain::identity::{IdentityProvider, OWN_CLAIMS, PROVIDER_CLAIM, Refusal, Registered, Verdict};
use certwright_domain::name::Reference;
use certwright_domain::secret::SecretText;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::token::{Token, Voucher};
use std::net::IpAddr;
use std::sync::Arc;

/// Longest life of a token that is given in exchange.
const LIFE: Span = Span::from_minutes(15);
/// How long such a token can be looked up after its end.
const KEPT: Span = Span::from_days(1);
/// How many of those that have ended go with every exchange.
const SWEPT: u32 = 100;

/// A token of an identity provider that is to be exchanged.
pub struct Exchange {
    /// Name or id of the provider; `None`: the token tells.
    pub provider: Option<Reference>,
    /// The token.
    pub token: SecretText,
    /// Id of the request.
    pub request_id: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
}

/// Why a token does not come in. For the log.
#[derive(Debug, thiserror::Error)]
enum Turned {
    #[error("the provider does not take its `alg`")]
    Algorithm,
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Keys(#[from] SourceError),
    #[error("{0}")]
    Key(#[from] KeyError),
    #[error("no rule matches")]
    NoRule,
    #[error("a rule matches, but {0}")]
    Unusable(String),
}

/// Somebody who was let in.
struct Admitted {
    id: String,
    workload: Workload,
    ends: Timestamp,
    epoch: i64,
}

impl App {
    /// Who is behind this token of an identity provider?
    pub(crate) async fn authenticate_jwt(&self, text: &str) -> Result<Caller, Error> {
        let Admitted { id, workload, epoch, .. } = self.admit(text, None).await?;
        // Decisions rest on what is in memory: it is brought up to date before the first of them.
        self.access().await?;
        Ok(Caller::workload(id, Door::Jwt, workload, None, Arc::new([]), epoch))
    }

    /// Exchanges a token of an identity provider for one of ours, which lives a quarter of an hour at most and not longer
    /// than the other.
    pub async fn exchange_token(&self, exchange: Exchange) -> Result<(Token, SecretText), Error> {
        let Exchange { provider, token, request_id, address } = exchange;
        let admitted = self.admit(token.expose(), provider.as_ref()).await?;
        let now = self.now();
        let ends = admitted.ends.min(now.plus(LIFE));
        if ends <= now {
            // Within the clock skew: it comes in by itself, but there is no life left to give.
            return Err(unauthenticated());
        }
        let Admitted { id, workload, epoch, .. } = admitted;
        let (token, text) = self.inner.mint_workload_token(id.clone(), workload.clone(), ends)?;
        let caller = Caller::workload(id, Door::Jwt, workload, None, Arc::new([]), epoch);
        let call = Call { address, ..Call::new(caller, request_id) };
        let mut tx = self.inner.store.begin("token.exchange").await?;
        tx.delete_workload_tokens(now.minus(KEPT), SWEPT).await?;
        tx.insert_token(&token).await?;
        let expires = ends.to_string();
        let target = Target { kind: "token", id: token.id.as_str(), name: token.name.as_str() };
        let details = [("user", token.user.as_str()), ("expiresAt", expires.as_str())];
        tx.insert_audit(&self.inner.audit(&call, "token.exchange", target, &details)).await?;
        tx.commit().await?;
        Ok((token, text))
    }

    /// The caller behind a token that was given in exchange; `None`: its provider lets it in no longer.
    pub(crate) async fn workload_caller(
        &self,
        token: &Token,
        workload: &Workload,
        epoch: i64,
    ) -> Result<Option<Caller>, Error> {
        if !self.is_vouched_for(workload).await? {
            return Ok(None);
        }
        self.access().await?;
        let id: TokenId = token.id.clone();
        let (name, workload) = (token.user.clone(), workload.clone());
        Ok(Some(Caller::workload(name, Door::Jwt, workload, Some(id), Arc::new([]), epoch)))
    }

    /// Asks the providers of the token's issuer, one after the other; the first that lets it in counts. Whoever brought it
    /// learns nothing of the reasons.
    async fn admit(&self, text: &str, provider: Option<&Reference>) -> Result<Admitted, Error> {
        let token = Unverified::parse(text).map_err(|reason| {
            tracing::debug!(%reason, "a token of an identity provider is not well formed");
            unauthenticated()
        })?;
        let WaysIn { epoch, providers, .. } = self.ways_in().await?;
        let mut away = None;
        for known in providers.iter().filter(|known| is_meant(known, provider, token.claimed())) {
            match self.admit_by(known, &token, epoch).await {
                Ok(admitted) => return Ok(admitted),
                Err(reason) => {
                    tracing::debug!(identity_provider.id = %known.id, %reason, "a token was turned away");
                    if let Turned::Keys(reason) = reason {
                        away = Some(reason.to_string());
                    }
                }
            }
        }
        Err(match away {
            Some(detail) => Error::Unavailable { detail, retry_after_s: 10 },
            None => unauthenticated(),
        })
    }

    async fn admit_by(
        &self,
        provider: &IdentityProvider,
        token: &Unverified<'_>,
        epoch: i64,
    ) -> Result<Admitted, Turned> {
        let (settings, now) = (&provider.settings, self.now());
        if !settings.algorithms().contains(&token.algorithm()) {
            return Err(Turned::Algorithm);
        }
        // Before its signature is verified: what is not for us or has ended makes nobody fetch keys.
        let ends = settings.admit(token.claimed(), now)?;
        let identities = &self.inner.identities;
        let keys = identities.keys.of(provider, &*self.inner.outbound, now, |keys| token.is_known_to(keys)).await?;
        let claims = token.verify(&keys)?;
        let identity = match settings.judge(claims).0.pop() {
            Some(Verdict::Matches(identity)) => identity,
            Some(Verdict::Unusable(why)) => return Err(Turned::Unusable(why)),
            Some(Verdict::NoMatch(_)) | None => return Err(Turned::NoRule),
        };
        let mut claims = claims.clone().into_map();
        // A token says neither whose it is nor that it is a certificate.
        claims.retain(|name, _| !name.starts_with(OWN_CLAIMS));
        claims.insert(PROVIDER_CLAIM.to_owned(), vec![settings.name().to_string()]);
        let id = format!("oidc:{}:{}", settings.name(), identity.subject);
        let workload = Workload {
            voucher: Voucher::Provider(provider.id.clone()),
            subject: identity.subject,
            groups: identity.groups.iter().map(ToString::to_string).collect(),
            claims,
            names: identity.names.map(|names| names.texts().to_vec()),
        };
        Ok(Admitted { id, workload, ends, epoch })
    }
}

/// Could the token be one of this provider's? Judged by what it claims alone.
fn is_meant(known: &IdentityProvider, wanted: Option<&Reference>, token: &Registered) -> bool {
    let named = wanted
        .is_none_or(|wanted| wanted.as_str() == known.id.as_str() || wanted.as_str() == known.settings.name().as_str());
    named && token.issuer.as_deref() == Some(known.settings.issuer())
}

/// The one answer to every token that does not let its bearer in.
fn unauthenticated() -> Error {
    Error::Unauthenticated {
        detail: "No identity provider lets this token in. An administrator can ask why: POST \
                 /v1/identity-providers/{name}/test."
            .to_owned(),
    }
}
