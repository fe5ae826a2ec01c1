//! Accounts, and keys for external account bindings.

use super::super::super::KEEP;
use super::{
    Account, AcmeAccountId, AcmeDirectoryId, AcmeFilter, Driver, EabKey, EabKeyId, Page, PageRequest, Reading, Result,
    Row, Session, Sha256, newest_first, sql, swapped,
};
use crate::documents::{read_contacts, read_grant, write_contacts, write_grant};
use certwright_domain::acme::AccountState;
use certwright_domain::name::ResourceName;
use certwright_domain::time::Timestamp;
use sqlx::QueryBuilder;

const ACCOUNTS: &str = "acme_accounts";
const DIRECTORIES: &str = "acme_directories";
const EAB_KEYS: &str = "acme_eab_keys";

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT id, directory_id, created_at, eab_key_id, names, jwk, thumbprint, state, contacts, terms_agreed_at, \
             revision FROM acme_accounts ",
            $rest
        )
    };
}

macro_rules! select_eab_key {
    ($rest:literal) => {
        concat!(
            "SELECT id, directory_id, created_at, name, names, expires_at, uses_left, revoked_at, last_used_at, revision \
             FROM acme_eab_keys ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<Account> {
    let row = Reading::of(row, ACCOUNTS, "id")?;
    Ok(Account {
        id: row.parse("id", AcmeAccountId::parse)?,
        directory: row.parse("directory_id", AcmeDirectoryId::parse)?,
        key: row.text("jwk")?,
        thumbprint: row.sha256("thumbprint")?,
        state: row.parse("state", AccountState::parse)?,
        contacts: row.document("contacts", read_contacts)?,
        terms_agreed_at: row.time_optional("terms_agreed_at")?,
        eab_key: row.parse_optional("eab_key_id", EabKeyId::parse)?,
        grant: read_grant(row.get("names")?).ok_or_else(|| row.corrupt("names"))?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

fn read_eab_key(row: &Row) -> Result<EabKey> {
    let row = Reading::of(row, EAB_KEYS, "id")?;
    Ok(EabKey {
        id: row.parse("id", EabKeyId::parse)?,
        directory: row.parse("directory_id", AcmeDirectoryId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        grant: read_grant(row.get("names")?).ok_or_else(|| row.corrupt("names"))?,
        uses_left: row.number_optional("uses_left")?,
        expires_at: row.time_optional("expires_at")?,
        revoked_at: row.time_optional("revoked_at")?,
        created_at: row.time("created_at")?,
        last_used_at: row.time_optional("last_used_at")?,
        revision: row.get("revision")?,
    })
}

/// A directory may be deleted at this moment, on another node: its row is kept until the transaction ends, or there is no account.
pub(super) async fn insert(session: &mut Session, account: &Account) -> Result<()> {
    let mut statement = QueryBuilder::<Driver>::new(
        "INSERT INTO acme_accounts (id, directory_id, created_at, eab_key_id, names, jwk, thumbprint, state, contacts, \
         terms_agreed_at, revision) SELECT ",
    );
    let mut values = statement.separated(", ");
    values.push_bind(account.id.as_str());
    values.push("d.id");
    values.push_bind(account.created_at.unix_ms());
    values.push_bind(account.eab_key.as_ref().map(EabKeyId::as_str));
    values.push_bind(write_grant(&account.grant));
    values.push_bind(account.key.as_str());
    values.push_bind(account.thumbprint.0.as_slice());
    values.push_bind(account.state.as_str());
    values.push_bind(write_contacts(&account.contacts));
    values.push_bind(account.terms_agreed_at.map(Timestamp::unix_ms));
    values.push_bind(account.revision);
    statement.push(" FROM acme_directories d WHERE d.id = ").push_bind(account.directory.as_str()).push(KEEP);
    swapped(session.execute(statement.build()).await?, DIRECTORIES)
}

pub(super) async fn find(session: &mut Session, id: &AcmeAccountId) -> Result<Option<Account>> {
    let row = session.optional(sql(select_account!("WHERE id = $1")).bind(id.as_str())).await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn of_key(
    session: &mut Session,
    directory: &AcmeDirectoryId,
    key: &Sha256,
) -> Result<Option<Account>> {
    let statement = sql(select_account!("WHERE directory_id = $1 AND thumbprint = $2"));
    let row = session.optional(statement.bind(directory.as_str()).bind(key.0.as_slice())).await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn list(session: &mut Session, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<Account>> {
    let texts = (
        select_account!("WHERE id < $1 ORDER BY id DESC LIMIT $2"),
        select_account!("WHERE id < $1 AND directory_id = $3 ORDER BY id DESC LIMIT $2"),
        select_account!("WHERE id < $1 AND id = $3 ORDER BY id DESC LIMIT $2"),
    );
    newest_first(session, ACCOUNTS, texts, filter, page, read, |account| account.id.as_str()).await
}

pub(super) async fn any_in(session: &mut Session, directory: &AcmeDirectoryId) -> Result<bool> {
    let statement = sql("SELECT id FROM acme_accounts WHERE directory_id = $1 LIMIT 1").bind(directory.as_str());
    Ok(session.optional(statement).await?.is_some())
}

pub(super) async fn update(session: &mut Session, account: &Account) -> Result<()> {
    let statement = sql("UPDATE acme_accounts SET jwk = $3, thumbprint = $4, state = $5, contacts = $6, \
                         terms_agreed_at = $7, revision = revision + 1 WHERE id = $1 AND revision = $2")
    .bind(account.id.as_str())
    .bind(account.revision)
    .bind(account.key.as_str())
    .bind(account.thumbprint.0.as_slice())
    .bind(account.state.as_str())
    .bind(write_contacts(&account.contacts))
    .bind(account.terms_agreed_at.map(Timestamp::unix_ms));
    swapped(session.execute(statement).await?, ACCOUNTS)
}

pub(super) async fn insert_eab_key(session: &mut Session, key: &EabKey) -> Result<()> {
    let statement =
        sql("INSERT INTO acme_eab_keys (id, directory_id, created_at, name, names, expires_at, uses_left, \
                         revoked_at, last_used_at, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(key.id.as_str())
        .bind(key.directory.as_str())
        .bind(key.created_at.unix_ms())
        .bind(key.name.as_str())
        .bind(write_grant(&key.grant))
        .bind(key.expires_at.map(Timestamp::unix_ms))
        .bind(key.uses_left.map(i64::from))
        .bind(key.revoked_at.map(Timestamp::unix_ms))
        .bind(key.last_used_at.map(Timestamp::unix_ms))
        .bind(key.revision);
    session.execute(statement).await.map(drop)
}

pub(super) async fn eab_key(session: &mut Session, id: &EabKeyId) -> Result<Option<EabKey>> {
    let row = session.optional(sql(select_eab_key!("WHERE id = $1")).bind(id.as_str())).await?;
    row.as_ref().map(read_eab_key).transpose()
}

pub(super) async fn eab_keys(session: &mut Session, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<EabKey>> {
    let texts = (
        select_eab_key!("WHERE id < $1 ORDER BY id DESC LIMIT $2"),
        select_eab_key!("WHERE id < $1 AND directory_id = $3 ORDER BY id DESC LIMIT $2"),
        select_eab_key!("WHERE id < $1 AND id = $3 ORDER BY id DESC LIMIT $2"),
    );
    newest_first(session, EAB_KEYS, texts, filter, page, read_eab_key, |key| key.id.as_str()).await
}

/// Without the revision: many use one key at once, and each waits for those before it and counts what they left.
pub(super) async fn use_eab_key(session: &mut Session, id: &EabKeyId, now: Timestamp) -> Result<bool> {
    let statement =
        sql("UPDATE acme_eab_keys SET uses_left = uses_left - 1, last_used_at = $2, revision = revision + 1 \
                         WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) \
                         AND (uses_left IS NULL OR uses_left > 0)")
        .bind(id.as_str())
        .bind(now.unix_ms());
    Ok(session.execute(statement).await? == 1)
}

pub(super) async fn revoke_eab_key(session: &mut Session, id: &EabKeyId, now: Timestamp) -> Result<bool> {
    let statement = sql("UPDATE acme_eab_keys SET revoked_at = $2, revision = revision + 1 \
                         WHERE id = $1 AND revoked_at IS NULL")
    .bind(id.as_str())
    .bind(now.unix_ms());
    Ok(session.execute(statement).await? == 1)
}
