//! What an administrator does at the machine: migrations and the administrator token.

use crate::config::Settings;
use crate::{Error, folder, wiring};
use certwright_app::ExportVerdict;
use certwright_domain::secret::SecretText;
use certwright_store::Location;
use std::path::Path;

/// Migrations that were, or would be, applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations {
    /// The database, without its password.
    pub database: String,
    /// Names, in order.
    pub pending: Vec<String>,
    /// Were they applied?
    pub applied: bool,
}

/// Applies what is missing of the schema, or with `dry_run` only says what is.
pub async fn migrate(settings: &Settings, dry_run: bool) -> Result<Migrations, Error> {
    if let Location::Sqlite(path) = settings.database.location() {
        if dry_run && !path.exists() {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(Error::file("look into the database", path, missing));
        }
        if !dry_run {
            folder::prepare(settings.data())?;
        }
    }
    let store = wiring::open_store(settings).await?;
    let pending = match dry_run {
        true => store.pending_migrations().await.map_err(wiring::database_error(settings, "read the schema of")),
        false => wiring::migrate(settings, &store).await,
    };
    store.close().await;
    Ok(Migrations { database: settings.database.describe(), pending: pending?, applied: !dry_run })
}

/// The administrator token of this data folder.
pub fn admin_token(settings: &Settings) -> Result<SecretText, Error> {
    let path = settings.token_path();
    match folder::read_secret(&path)? {
        Some(text) => Ok(SecretText::new(text.trim().to_owned())),
        None => Err(Error::NoToken(path)),
    }
}

/// An administrator token that is in force.
pub struct Rotated {
    /// The token.
    pub token: SecretText,
    /// Why it does not stand in the data folder, if it does not.
    pub unkept: Option<Error>,
}

/// Revokes the administrator token and makes another, which is kept in the data folder and returned. The server may run.
pub async fn rotate_admin_token(settings: &Settings) -> Result<Rotated, Error> {
    // Without a schema nobody was ever set up; do not make a database just to say so.
    if matches!(settings.database.location(), Location::Sqlite(path) if !path.exists()) {
        return Err(Error::NotInitialised(settings.data().to_owned()));
    }
    let store = wiring::open_store(settings).await?;
    let token = rotate(settings, &store).await;
    store.close().await;
    token
}

async fn rotate(settings: &Settings, store: &certwright_store::Store) -> Result<Rotated, Error> {
    let pending = store.pending_migrations().await.map_err(wiring::database_error(settings, "read the schema of"))?;
    if !pending.is_empty() {
        return Err(Error::NotInitialised(settings.data().to_owned()));
    }
    let app = wiring::wire(settings, store.clone()).await?.app;
    let failed = |source| Error::App { doing: "rotate the administrator token", source };
    if !app.is_initialised().await.map_err(failed)? {
        return Err(Error::NotInitialised(settings.data().to_owned()));
    }
    let drawn = app.draw_admin_token().map_err(failed)?;
    let draft = wiring::draft_token(settings, &drawn);
    app.put_admin_token(&drawn).await.map_err(failed)?;
    // It is in force: whoever asked for it gets it, also without its file.
    let unkept = draft.and_then(folder::Draft::put).err();
    let unkept = unkept.map(|why| Error::TokenNotKept { path: settings.token_path(), why: why.to_string() });
    Ok(Rotated { token: drawn.into_text(), unkept })
}

/// Verifies an export of the audit trail, without a server. `public_key`: a PEM file with the keys that may have signed its
/// checkpoints.
pub fn verify_audit(export: &Path, public_key: Option<&Path>) -> Result<ExportVerdict, Error> {
    let mut keys = Vec::new();
    if let Some(path) = public_key {
        let pem = std::fs::read_to_string(path).map_err(|error| Error::file("read the public keys in", path, error))?;
        keys = certwright_app::read_public_keys_pem(&pem);
        if keys.is_empty() {
            let wrong = std::io::Error::new(std::io::ErrorKind::InvalidData, "there is no PEM block `PUBLIC KEY`");
            return Err(Error::file("read the public keys in", path, wrong));
        }
    }
    let file = std::fs::File::open(export).map_err(|error| Error::file("read the export", export, error))?;
    certwright_app::verify_export(std::io::BufReader::new(file), &keys).map_err(|(line, why)| {
        let wrong = std::io::Error::new(std::io::ErrorKind::InvalidData, format!("line {line}: {why}"));
        Error::file("read the export", export, wrong)
    })
}
