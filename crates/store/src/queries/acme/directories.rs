//! Directories, the secret, nonces.

use super::{
    AcmeDirectoryId, Directory, Error, Page, PageRequest, Reading, Reference, Result, Row, SealedBlob, Session,
    by_name, clamp, name_after, one_more, sql, swapped,
};
use crate::documents::{read_directory, write_directory};
use certwright_domain::id::{CaId, looks_like_id};

const DIRECTORIES: &str = "acme_directories";
const SECRETS: &str = "acme_secrets";

macro_rules! select_directory {
    ($rest:literal) => {
        concat!("SELECT id, ca_id, created_at, name, settings, enabled, revision FROM acme_directories ", $rest)
    };
}

fn read(row: &Row) -> Result<Directory> {
    let row = Reading::of(row, DIRECTORIES, "id")?;
    let (name, enabled): (String, bool) = (row.text("name")?, row.flag("enabled")?);
    Ok(Directory {
        id: row.parse("id", AcmeDirectoryId::parse)?,
        ca: row.parse("ca_id", CaId::parse)?,
        settings: row.document("settings", |text| read_directory(name, enabled, text))?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

pub(super) async fn secret(session: &mut Session) -> Result<Option<(SealedBlob, String)>> {
    let row = session.optional(sql("SELECT sealed, root_key_id FROM acme_secrets WHERE id = 1")).await?;
    let Some(row) = row else { return Ok(None) };
    let row = Reading::of(&row, SECRETS, "root_key_id")?;
    Ok(Some((SealedBlob(row.blob("sealed")?), row.text("root_key_id")?)))
}

pub(super) async fn insert_secret(session: &mut Session, sealed: &SealedBlob, root_key_id: &str) -> Result<()> {
    let statement = sql("INSERT INTO acme_secrets (id, sealed, root_key_id) VALUES (1, $1, $2)");
    session.execute(statement.bind(sealed.0.as_slice()).bind(root_key_id)).await.map(drop)
}

pub(super) async fn rewrap_secret(
    session: &mut Session,
    before: &str,
    sealed: &SealedBlob,
    root_key_id: &str,
) -> Result<()> {
    let statement = sql("UPDATE acme_secrets SET sealed = $2, root_key_id = $3 WHERE id = 1 AND root_key_id = $1");
    let rows = session.execute(statement.bind(before).bind(sealed.0.as_slice()).bind(root_key_id)).await?;
    swapped(rows, SECRETS)
}

pub(super) async fn insert(session: &mut Session, directory: &Directory) -> Result<()> {
    let statement = sql("INSERT INTO acme_directories (id, ca_id, created_at, name, settings, enabled, revision) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(directory.id.as_str())
    .bind(directory.ca.as_str())
    .bind(directory.created_at.unix_ms())
    .bind(directory.settings.name().as_str())
    .bind(write_directory(&directory.settings))
    .bind(i64::from(directory.settings.enabled()))
    .bind(directory.revision);
    session.execute(statement).await.map(drop)
}

pub(super) async fn find(session: &mut Session, reference: &Reference) -> Result<Option<Directory>> {
    let by = if looks_like_id(reference.as_str()) {
        select_directory!("WHERE id = $1")
    } else {
        select_directory!("WHERE name = $1")
    };
    session.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read).transpose()
}

pub(super) async fn list(session: &mut Session, page: &PageRequest) -> Result<Page<Directory>> {
    let after = name_after(DIRECTORIES, page)?;
    let rows = sql(select_directory!("WHERE name > $1 ORDER BY name LIMIT $2")).bind(after).bind(one_more(clamp(page)));
    let items = session.all(rows).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(by_name(DIRECTORIES, items, page, |it: &Directory| it.settings.name().as_str()))
}

pub(super) async fn count(session: &mut Session) -> Result<u64> {
    let row = session.optional(sql("SELECT 'all' AS id, COUNT(*) AS found FROM acme_directories")).await?;
    let row = row.as_ref().ok_or_else(|| Error::Corrupt { table: DIRECTORIES, column: "found", row: String::new() })?;
    let row = Reading::of(row, DIRECTORIES, "id")?;
    u64::try_from(row.get::<i64>("found")?).map_err(|_| row.corrupt("found"))
}

pub(super) async fn update(session: &mut Session, directory: &Directory) -> Result<()> {
    let statement = sql("UPDATE acme_directories SET name = $3, settings = $4, enabled = $5, revision = revision + 1 \
                         WHERE id = $1 AND revision = $2")
    .bind(directory.id.as_str())
    .bind(directory.revision)
    .bind(directory.settings.name().as_str())
    .bind(write_directory(&directory.settings))
    .bind(i64::from(directory.settings.enabled()));
    swapped(session.execute(statement).await?, DIRECTORIES)
}

pub(super) async fn delete(session: &mut Session, id: &AcmeDirectoryId, revision: i64) -> Result<()> {
    let statement = sql("DELETE FROM acme_directories WHERE id = $1 AND revision = $2");
    swapped(session.execute(statement.bind(id.as_str()).bind(revision)).await?, DIRECTORIES)?;
    // They bind accounts of this directory and of no other.
    session.execute(sql("DELETE FROM acme_eab_keys WHERE directory_id = $1").bind(id.as_str())).await.map(drop)
}
