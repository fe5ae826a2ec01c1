//! Puts the parts together: data folder, database, root key, use cases.

use crate::ambient::{SystemClock, SystemEntropy};
use crate::config::Settings;
use crate::outbound::{Guarded, Resolve, SystemResolver, Trust};
use crate::{Error, folder, sinks, targets};
use certwright_app::{AcmeSettings, AdminToken, App, Dependencies, EventSettings, OcspSettings};
use certwright_domain::ambient::Entropy;
use certwright_domain::rate::Rate;
use certwright_keystore::{KeyStore, RootKeySource, SoftwareKeyStore};
use certwright_store::{Backend, Location, NoFaults, Store};
use certwright_validation::Validation;
use std::sync::Arc;
use std::time::Duration;

/// The application with the store it works on.
pub(crate) struct Wired {
    pub(crate) app: App,
    pub(crate) store: Store,
    pub(crate) entropy: Arc<SystemEntropy>,
    /// Whom the application trusts on the way out.
    pub(crate) trust: Arc<Trust>,
}

/// Opens the database, without touching its schema.
pub(crate) async fn open_store(settings: &Settings) -> Result<Store, Error> {
    if let Location::Sqlite(path) = settings.database.location()
        && let Some(parent) = path.parent()
        && !parent.as_os_str().is_empty()
        && !parent.is_dir()
    {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(Error::file("open the database in", parent, missing));
    }
    Store::open(settings.database.location(), Arc::new(NoFaults)).await.map_err(database_error(settings, "open"))
}

/// Which database, for logs.
pub(crate) fn kind(store: &Store) -> &'static str {
    match store.backend() {
        Backend::Sqlite => "SQLite",
        Backend::Postgres => "PostgreSQL",
    }
}

/// Applies what is missing of the schema. Several nodes may do so at once: the store lets one in at a time.
pub(crate) async fn migrate(settings: &Settings, store: &Store) -> Result<Vec<String>, Error> {
    let pending = store.pending_migrations().await.map_err(database_error(settings, "read the schema of"))?;
    store.migrate().await.map_err(database_error(settings, "migrate"))?;
    Ok(pending)
}

/// Opens the root key and puts the use cases on top of a migrated store.
pub(crate) async fn wire(settings: &Settings, store: Store) -> Result<Wired, Error> {
    let mut reader = store.read().await.map_err(database_error(settings, "read"))?;
    let sealed = reader.root_key_usage().await.map_err(database_error(settings, "read"))?;
    drop(reader);
    let source = root_key_source(settings, sealed.is_empty());
    let keys: Arc<dyn KeyStore> = Arc::new(SoftwareKeyStore::open(&source).map_err(Error::RootKey)?);
    let loaded = keys.root_key_ids();
    let missing: Vec<String> = sealed.into_iter().map(|(id, _)| id).filter(|id| !loaded.contains(id)).collect();
    if !missing.is_empty() {
        return Err(Error::RootKeyMissing { missing, loaded });
    }
    let entropy = Arc::new(SystemEntropy::new());
    let trust = Arc::new(Trust::load(settings.events.ca_file.as_deref())?);
    let resolver: Arc<dyn Resolve> = Arc::new(SystemResolver);
    let targets = targets::open(&settings.publication, &resolver, &trust)?;
    let sinks = sinks::open(&settings.audit.sinks, &resolver, &trust);
    let app = App::new(Dependencies {
        store: store.clone(),
        keys,
        clock: Arc::new(SystemClock),
        entropy: entropy.clone(),
        outbound: Arc::new(Guarded::new(settings.events.rules.clone(), resolver, Arc::clone(&trust))),
        targets,
        sinks,
        validator: Arc::new(validator(settings, entropy.clone())?),
        settings: certwright_app::Settings {
            pki_url: settings.pki_url.as_str().to_owned(),
            limits: settings.issuance,
            name_rate: Rate::per_hour(settings.limits.certificates_per_name_and_hour),
            node: node_name(&*entropy),
            idempotency_lifetime: settings.idempotency_lifetime,
            retention: settings.retention,
            events: EventSettings {
                source: settings.public_url.as_str().to_owned(),
                first_retry: settings.events.first_retry,
                retention: settings.events.retention,
            },
            ocsp: OcspSettings {
                response_lifetime: settings.ocsp.response_lifetime,
                recheck: settings.ocsp.recheck,
                responder_lifetime: settings.ocsp.responder_lifetime,
                cache_bytes: u64::try_from(settings.ocsp.cache).unwrap_or(u64::MAX),
                signing: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            },
            acme: acme(settings),
            checkpoint_interval: Some(settings.audit.checkpoint_interval),
        },
    });
    Ok(Wired { app, store, entropy, trust })
}

/// How long a client that answers a challenge waits for the first look: long enough for a name server and a web server near by,
/// too short to be noticed.
const FIRST_LOOK: Duration = Duration::from_millis(250);

/// What use cases and door of ACME go by.
pub(crate) fn acme(settings: &Settings) -> AcmeSettings {
    let limits = &settings.acme.limits;
    let public_url = settings.public_url.as_str().to_owned();
    AcmeSettings { public_url, limits: limits.clone(), first_look: FIRST_LOOK }
}

/// Looks at proofs of control.
fn validator(settings: &Settings, entropy: Arc<SystemEntropy>) -> Result<Validation, Error> {
    let acme = &settings.acme;
    let validation = certwright_validation::Settings {
        http_port: acme.http_port,
        tls_port: acme.tls_port,
        rules: acme.rules.clone(),
        own: std::iter::once(settings.listen).chain(settings.http_listen).collect(),
        limits: certwright_validation::Limits::default(),
        user_agent: format!("certwright/{} (ACME validation)", env!("CARGO_PKG_VERSION")),
    };
    Validation::new(validation, acme.servers.clone(), entropy)
        .map_err(|error| Error::Tls { what: "challenge validation".to_owned(), why: error.to_string() })
}

/// The file of the administrator token, for people: mode 0600, one line.
pub(crate) fn draft_token(settings: &Settings, token: &AdminToken) -> Result<folder::Draft, Error> {
    folder::draft(&settings.token_path(), format!("{}\n", token.text().expose()).as_bytes(), 0o600)
}

/// A mapper for errors of the store.
pub(crate) fn database_error(
    settings: &Settings,
    doing: &'static str,
) -> impl FnOnce(certwright_store::Error) -> Error {
    let location = settings.database.describe();
    move |source| Error::Database { doing, location, source }
}

/// A root key file, or the salt of a passphrase, may be made only while nothing is sealed: a lost key must never be replaced
/// by another.
fn root_key_source(settings: &Settings, first_start: bool) -> RootKeySource {
    match settings.root_key.clone() {
        RootKeySource::File { path, .. } => RootKeySource::File { path, create: first_start },
        RootKeySource::Passphrase { path, salt_path, .. } => {
            RootKeySource::Passphrase { path, salt_path, create: first_start }
        }
        credential @ RootKeySource::Credential { .. } => credential,
    }
}

/// This process among others: the machine and a part that no other process has.
fn node_name(entropy: &dyn Entropy) -> String {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut random = [0_u8; 4];
    entropy.fill(&mut random);
    format!("{}-{:08x}", machine.escape_debug(), u32::from_be_bytes(random))
}
