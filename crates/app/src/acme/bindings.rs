//! External account bindings (RFC 8555 section 7.3.4): verifying one, and using its key.

use super::problem::{AcmeError, Problem, ProblemKind};
use super::view::{AcmeDoor, Binding, MacAlgorithm};
use crate::App;
use aws_lc_rs::hmac;
use certwright_domain::acme::{Account, EabKey};
use certwright_domain::id::EabKeyId;
use certwright_store::Queries;

impl App {
    /// Verifies a binding and uses its key, in the transaction that makes the account. Unknown, wrong, used up, ended and
    /// revoked keys are refused alike.
    pub(super) async fn bind_account(
        &self,
        queries: &mut dyn Queries,
        door: &AcmeDoor,
        binding: &Binding,
        account: &mut Account,
    ) -> Result<(), AcmeError> {
        let refused = || {
            Problem::new(
                ProblemKind::Unauthorized,
                "The external account binding is not accepted: its key is unknown or at an end, or the MAC is wrong.",
            )
        };
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
        let now = self.now();
        let live = |key: &EabKey| key.directory == door.directory.id && key.is_live(now);
        let key = known.filter(|key| genuine && live(key)).ok_or_else(refused)?;
        account.eab_key = Some(key.id.clone());
        account.grant = key.grant.clone();
        match queries.update_eab_key(&key.used(now)).await {
            Ok(()) => Ok(()),
            // Another account was bound by it at the same time: the client asks again, and is told how it stands then.
            Err(error) => Err(error.into()),
        }
    }
}
