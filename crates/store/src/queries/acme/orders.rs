//! Orders and authorizations.

use super::super::super::EACH_PROOF;
use super::{
    AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeFilter, AcmeOrderId, Authorization, Driver, Error,
    IssuedId, Order, Page, PageRequest, Reading, Result, Row, Session, Timestamp, newest_first, sql,
};
use crate::documents::{read_authorization_ids, read_challenges, read_identifiers, write_challenges};
use certwright_domain::acme::{AuthorizationState, Identifier, OrderEnd, OrderError};
use certwright_domain::name::ResourceName;
use sqlx::{QueryBuilder, Row as _};

const ORDERS: &str = "acme_orders";
const AUTHORIZATIONS: &str = "acme_authorizations";

macro_rules! select_order {
    ($rest:literal) => {
        concat!(
            "SELECT id, account_id, directory_id, created_at, identifiers, authorizations, profile, not_before, not_after, \
             replaces_id, replaces, expires_at, issued_id, error_kind, error_detail, revision FROM acme_orders ",
            $rest
        )
    };
}

macro_rules! select_authorization {
    ($rest:literal) => {
        concat!(
            "SELECT id, account_id, directory_id, created_at, identifier, state, expires_at, challenges, due_at, revision \
             FROM acme_authorizations ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<Order> {
    let row = Reading::of(row, ORDERS, "id")?;
    let replaces_id = row.parse_optional("replaces_id", IssuedId::parse)?;
    let replaces: Option<String> = row.get("replaces")?;
    let error_kind: Option<String> = row.get("error_kind")?;
    let error_detail: Option<String> = row.get("error_detail")?;
    let end = match (row.parse_optional("issued_id", IssuedId::parse)?, error_kind, error_detail) {
        (Some(issued), _, _) => Some(OrderEnd::Valid(issued)),
        (None, Some(kind), Some(detail)) => Some(OrderEnd::Invalid(OrderError { kind, detail })),
        (None, _, _) => None,
    };
    Ok(Order {
        id: row.parse("id", AcmeOrderId::parse)?,
        account: row.parse("account_id", AcmeAccountId::parse)?,
        directory: row.parse("directory_id", AcmeDirectoryId::parse)?,
        identifiers: row.document("identifiers", read_identifiers)?,
        authorizations: row.document("authorizations", read_authorization_ids)?,
        profile: row.parse("profile", ResourceName::parse)?,
        not_before: row.time_optional("not_before")?,
        not_after: row.time_optional("not_after")?,
        replaces: replaces_id.zip(replaces),
        expires_at: row.time("expires_at")?,
        end,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

/// What the columns of an authorization are called that an order has, too.
struct ProofColumns {
    id: &'static str,
    expires_at: &'static str,
    created_at: &'static str,
    revision: &'static str,
}

const ALONE: ProofColumns =
    ProofColumns { id: "id", expires_at: "expires_at", created_at: "created_at", revision: "revision" };
const OF_ORDER: ProofColumns = ProofColumns {
    id: "proof_id",
    expires_at: "proof_expires_at",
    created_at: "proof_created_at",
    revision: "proof_revision",
};
/// An order with its authorizations, a row for each.
const WITH_PROOFS: &str = "SELECT o.id, o.account_id, o.directory_id, o.created_at, o.identifiers, o.authorizations, o.profile, \
     o.not_before, o.not_after, o.replaces_id, o.replaces, o.expires_at, o.issued_id, o.error_kind, o.error_detail, \
     o.revision, a.id AS proof_id, a.identifier, a.state, a.expires_at AS proof_expires_at, a.challenges, a.due_at, \
     a.created_at AS proof_created_at, a.revision AS proof_revision FROM acme_orders o CROSS JOIN ";

fn read_authorization(row: &Row) -> Result<Authorization> {
    read_proof(row, &ALONE)
}

/// The authorizations of an order are those of its account in its directory: both have them.
fn read_proof(row: &Row, columns: &ProofColumns) -> Result<Authorization> {
    let row = Reading::of(row, AUTHORIZATIONS, columns.id)?;
    Ok(Authorization {
        id: row.parse(columns.id, AcmeAuthorizationId::parse)?,
        account: row.parse("account_id", AcmeAccountId::parse)?,
        directory: row.parse("directory_id", AcmeDirectoryId::parse)?,
        identifier: row.document("identifier", Identifier::from_stored)?,
        state: row.parse("state", AuthorizationState::parse)?,
        expires_at: row.time(columns.expires_at)?,
        challenges: row.document("challenges", read_challenges)?,
        due_at: row.time_optional("due_at")?,
        created_at: row.time(columns.created_at)?,
        revision: row.get(columns.revision)?,
    })
}

pub(super) async fn insert_authorization(session: &mut Session, authorization: &Authorization) -> Result<()> {
    let statement =
        sql("INSERT INTO acme_authorizations (id, account_id, directory_id, created_at, identifier, state, \
                         expires_at, challenges, due_at, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(authorization.id.as_str())
        .bind(authorization.account.as_str())
        .bind(authorization.directory.as_str())
        .bind(authorization.created_at.unix_ms())
        .bind(authorization.identifier.to_string())
        .bind(authorization.state.as_str())
        .bind(authorization.expires_at.unix_ms())
        .bind(write_challenges(&authorization.challenges))
        .bind(authorization.due_at.map(Timestamp::unix_ms))
        .bind(authorization.revision);
    session.execute(statement).await.map(drop)
}

pub(super) async fn authorization(session: &mut Session, id: &AcmeAuthorizationId) -> Result<Option<Authorization>> {
    let row = session.optional(sql(select_authorization!("WHERE id = $1")).bind(id.as_str())).await?;
    row.as_ref().map(read_authorization).transpose()
}

pub(super) async fn valid_authorization(
    session: &mut Session,
    account: &AcmeAccountId,
    identifier: &str,
    now: Timestamp,
) -> Result<Option<Authorization>> {
    let statement = sql(select_authorization!(
        "WHERE account_id = $1 AND identifier = $2 AND state = 'valid' AND expires_at > $3 \
         ORDER BY expires_at DESC LIMIT 1"
    ));
    let row = session.optional(statement.bind(account.as_str()).bind(identifier).bind(now.unix_ms())).await?;
    row.as_ref().map(read_authorization).transpose()
}

pub(super) async fn count_pending(
    session: &mut Session,
    account: &AcmeAccountId,
    now: Timestamp,
    most: u32,
) -> Result<u32> {
    let statement = sql("SELECT 'all' AS id, COUNT(*) AS found FROM (SELECT id FROM acme_authorizations \
                         WHERE account_id = $1 AND state = 'pending' AND expires_at > $2 LIMIT $3) AS pending");
    let statement = statement.bind(account.as_str()).bind(now.unix_ms()).bind(i64::from(most));
    let row = session.optional(statement).await?;
    row.as_ref().map_or(Ok(0), |row| Reading::of(row, AUTHORIZATIONS, "id")?.number("found"))
}

pub(super) async fn due(session: &mut Session, now: Timestamp, limit: u32) -> Result<Vec<Authorization>> {
    let statement = sql(select_authorization!("WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at LIMIT $2"));
    let rows = session.all(statement.bind(now.unix_ms()).bind(i64::from(limit))).await?;
    rows.iter().map(read_authorization).collect()
}

pub(super) async fn find(session: &mut Session, id: &AcmeOrderId) -> Result<Option<Order>> {
    let row = session.optional(sql(select_order!("WHERE id = $1")).bind(id.as_str())).await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn with_proofs(
    session: &mut Session,
    id: &AcmeOrderId,
) -> Result<Option<(Order, Vec<Authorization>)>> {
    let mut query = QueryBuilder::<Driver>::new(WITH_PROOFS);
    query.push(EACH_PROOF).push(" LEFT JOIN acme_authorizations a ON a.id = e.value WHERE o.id = ");
    query.push_bind(id.as_str()).push(" ORDER BY e.key");
    let rows = session.built(query).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let order = read(first)?;
    let mut proofs = Vec::with_capacity(rows.len());
    for row in &rows {
        let is_there: Option<&str> = row.try_get(OF_ORDER.id).map_err(Error::from_driver)?;
        if is_there.is_some() {
            proofs.push(read_proof(row, &OF_ORDER)?);
        }
    }
    Ok(Some((order, proofs)))
}

pub(super) async fn list(session: &mut Session, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<Order>> {
    let texts = (
        select_order!("WHERE id < $1 ORDER BY id DESC LIMIT $2"),
        select_order!("WHERE id < $1 AND directory_id = $3 ORDER BY id DESC LIMIT $2"),
        select_order!("WHERE id < $1 AND account_id = $3 ORDER BY id DESC LIMIT $2"),
    );
    newest_first(session, ORDERS, texts, filter, page, read, |order| order.id.as_str()).await
}

pub(super) async fn replacing(session: &mut Session, issued: &IssuedId) -> Result<Option<AcmeOrderId>> {
    let statement = sql("SELECT id FROM acme_orders WHERE replaces_id = $1 AND issued_id IS NOT NULL");
    let row = session.optional(statement.bind(issued.as_str())).await?;
    row.as_ref().map(|row| Reading::of(row, ORDERS, "id")?.parse("id", AcmeOrderId::parse)).transpose()
}

pub(super) async fn purge(
    session: &mut Session,
    nonces_before: Timestamp,
    before: Timestamp,
    limit: u32,
) -> Result<u64> {
    // Nonces begin with the time at which they were made: the first ones are those that end first, and need no index for it.
    let nonces = sql("DELETE FROM acme_nonces WHERE nonce IN (SELECT nonce FROM acme_nonces ORDER BY nonce LIMIT $1) \
                      AND expires_at < $2");
    let mut gone = session.execute(nonces.bind(i64::from(limit)).bind(nonces_before.unix_ms())).await?;
    for (table, key) in [("acme_orders", "id"), ("acme_authorizations", "id")] {
        let mut statement = QueryBuilder::<Driver>::new("DELETE FROM ");
        statement.push(table).push(" WHERE ").push(key).push(" IN (SELECT ").push(key).push(" FROM ").push(table);
        statement.push(" WHERE expires_at < ").push_bind(before.unix_ms());
        statement.push(" ORDER BY expires_at LIMIT ").push_bind(i64::from(limit)).push(")");
        gone = gone.saturating_add(session.execute(statement.build()).await?);
    }
    Ok(gone)
}
