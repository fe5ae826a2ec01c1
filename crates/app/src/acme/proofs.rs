//! Authorizations and challenges (RFC 8555 sections 7.5, 7.5.1, 7.5.2).

use super::nonces::{Begun, GivenNonce, TAKE, begun};
use super::problem::{AcmeError, ProblemKind, absent, refuse};
use super::validation::LOOKING;
use super::view::AcmeCall;
use crate::App;
use certwright_domain::acme::{Authorization, Method};
use certwright_domain::id::AcmeAuthorizationId;

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
    /// answer. Nothing is promised before it is written: a request that is cut off in the middle is asked again. An
    /// authorization that has come to an end, or that is being looked at, is answered as it is.
    pub async fn answer_acme_challenge(
        &self,
        call: &AcmeCall,
        found: Authorization,
        method: Method,
    ) -> Result<Authorization, AcmeError> {
        if found.account != call.account.id {
            return Err(absent("challenge"));
        }
        let now = self.now();
        // Claimed by this node: others look when it has not come back by then.
        let Some(answered) = found.answered(method, now.plus(LOOKING), now) else { return Ok(found) };
        self.may_try_again(call.account.id.as_str(), &found.identifier.to_string())?;
        let looked = self.look_first(call, &answered).await;
        let after = looked.as_ref().map_or(&answered, |(_, after)| after);
        match self.inner.store.write_acme_authorization("acme.answer-challenge", after).await {
            Ok(()) => {}
            // Another request was faster.
            Err(certwright_store::Error::Stale { .. }) => {
                let found = self.inner.store.glance().await?.acme_authorization(&answered.id).await?;
                return own(call, found, "authorization");
            }
            Err(error) => return Err(error.into()),
        }
        match &looked {
            Some((outcome, after)) => self.tell_of_attempt(&call.account, &call.door.directory, after, outcome),
            None => self.inner.acme.queue.push(answered.id.clone()),
        }
        let after = looked.map_or(answered, |(_, after)| after);
        Ok(Authorization { revision: after.revision.saturating_add(1), ..after })
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
