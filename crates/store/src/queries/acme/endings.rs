//! Orders that end with the certificates of a batch of the group commit.

use super::super::super::Connection;
use super::{Driver, Error, IssuedId, Result};
use crate::{OrderEnding, REPLACED};
use sqlx::{QueryBuilder, Row as _};
use std::collections::HashSet;

/// Ends orders that are still as they were judged, with account, directory and proofs, and whose key is no account's; the certificates whose orders have ended. Of two
/// for one order it is one.
pub(in super::super) async fn end(
    connection: &mut Connection,
    endings: &[(&OrderEnding, &IssuedId)],
) -> Result<HashSet<String>> {
    if endings.is_empty() {
        return Ok(HashSet::new());
    }
    let mut update = QueryBuilder::new("");
    push_end(&mut update, endings);
    let rows = update.build().fetch_all(connection).await.map_err(|error| match Error::from_driver(error) {
        Error::Conflict { .. } => Error::Conflict { what: REPLACED.to_owned() },
        other => other,
    })?;
    rows.iter().map(|row| row.try_get::<String, usize>(0).map_err(Error::from_driver)).collect()
}

/// Pushes the statement that ends them; a row for each that has ended.
pub(crate) fn push_end(update: &mut QueryBuilder<Driver>, endings: &[(&OrderEnding, &IssuedId)]) {
    // Always in one order, so that two batches do not wait for each other.
    let mut endings = endings.to_vec();
    endings.sort_by(|(a, _), (b, _)| a.order.as_str().cmp(b.order.as_str()));
    update.push("UPDATE acme_orders SET issued_id = v.column5, revision = acme_orders.revision + 1 FROM (");
    update.push_values(&endings, |mut row, (ending, issued)| {
        row.push_bind(ending.order.as_str())
            .push_bind(ending.revision)
            .push_bind(ending.account.0.as_str())
            .push_bind(ending.account.1)
            .push_bind(issued.as_str())
            .push_bind(ending.directory.0.as_str())
            .push_bind(ending.directory.1)
            .push_bind(ending.key.as_ref().map(|key| key.0.as_slice()));
    });
    update.push(
        ") AS v WHERE acme_orders.id = v.column1 AND acme_orders.revision = v.column2 AND acme_orders.issued_id IS NULL \
         AND EXISTS (SELECT 1 FROM acme_accounts a WHERE a.id = v.column3 AND a.revision = v.column4) \
         AND EXISTS (SELECT 1 FROM acme_directories d WHERE d.id = v.column6 AND d.revision = v.column7) \
         AND NOT EXISTS (SELECT 1 FROM acme_accounts k WHERE k.directory_id = v.column6 AND k.thumbprint = v.column8)",
    );
    let proofs: Vec<_> = endings
        .iter()
        .flat_map(|(ending, _)| ending.authorizations.iter().map(|(id, revision)| (&ending.order, id, *revision)))
        .collect();
    if !proofs.is_empty() {
        update.push(" AND NOT EXISTS (SELECT 1 FROM (");
        update.push_values(proofs, |mut row, (order, id, revision)| {
            row.push_bind(order.as_str()).push_bind(id.as_str()).push_bind(revision);
        });
        update.push(
            ") AS w WHERE w.column1 = v.column1 AND NOT EXISTS (SELECT 1 FROM acme_authorizations p \
             WHERE p.id = w.column2 AND p.revision = w.column3))",
        );
    }
    update.push(" RETURNING issued_id");
}
