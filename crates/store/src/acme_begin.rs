//! Nonces, and what requests of ACME accounts begin with reading.
//!
//! A nonce is taken in a *relaxed* transaction: when a function of these returns, its commit is seen by every process and node and
//! outlives the end of this process, but nobody has waited for the disk.
//!
//! Both databases write one log in the order of commits and read it back up to its first gap. So whatever is committed
//! durably afterwards (the effect of the request whose nonce it was) takes its row to the disk with it or finds it
//! there: after a power cut a nonce can come back only if no later commit was acknowledged, its request's among them.

use crate::{AcmeNonce, Engine, Error, KnownProofs, ProofSearch, Store, postgres, sqlite};
use certwright_domain::acme::{Authorization, Order};
use certwright_domain::id::{AcmeAuthorizationId, AcmeOrderId, IssuedId};
use certwright_domain::issued::IssuedCertificate;

/// Asks the database that there is; faults may come before and after.
macro_rules! ask {
    ($store:ident, $name:ident, $($question:ident)::+ ($($value:ident),+)) => {{
        $store.shared.faults.before($name)?;
        let answer = match &$store.shared.engine {
            Engine::Sqlite(database) => sqlite::$($question)::+(database, $($value),+).await?,
            Engine::Postgres(database) => postgres::$($question)::+(database, $($value),+).await?,
        };
        $store.shared.faults.after($name)?;
        Ok(answer)
    }};
}

/// `name` labels faults.
impl Store {
    /// Takes a nonce; false: it was used before.
    pub async fn take_acme_nonce(&self, name: &'static str, nonce: &AcmeNonce) -> Result<bool, Error> {
        ask!(self, name, take_nonce(nonce))
    }

    /// Takes a nonce and reads an order with its authorizations; `None`: the nonce was used before.
    pub async fn begin_with_acme_order(
        &self,
        name: &'static str,
        nonce: &AcmeNonce,
        id: &AcmeOrderId,
    ) -> Result<Option<Option<(Order, Vec<Authorization>)>>, Error> {
        ask!(self, name, queries::acme::beginnings::order(nonce, id))
    }

    /// Takes a nonce and reads an authorization; `None`: the nonce was used before.
    pub async fn begin_with_acme_authorization(
        &self,
        name: &'static str,
        nonce: &AcmeNonce,
        id: &AcmeAuthorizationId,
    ) -> Result<Option<Option<Authorization>>, Error> {
        ask!(self, name, queries::acme::beginnings::authorization(nonce, id))
    }

    /// Takes a nonce and looks for proofs; `None`: the nonce was used before.
    pub async fn begin_with_acme_search(
        &self,
        name: &'static str,
        nonce: &AcmeNonce,
        search: &ProofSearch<'_>,
    ) -> Result<Option<KnownProofs>, Error> {
        ask!(self, name, queries::acme::beginnings::search(nonce, search))
    }

    /// Takes a nonce and reads a certificate of the inventory; `None`: the nonce was used before.
    pub async fn begin_with_issued(
        &self,
        name: &'static str,
        nonce: &AcmeNonce,
        id: &IssuedId,
    ) -> Result<Option<Option<IssuedCertificate>>, Error> {
        ask!(self, name, queries::acme::beginnings::issued(nonce, id))
    }
}
