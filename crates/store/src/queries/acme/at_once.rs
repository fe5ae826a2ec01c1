//! Writes that are a whole transaction in one statement, durable when it returns: one turn of the connection in place of four.

use super::super::super::{DURABLE, TOGETHER, Together};
use super::super::{Database, Session};
use super::{Authorization, Driver, Error, Order, Result, Timestamp};
use crate::documents::{write_authorization_ids, write_challenges, write_identifiers};
use sqlx::QueryBuilder;

/// Stores an order with the authorizations that are new.
pub(crate) async fn place(database: &Database, order: &Order, authorizations: &[&Authorization]) -> Result<()> {
    let Together { begin, first, between, end } = TOGETHER;
    let mut statement = QueryBuilder::<Driver>::new(begin);
    if !authorizations.is_empty() {
        statement.push(first);
        push_authorizations(&mut statement, authorizations);
        statement.push(between);
    }
    push_order(&mut statement, order);
    statement.push(end);
    Session::at_once(database, statement).await.map(drop)
}

fn push_authorizations(statement: &mut QueryBuilder<Driver>, authorizations: &[&Authorization]) {
    statement.push(
        "INSERT INTO acme_authorizations (id, account_id, directory_id, created_at, identifier, state, expires_at, \
         challenges, due_at, revision) ",
    );
    statement.push_values(authorizations, |mut row, it| {
        row.push_bind(it.id.as_str().to_owned())
            .push_bind(it.account.as_str().to_owned())
            .push_bind(it.directory.as_str().to_owned())
            .push_bind(it.created_at.unix_ms())
            .push_bind(it.identifier.to_string())
            .push_bind(it.state.as_str())
            .push_bind(it.expires_at.unix_ms())
            .push_bind(write_challenges(&it.challenges))
            .push_bind(it.due_at.map(Timestamp::unix_ms))
            .push_bind(it.revision);
    });
}

fn push_order(statement: &mut QueryBuilder<Driver>, order: &Order) {
    statement.push(
        "INSERT INTO acme_orders (id, account_id, directory_id, created_at, identifiers, authorizations, profile, \
         not_before, not_after, replaces_id, replaces, expires_at, revision) ",
    );
    let replaces = order.replaces.as_ref();
    statement.push_values([order], |mut row, it| {
        row.push_bind(it.id.as_str().to_owned())
            .push_bind(it.account.as_str().to_owned())
            .push_bind(it.directory.as_str().to_owned())
            .push_bind(it.created_at.unix_ms())
            .push_bind(write_identifiers(&it.identifiers))
            .push_bind(write_authorization_ids(&it.authorizations))
            .push_bind(it.profile.as_str().to_owned())
            .push_bind(it.not_before.map(Timestamp::unix_ms))
            .push_bind(it.not_after.map(Timestamp::unix_ms))
            .push_bind(replaces.map(|(id, _)| id.as_str().to_owned()))
            .push_bind(replaces.map(|(_, text)| text.clone()))
            .push_bind(it.expires_at.unix_ms())
            .push_bind(it.revision);
    });
}

/// Writes what changes of the row that still has `authorization.revision`, and raises the revision.
pub(crate) async fn write_authorization(database: &Database, authorization: &Authorization) -> Result<()> {
    let mut statement = QueryBuilder::<Driver>::new(DURABLE);
    statement.push("UPDATE acme_authorizations SET state = ").push_bind(authorization.state.as_str());
    statement.push(", expires_at = ").push_bind(authorization.expires_at.unix_ms());
    statement.push(", challenges = ").push_bind(write_challenges(&authorization.challenges));
    statement.push(", due_at = ").push_bind(authorization.due_at.map(Timestamp::unix_ms));
    statement.push(", revision = revision + 1 WHERE id = ").push_bind(authorization.id.as_str());
    statement.push(" AND revision = ").push_bind(authorization.revision).push(" RETURNING id");
    match Session::at_once(database, statement).await?.len() {
        0 => Err(Error::Stale { what: "acme_authorizations" }),
        _ => Ok(()),
    }
}
