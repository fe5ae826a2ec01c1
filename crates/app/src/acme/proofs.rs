//! Authorizations and challenges (RFC 8555 sections 7.5, 7.5.1, 7.5.2).

use super::nonces::{Begun, GivenNonce, TAKE, begun};
use super::problem::{AcmeError, ProblemKind, absent, refuse, unavailable};
use super::validation::{AcmeProof, LOOKING, WRITES};
use super::view::AcmeCall;
use crate::App;
use certwright_domain::acme::{Authorization, Method};
use certwright_domain::id::AcmeAuthorizationId;
use certwright_domain::time::Timestamp;

impl App {
    /// Begins with an authorization of the account.
    pub async fn begin_with_acme_authorization(
        &self,
        call: &AcmeCall,
        nonce: GivenNonce,
        id: &str,
    ) -> Result<Begun<Authorization>, AcmeError> {
        self.begin_with_proof(call, nonce, id, "authorization").await
    }

    /// `kind`: what is absent when the authorization is.
    async fn begin_with_proof(
        &self,
        call: &AcmeCall,
        nonce: GivenNonce,
        id: &str,
        kind: &'static str,
    ) -> Result<Begun<Authorization>, AcmeError> {
        let Ok(id) = AcmeAuthorizationId::parse(id) else { return self.begin_refused(nonce, absent(kind)).await };
        let begun = begun(self.inner.store.begin_with_acme_authorization(TAKE, &nonce.0, &id).await)?;
        Ok(begun.and_then(|found| own(call, found, kind)))
    }

    /// The account is ready for a challenge: somebody looks, on this node at once, and where that takes no time before the
    /// answer. Nothing is promised before it is written: a request that is cut off in the middle is asked again. A challenge that
    /// has come to an end, or that is being looked at, is answered as it is; several are looked at side by side.
    pub async fn answer_acme_challenge(
        &self,
        call: &AcmeCall,
        found: Authorization,
        method: Method,
    ) -> Result<Authorization, AcmeError> {
        if found.account != call.account.id {
            return Err(absent("challenge"));
        }
        // Claimed by this node: others look when it has not come back by then.
        let answer = |found: &Authorization, now: Timestamp| found.answered(method, now.plus(LOOKING), now);
        let Some(answered) = answer(&found, self.now()) else { return Ok(found) };
        self.may_try_again(call.account.id.as_str(), &found.identifier.to_string())?;
        let outcome = self.look_first(call, &answered, method).await;
        let settings = &call.door.directory.settings;
        let mut found = found;
        for _ in 0..WRITES {
            let now = self.now();
            let Some(answered) = answer(&found, now) else { return Ok(found) };
            let valid_until = now.plus(settings.authorization_lifetime());
            let attempted = |outcome| answered.attempted(outcome, settings.vantage_points(), valid_until, now);
            let looked = outcome.as_ref().and_then(|outcome| Some((outcome, attempted(outcome)?)));
            let after = looked.as_ref().map_or(&answered, |(_, after)| after);
            match self.inner.store.write_acme_authorization("acme.answer-challenge", after).await {
                Ok(()) => {}
                // Another request was faster, perhaps with another challenge.
                Err(certwright_store::Error::Stale { .. }) => {
                    let again = self.inner.store.glance().await?.acme_authorization(&found.id).await?;
                    found = own(call, again, "authorization")?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            match &looked {
                Some((outcome, after)) => self.tell_of_attempt(&call.account, &call.door.directory, after, outcome),
                None => self.inner.acme.queue.push(AcmeProof { authorization: found.id.clone(), method }),
            }
            let after = looked.map_or(answered, |(_, after)| after);
            return Ok(Authorization { revision: after.revision.saturating_add(1), ..after });
        }
        Err(unavailable().into())
    }

    /// Begins with the authorization of a challenge.
    pub async fn begin_with_acme_challenge(
        &self,
        call: &AcmeCall,
        nonce: GivenNonce,
        id: &str,
        method: Method,
    ) -> Result<Begun<Authorization>, AcmeError> {
        let begun = self.begin_with_proof(call, nonce, id, "challenge").await?;
        Ok(begun.and_then(|found| match found.challenge(method) {
            Some(_) => Ok(found),
            None => Err(absent("challenge")),
        }))
    }

    /// The account gives an authorization up; orders that need it come to nothing.
    pub async fn deactivate_acme_authorization(
        &self,
        call: &AcmeCall,
        found: Authorization,
    ) -> Result<Authorization, AcmeError> {
        if found.account != call.account.id {
            return Err(absent("authorization"));
        }
        let Some(after) = found.deactivated(self.now()) else {
            if found.state == certwright_domain::acme::AuthorizationState::Deactivated {
                return Ok(found);
            }
            return refuse(ProblemKind::Malformed, "The authorization has come to an end already.");
        };
        self.inner.store.write_acme_authorization("acme.deactivate-authz", &after).await?;
        Ok(Authorization { revision: after.revision.saturating_add(1), ..after })
    }
}

fn own(call: &AcmeCall, found: Option<Authorization>, kind: &'static str) -> Result<Authorization, AcmeError> {
    found.filter(|it| it.account == call.account.id).ok_or_else(|| absent(kind))
}
