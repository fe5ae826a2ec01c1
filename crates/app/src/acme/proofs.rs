//! Authorizations and challenges (RFC 8555 sections 7.5, 7.5.1, 7.5.2).

use super::problem::{AcmeError, ProblemKind, absent, refuse};
use super::validation::LOOKING;
use super::view::AcmeCall;
use crate::App;
use certwright_domain::acme::{Authorization, Method};
use certwright_domain::id::AcmeAuthorizationId;

impl App {
    /// An authorization of the account.
    pub async fn acme_authorization(&self, call: &AcmeCall, id: &str) -> Result<Authorization, AcmeError> {
        let id = AcmeAuthorizationId::parse(id).map_err(|_| absent("authorization"))?;
        let found = self.inner.store.glance().await?.acme_authorization(&id).await?;
        found.filter(|it| it.account == call.account.id).ok_or_else(|| absent("authorization"))
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
                return self.acme_authorization(call, answered.id.as_str()).await;
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

    /// The authorization of a challenge.
    pub async fn acme_challenge(&self, call: &AcmeCall, id: &str, method: Method) -> Result<Authorization, AcmeError> {
        let found = self.acme_authorization(call, id).await.map_err(|error| match error {
            AcmeError::Problem(_) => absent("challenge"),
            other => other,
        })?;
        if found.challenge(method).is_none() {
            return Err(absent("challenge"));
        }
        Ok(found)
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
