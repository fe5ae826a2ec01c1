//! What requests of accounts begin with: their nonce is taken, and what they are about is read.

use super::super::super::take_nonce_and_read;
use super::super::issued::{first_issued, push_issued};
use super::super::{Database, Result};
use super::{AcmeAuthorizationId, AcmeOrderId, Authorization, IssuedId, KnownProofs, Order, ProofSearch, orders};
use crate::AcmeNonce;
use certwright_domain::issued::IssuedCertificate;

pub(crate) async fn order(
    database: &Database,
    nonce: &AcmeNonce,
    id: &AcmeOrderId,
) -> Result<Option<Option<(Order, Vec<Authorization>)>>> {
    let rows = take_nonce_and_read(database, nonce, |query| orders::push_with_proofs(query, id)).await?;
    rows.map(|rows| orders::read_with_proofs(&rows)).transpose()
}

pub(crate) async fn authorization(
    database: &Database,
    nonce: &AcmeNonce,
    id: &AcmeAuthorizationId,
) -> Result<Option<Option<Authorization>>> {
    let rows = take_nonce_and_read(database, nonce, |query| orders::push_authorization(query, id)).await?;
    rows.map(|rows| orders::first_authorization(&rows)).transpose()
}

pub(crate) async fn search(
    database: &Database,
    nonce: &AcmeNonce,
    search: &ProofSearch<'_>,
) -> Result<Option<KnownProofs>> {
    let rows = take_nonce_and_read(database, nonce, |query| orders::push_search(query, search)).await?;
    rows.map(|rows| orders::read_search(&rows, search)).transpose()
}

pub(crate) async fn issued(
    database: &Database,
    nonce: &AcmeNonce,
    id: &IssuedId,
) -> Result<Option<Option<IssuedCertificate>>> {
    let rows = take_nonce_and_read(database, nonce, |query| push_issued(query, id)).await?;
    rows.map(|rows| first_issued(&rows)).transpose()
}
