//! Orders and authorizations.

use super::super::super::EACH_PROOF;
use super::{
    AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeFilter, AcmeOrderId, Authorization, Driver, Error,
    IssuedId, KnownProofs, Order, Page, PageRequest, ProofSearch, Reading, Result, Row, Session, Timestamp, clamp,
    cursor, id_after, name_page, newest_first, one_more, sql,
};
use crate::documents::{read_authorization_ids, read_challenges, read_identifiers, write_challenges};
use certwright_domain::acme::{AuthorizationState, ChallengeState, Identifier, OrderEnd, OrderError};
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
    let due_at = row.time_optional("due_at")?;
    let mut challenges = row.document("challenges", read_challenges)?;
    // Older rows have one time for the one challenge that could be looked at.
    for challenge in challenges.iter_mut().filter(|it| it.state == ChallengeState::Processing) {
        challenge.due_at = challenge.due_at.or(due_at);
    }
    Ok(Authorization {
        id: row.parse(columns.id, AcmeAuthorizationId::parse)?,
        account: row.parse("account_id", AcmeAccountId::parse)?,
        directory: row.parse("directory_id", AcmeDirectoryId::parse)?,
        identifier: row.document("identifier", Identifier::from_stored)?,
        state: row.parse("state", AuthorizationState::parse)?,
        expires_at: row.time(columns.expires_at)?,
        challenges,
        due_at,
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

pub(super) fn push_authorization(query: &mut QueryBuilder<Driver>, id: &AcmeAuthorizationId) {
    query.push(select_authorization!("WHERE id = ")).push_bind(id.as_str());
}

pub(super) fn first_authorization(rows: &[Row]) -> Result<Option<Authorization>> {
    rows.first().map(read_authorization).transpose()
}

pub(super) async fn authorization(session: &mut Session, id: &AcmeAuthorizationId) -> Result<Option<Authorization>> {
    let mut query = QueryBuilder::<Driver>::new("");
    push_authorization(&mut query, id);
    first_authorization(&session.built(query).await?)
}

/// Pushes the statement that answers a [`ProofSearch`]: a row for each name, in no order, and more of them that belong to no name.
pub(super) fn push_search(query: &mut QueryBuilder<Driver>, search: &ProofSearch<'_>) {
    query.push(
        "SELECT CAST(w.column1 AS BIGINT) AS place, (SELECT COUNT(*) FROM (SELECT id FROM acme_authorizations WHERE account_id = ",
    );
    query.push_bind(search.account.as_str()).push(" AND state = 'pending' AND expires_at > ");
    query.push_bind(search.now.unix_ms()).push(" LIMIT ").push_bind(i64::from(search.most_pending));
    query.push(") AS few) AS pending, a.id, a.account_id, a.directory_id, a.created_at, a.identifier, a.state, a.expires_at, a.challenges, ");
    query.push("a.due_at, a.revision FROM (VALUES ");
    // Few texts, whatever the number of names: each is planned once.
    for place in 0..search.names.len().next_power_of_two() {
        query.push(if place == 0 { "(" } else { ", (" }).push(place).push(", ");
        match search.names.get(place) {
            Some(name) => query.push_bind(name.as_str()),
            None => query.push("NULL"),
        };
        query.push(")");
    }
    query.push(
        ") AS w LEFT JOIN acme_authorizations a ON a.id = (SELECT v.id FROM acme_authorizations v WHERE v.account_id = ",
    );
    query
        .push_bind(search.account.as_str())
        .push(" AND v.identifier = w.column2 AND v.state = 'valid' AND v.expires_at > ");
    query.push_bind(search.now.unix_ms()).push(" ORDER BY v.expires_at DESC LIMIT 1)");
}

pub(super) fn read_search(rows: &[Row], search: &ProofSearch<'_>) -> Result<KnownProofs> {
    let mut known = KnownProofs { valid: vec![None; search.names.len()], pending: 0 };
    for row in rows {
        let number = |column| row.try_get::<i64, _>(column).map_err(Error::from_driver);
        known.pending = u32::try_from(number("pending")?).unwrap_or(u32::MAX);
        let place = usize::try_from(number("place")?).unwrap_or(usize::MAX);
        if let Some(valid) = known.valid.get_mut(place) {
            *valid = if is_there(row, "id")? { Some(read_authorization(row)?) } else { None };
        }
    }
    Ok(known)
}

pub(super) async fn search(session: &mut Session, search: &ProofSearch<'_>) -> Result<KnownProofs> {
    let mut query = QueryBuilder::<Driver>::new("");
    push_search(&mut query, search);
    read_search(&session.built(query).await?, search)
}

/// Has an outer join found a row?
fn is_there(row: &Row, key: &str) -> Result<bool> {
    row.try_get::<Option<&str>, _>(key).map(|key| key.is_some()).map_err(Error::from_driver)
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

pub(super) fn push_with_proofs(query: &mut QueryBuilder<Driver>, id: &AcmeOrderId) {
    query.push(WITH_PROOFS).push(EACH_PROOF).push(" LEFT JOIN acme_authorizations a ON a.id = e.value WHERE o.id = ");
    query.push_bind(id.as_str()).push(" ORDER BY e.key");
}

pub(super) fn read_with_proofs(rows: &[Row]) -> Result<Option<(Order, Vec<Authorization>)>> {
    let Some(first) = rows.first() else { return Ok(None) };
    let order = read(first)?;
    let mut proofs = Vec::with_capacity(rows.len());
    for row in rows {
        if is_there(row, OF_ORDER.id)? {
            proofs.push(read_proof(row, &OF_ORDER)?);
        }
    }
    Ok(Some((order, proofs)))
}

pub(super) async fn with_proofs(
    session: &mut Session,
    id: &AcmeOrderId,
) -> Result<Option<(Order, Vec<Authorization>)>> {
    let mut query = QueryBuilder::<Driver>::new("");
    push_with_proofs(&mut query, id);
    read_with_proofs(&session.built(query).await?)
}

pub(super) async fn list(session: &mut Session, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<Order>> {
    let texts = (
        select_order!("WHERE id < $1 ORDER BY id DESC LIMIT $2"),
        select_order!("WHERE id < $1 AND directory_id = $3 ORDER BY id DESC LIMIT $2"),
        select_order!("WHERE id < $1 AND account_id = $3 ORDER BY id DESC LIMIT $2"),
    );
    newest_first(session, ORDERS, texts, filter, page, read, |order| order.id.as_str()).await
}

/// What `Order::state` calls invalid is left out by the statement itself, so that a page is full where there is more.
pub(super) async fn of_use(
    session: &mut Session,
    account: &AcmeAccountId,
    now: Timestamp,
    page: &PageRequest,
) -> Result<Page<Order>> {
    // `~` sorts behind every id.
    let before = id_after(ORDERS, page)?.unwrap_or_else(|| "~".to_owned());
    let mut query = QueryBuilder::<Driver>::new(select_order!("o WHERE o.account_id = "));
    query.push_bind(account.as_str().to_owned()).push(" AND o.id < ").push_bind(before);
    query.push(" AND (o.issued_id IS NOT NULL OR (o.error_kind IS NULL AND o.expires_at > ").push_bind(now.unix_ms());
    query.push(" AND NOT EXISTS (SELECT 1 FROM ").push(EACH_PROOF);
    query.push(" LEFT JOIN acme_authorizations a ON a.id = e.value WHERE a.id IS NULL OR a.state NOT IN (");
    query.push_bind(AuthorizationState::Pending.as_str()).push(", ").push_bind(AuthorizationState::Valid.as_str());
    query.push(") OR a.expires_at <= ").push_bind(now.unix_ms()).push("))) ORDER BY o.id DESC LIMIT ");
    query.push_bind(one_more(clamp(page)));
    let items = session.built(query).await?.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(name_page(items, page, |order| cursor::encode(ORDERS, &[order.id.as_str()])))
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
    // A certificate is replaced once, as long as it lives: the row that says so ends with it. Put off, it is not come by again until then.
    let put_off = sql("UPDATE acme_orders SET revision = revision + 1, expires_at = \
                       (SELECT i.not_after FROM issued_certificates i WHERE i.id = acme_orders.replaces_id) \
                       WHERE id IN (SELECT o.id FROM acme_orders o JOIN issued_certificates i ON i.id = o.replaces_id \
                       WHERE o.expires_at < $1 AND o.issued_id IS NOT NULL AND i.not_after >= $1 \
                       ORDER BY o.expires_at LIMIT $2)");
    let put_off = session.execute(put_off.bind(before.unix_ms()).bind(i64::from(limit))).await?;
    gone = gone.saturating_add(put_off);
    for (table, key) in [("acme_orders", "id"), ("acme_authorizations", "id")] {
        let mut statement = QueryBuilder::<Driver>::new("DELETE FROM ");
        statement.push(table).push(" WHERE ").push(key).push(" IN (SELECT ").push(key).push(" FROM ").push(table);
        statement.push(" WHERE expires_at < ").push_bind(before.unix_ms());
        statement.push(" ORDER BY expires_at LIMIT ").push_bind(i64::from(limit)).push(")");
        gone = gone.saturating_add(session.execute(statement.build()).await?);
    }
    Ok(gone)
}
