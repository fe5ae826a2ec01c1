//! External account bindings (RFC 8555 section 7.3.4): verifying one, and using its key.

use super::problem::{AcmeError, Problem, ProblemKind};
use super::view::{AcmeDoor, Binding, MacAlgorithm};
use crate::App;
use aws_lc_rs::hmac;
use certwright_domain::acme::Account;
use certwright_domain::id::EabKeyId;
use certwright_store::Queries;

impl App {
    /// Verifies a binding, in the transaction that makes the account, and gives the account what its key grants. Whether the key may
    /// still be used is for [`Self::use_binding`] to say.
    pub(super) async fn bind_account(
        &self,
        queries: &mut dyn Queries,
        door: &AcmeDoor,
        binding: &Binding,
        account: &mut Account,
    ) -> Result<(), AcmeError> {
        let keys = self.acme_keys().await?;
        let known = match EabKeyId::parse(&binding.key_id) {
            Ok(id) => queries.eab_key(&id).await?,
            Err(_) => None,
        };
        let algorithm = match binding.algorithm {
            MacAlgorithm::Hs256 => hmac::HMAC_SHA256,
            MacAlgorithm::Hs384 => hmac::HMAC_SHA384,
            MacAlgorithm::Hs512 => hmac::HMAC_SHA512,
        };
        // Also where the key is unknown: the time it takes tells nothing.
        let id = known.as_ref().map_or_else(|| EabKeyId::new(self.now(), [0; 10]), |key| key.id.clone());
        let mac_key = hmac::Key::new(algorithm, keys.binding_key(&id).expose());
        let genuine = hmac::verify(&mac_key, &binding.message, &binding.mac).is_ok();
        let key = known.filter(|key| genuine && key.directory == door.directory.id).ok_or_else(refused)?;
        account.eab_key = Some(key.id.clone());
        account.grant = key.grant;
        Ok(())
    }

    /// Uses the key of an account that is stored in this transaction already, so that of two requests with one account key the second
    /// finds the account of the first, and not its binding used up. Others that use the key at the same time are waited for.
    pub(super) async fn use_binding(&self, queries: &mut dyn Queries, account: &Account) -> Result<(), AcmeError> {
        let Some(key) = &account.eab_key else { return Ok(()) };
        match queries.use_eab_key(key, self.now()).await? {
            true => Ok(()),
            false => Err(refused().into()),
        }
    }
}

/// Unknown, wrong, used up, ended and revoked keys are refused alike.
fn refused() -> Problem {
    Problem::new(
        ProblemKind::Unauthorized,
        "The external account binding is not accepted: its key is unknown or at an end, or the MAC is wrong.",
    )
}
