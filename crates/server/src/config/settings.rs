//! The settings the program works with: every value has been judged, alone and against the others.

mod acme;
mod audit;
mod events;
mod ocsp;
mod publication;
mod tls;

pub(crate) use acme::Acme;
pub(crate) use audit::{Audit, SinkPlace, SinkSettings};
pub(crate) use events::Events;
pub(crate) use ocsp::Ocsp;
pub(crate) use publication::{BucketSettings, TargetSettings};

use super::origin::{Fault, Setting};
use super::reference::Raw;
use super::targets::RawTargets;
use super::values::{self, BaseUrl, Wrong};
use certwright_domain::name::ResourceName;
use certwright_domain::rules::ServiceLimits;
use certwright_domain::time::Span;
use certwright_keystore::RootKeySource;
use certwright_store::Location;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Where the certificate of our own listener comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TlsSource {
    /// The built-in service CA, for these names.
    Service { names: Vec<String> },
    /// The operator's own files.
    Files { certificate: PathBuf, key: PathBuf },
    /// None: the API stands on plain HTTP, on loopback.
    Off,
}

/// Where the database is; never printed as it stands.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Database(Location);

/// Bounds of connections and requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) body: usize,
    pub(crate) headers: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) connections: usize,
    pub(crate) connections_per_address: usize,
    pub(crate) requests: usize,
    pub(crate) requests_per_caller: usize,
    pub(crate) requests_per_address: usize,
    /// A second, and at once.
    pub(crate) caller_rate: (u32, u32),
    pub(crate) address_rate: (u32, u32),
    pub(crate) certificates_per_name_and_hour: u32,
}

/// The settings. The fields are private to this crate: whoever holds a value knows that it was judged.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) http_listen: Option<SocketAddr>,
    pub(crate) public_url: BaseUrl,
    pub(crate) pki_url: BaseUrl,
    pub(crate) database: Database,
    pub(crate) shutdown_deadline: Duration,
    pub(crate) tls: TlsSource,
    pub(crate) limits: Limits,
    pub(crate) issuance: ServiceLimits,
    pub(crate) idempotency_lifetime: Span,
    pub(crate) retention: Option<Span>,
    pub(crate) events: Events,
    pub(crate) acme: Acme,
    pub(crate) ocsp: Ocsp,
    pub(crate) publication: Vec<(ResourceName, TargetSettings)>,
    pub(crate) audit: Audit,
    pub(crate) root_key: RootKeySource,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: String,
    pub(crate) metrics: bool,
}

impl Settings {
    /// Judges the settings; what is wrong goes to `faults`. `None` or a fault: there are no settings.
    pub(crate) fn new(raw: &Raw, targets: &RawTargets, sinks: &RawTargets, faults: &mut Vec<Fault>) -> Option<Self> {
        let day = Span::from_days(1);
        let century = Span::from_days(36_525);
        let mut judge = Judge { faults };
        let data = judge.text("data", &raw.data, path);
        let listen = judge.text("listen", &raw.listen, values::address);
        let http_listen = judge.text("http_listen", &raw.http_listen, |text| match text {
            "off" => Ok(None),
            text => values::address(text).map(Some),
        });
        let public_url = judge.optional("public_url", &raw.public_url, BaseUrl::parse);
        let pki_url = judge.optional("pki_url", &raw.pki_url, BaseUrl::parse);
        let database = judge.optional("database_url", &raw.database_url, database);
        let shutdown_deadline =
            judge.text("shutdown_deadline", &raw.shutdown_deadline, |text| values::duration(text, Span::from_hours(1)));
        let limits = limits(raw, &mut judge);
        let issuance = issuance(raw, &mut judge, century);
        let idempotency_lifetime = judge
            .text("idempotency.lifetime", &raw.idempotency_lifetime, |text| values::span(text, Span::from_days(30)));
        let retention =
            judge.optional("inventory.retention", &raw.inventory_retention, |text| match values::span(text, century) {
                Ok(span) if span < day => {
                    Err(("Shorter than a day.".to_owned(), "Write at least `1d`, or leave it out.".to_owned()))
                }
                other => other,
            });
        let events = events::events(raw, &mut judge);
        let acme = acme::acme(raw, &mut judge);
        let ocsp = ocsp::ocsp(raw, &mut judge);
        let publication = publication::publication(targets, judge.faults);
        let audit = audit::audit(raw, sinks, &mut judge);
        let root_key = root_key(raw, data.as_deref(), &mut judge);
        let log_format = judge.text("log.format", &raw.log_format, |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err((format!("`{}` is not a format.", text.escape_debug()), "Write `text` or `json`.".to_owned())),
        });
        let log_level = judge.text("log.level", &raw.log_level, |text| {
            crate::logging::filter(text).map(|_| text.to_owned()).map_err(|why| {
                (format!("`{}` is not a level: {why}.", text.escape_debug()), "Write `info` or `debug`.".to_owned())
            })
        });
        let names: Option<Vec<String>> = judge.list("tls.names", &raw.tls_names, values::server_name);
        let tls_files = tls::files(raw, &mut judge);

        let insecure = raw.insecure_http.value.unwrap_or(false);
        tls::unused(raw, insecure, &mut judge);
        let listen = listen?;
        if insecure && !listen.ip().is_loopback() {
            judge.fault(
                "insecure_http",
                &raw.insecure_http,
                (
                    format!("The API without TLS is allowed on a loopback address alone, not on {listen}."),
                    "Listen on 127.0.0.1 or [::1], or leave --insecure-http away.".to_owned(),
                ),
            );
        }
        if http_listen == Some(Some(listen)) {
            let wrong = (format!("{listen} is taken by `listen`."), "Choose another port.".to_owned());
            judge.fault("http_listen", &raw.http_listen, wrong);
        }
        let public_url =
            public_url?.unwrap_or_else(|| BaseUrl::build(!insecure, &url_host(listen.ip()), listen.port()));
        let pki_url = match (pki_url?, http_listen?) {
            (Some(url), _) => Some(url),
            (None, Some(http)) => Some(BaseUrl::build(false, public_url.host(), http.port())),
            (None, None) => {
                let wrong = (
                    "Without the plain listener the server cannot know where clients find `/pki/…`.".to_owned(),
                    "Set it, for example to `http://ca.example.com`.".to_owned(),
                );
                judge.fault("pki_url", &raw.pki_url, wrong);
                None
            }
        };
        if pki_url.as_ref().is_some_and(BaseUrl::is_https) {
            let wrong = (
                "Clients fetch `/pki/…` before they trust us; https would need what it is to provide.".to_owned(),
                "Write an http:// URL.".to_owned(),
            );
            judge.fault("pki_url", &raw.pki_url, wrong);
        }
        let tls = match tls_files? {
            _ if insecure => TlsSource::Off,
            Some(files) => files,
            None => TlsSource::Service { names: tls::names(listen.ip(), public_url.host(), names?) },
        };
        let data = data?;
        Some(Self {
            database: database?.unwrap_or_else(|| Database(Location::Sqlite(data.join("certwright.db")))),
            data,
            listen,
            http_listen: http_listen?,
            public_url,
            pki_url: pki_url?,
            shutdown_deadline: shutdown_deadline?,
            tls,
            limits: limits?,
            issuance: issuance?,
            idempotency_lifetime: idempotency_lifetime?,
            retention: retention?,
            events: events?,
            acme: acme?,
            ocsp: ocsp?,
            publication: publication?,
            audit: audit?,
            root_key: root_key?,
            log_format: log_format?,
            log_level: log_level?,
            metrics: raw.metrics_enabled.value.unwrap_or(false),
        })
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where the administrator token stands.
    pub fn token_path(&self) -> PathBuf {
        self.data.join("admin.token")
    }

    /// Where the root of our own TLS certificate stands.
    pub fn tls_root_path(&self) -> PathBuf {
        self.data.join("tls").join("ca.pem")
    }

    /// How log lines look.
    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// The log filter.
    pub fn log_level(&self) -> &str {
        &self.log_level
    }

    /// Settings that were worked out from others, when nobody set them.
    pub(crate) fn derived(&self) -> Vec<(&'static str, String)> {
        let mut derived = vec![
            ("public_url", self.public_url.as_str().to_owned()),
            ("pki_url", self.pki_url.as_str().to_owned()),
            ("database_url", self.database.describe()),
        ];
        match &self.root_key {
            RootKeySource::File { path, .. } | RootKeySource::Credential { path } => {
                derived.push(("root_key.path", path.display().to_string()));
            }
            RootKeySource::Passphrase { path, salt_path, .. } => {
                derived.push(("root_key.path", path.display().to_string()));
                derived.push(("root_key.salt_path", salt_path.display().to_string()));
            }
        }
        derived
    }
}

impl Database {
    /// For the store.
    pub(crate) fn location(&self) -> &Location {
        &self.0
    }

    /// For people; without the password.
    pub(crate) fn describe(&self) -> String {
        match &self.0 {
            Location::Sqlite(path) => format!("sqlite:{}", path.display()),
            Location::Postgres(url) => super::mask_url(url),
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Reads settings and notes what is wrong with them.
struct Judge<'a> {
    faults: &'a mut Vec<Fault>,
}

impl Judge<'_> {
    fn fault<T>(&mut self, path: &str, setting: &Setting<T>, (detail, hint): Wrong) {
        self.faults.push(Fault { path: path.to_owned(), origin: setting.origin.clone(), detail, hint });
    }

    /// A setting that always has a value. `None`: it was wrong, and that is noted.
    fn text<T>(
        &mut self,
        path: &str,
        setting: &Setting<String>,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        // A value of the wrong type was noted when it was collected.
        let value = setting.value.as_deref()?;
        read(value).map_err(|wrong| self.fault(path, setting, wrong)).ok()
    }

    /// A setting that may be absent.
    fn optional<T>(
        &mut self,
        path: &str,
        setting: &Setting<String>,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Option<T>> {
        match &setting.value {
            None => Some(None),
            Some(_) => self.text(path, setting, read).map(Some),
        }
    }

    /// A number between bounds.
    fn count(&mut self, path: &str, setting: &Setting<u64>, least: u64, most: u64) -> Option<usize> {
        let number = setting.value?;
        values::count(number, least, most).map_err(|wrong| self.fault(path, setting, wrong)).ok()
    }

    /// A list; every entry that is wrong is noted.
    fn list<T>(
        &mut self,
        path: &str,
        setting: &Setting<Vec<String>>,
        read: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        let mut out = Some(Vec::new());
        for entry in setting.value.as_deref()? {
            match (read(entry), out.as_mut()) {
                (Ok(value), Some(list)) => list.push(value),
                (Ok(_), None) => {}
                (Err(wrong), _) => {
                    self.fault(path, setting, wrong);
                    out = None;
                }
            }
        }
        out
    }
}

fn limits(raw: &Raw, judge: &mut Judge<'_>) -> Option<Limits> {
    let hour = Span::from_hours(1);
    let mut time =
        |path: &str, setting: &Setting<String>| judge.text(path, setting, |text| values::duration(text, hour));
    let header_timeout = time("limits.header_timeout", &raw.limits_header_timeout);
    let handshake_timeout = time("limits.handshake_timeout", &raw.limits_handshake_timeout);
    let request_timeout = time("limits.request_timeout", &raw.limits_request_timeout);
    let idle_timeout = time("limits.idle_timeout", &raw.limits_idle_timeout);
    let body = judge.text("limits.body", &raw.limits_body, |text| values::size(text, 16 << 10, 256 << 20));
    // The HTTP/1 reader needs 8 KiB at least.
    let headers = judge.text("limits.headers", &raw.limits_headers, |text| values::size(text, 8 << 10, 1 << 20));
    let connections = judge.count("limits.connections", &raw.limits_connections, 1, 1_000_000);
    let per_address = judge.count("limits.connections_per_address", &raw.limits_connections_per_address, 1, 1_000_000);
    let requests = judge.count("limits.requests", &raw.limits_requests, 1, 1_000_000);
    let per_caller = judge.count("limits.requests_per_caller", &raw.limits_requests_per_caller, 1, 1_000_000);
    let from_address = judge.count("limits.requests_per_address", &raw.limits_requests_per_address, 1, 1_000_000);
    let mut rate = |path: &str, setting: &Setting<u64>, least| {
        judge.count(path, setting, least, 1_000_000).and_then(|number| u32::try_from(number).ok())
    };
    let caller = rate("limits.rate_per_caller", &raw.limits_rate_per_caller, 0);
    let caller = caller.zip(rate("limits.burst_per_caller", &raw.limits_burst_per_caller, 1));
    let address = rate("limits.rate_per_address", &raw.limits_rate_per_address, 0);
    let address = address.zip(rate("limits.burst_per_address", &raw.limits_burst_per_address, 1));
    let path = "limits.certificates_per_name_and_hour";
    let names = rate(path, &raw.limits_certificates_per_name_and_hour, 0);
    if let (Some(request), Some(idle)) = (request_timeout, idle_timeout)
        && idle <= request
    {
        let wrong = (
            "It is not longer than `limits.request_timeout`: slow requests would lose their connection.".to_owned(),
            "Raise it, or lower the other.".to_owned(),
        );
        judge.fault("limits.idle_timeout", &raw.limits_idle_timeout, wrong);
    }
    Some(Limits {
        body: body?,
        headers: headers?,
        header_timeout: header_timeout?,
        handshake_timeout: handshake_timeout?,
        request_timeout: request_timeout?,
        idle_timeout: idle_timeout?,
        connections: connections?,
        connections_per_address: per_address?,
        requests: requests?,
        requests_per_caller: per_caller?,
        requests_per_address: from_address?,
        caller_rate: caller?,
        address_rate: address?,
        certificates_per_name_and_hour: names?,
    })
}

fn issuance(raw: &Raw, judge: &mut Judge<'_>, century: Span) -> Option<ServiceLimits> {
    let mut time = |path: &str, setting: &Setting<String>| {
        judge.text(path, setting, |text| match text {
            "0" | "0s" => Ok(Span::ZERO),
            text => values::span(text, century),
        })
    };
    let backdate = time("issuance.backdate", &raw.issuance_backdate);
    let leaf_max_backdate = time("issuance.leaf_max_backdate", &raw.issuance_leaf_max_backdate);
    let ca_max_backdate = time("issuance.ca_max_backdate", &raw.issuance_ca_max_backdate);
    let max_postdate = time("issuance.max_postdate", &raw.issuance_max_postdate);
    let root_max_validity = time("issuance.root_max_validity", &raw.issuance_root_max_validity);
    for (limit, path, setting) in [
        (leaf_max_backdate, "issuance.leaf_max_backdate", &raw.issuance_leaf_max_backdate),
        (ca_max_backdate, "issuance.ca_max_backdate", &raw.issuance_ca_max_backdate),
    ] {
        if let (Some(limit), Some(backdate)) = (limit, backdate)
            && limit < backdate
        {
            let wrong = (
                "It is shorter than `issuance.backdate`: the default would break the rule.".to_owned(),
                "Raise it, or lower the other.".to_owned(),
            );
            judge.fault(path, setting, wrong);
        }
    }
    Some(ServiceLimits {
        backdate: backdate?,
        leaf_max_backdate: leaf_max_backdate?,
        ca_max_backdate: ca_max_backdate?,
        max_postdate: max_postdate?,
        root_max_validity: root_max_validity?,
    })
}

fn root_key(raw: &Raw, data: Option<&Path>, judge: &mut Judge<'_>) -> Option<RootKeySource> {
    let given = judge.optional("root_key.path", &raw.root_key_path, path)?;
    let salt = judge.optional("root_key.salt_path", &raw.root_key_salt_path, path)?;
    let missing = (
        "This source needs the path of its file.".to_owned(),
        "Set `root_key.path`, for example to `/run/credentials/certwright.service/root-key`.".to_owned(),
    );
    let source = raw.root_key_source.value.as_deref()?;
    if salt.is_some() && matches!(source, "file" | "credential") {
        let wrong = (format!("It belongs to the source `passphrase`, not to `{source}`."), "Leave it out.".to_owned());
        judge.fault("root_key.salt_path", &raw.root_key_salt_path, wrong);
    }
    match (source, given) {
        ("file", given) => {
            // Whether the key may be made is decided at start, when we know whether anything was sealed under it.
            let path = given.or_else(|| data.map(|data| data.join("root.key")))?;
            Some(RootKeySource::File { path, create: false })
        }
        ("credential", Some(path)) => Some(RootKeySource::Credential { path }),
        ("passphrase", Some(path)) => {
            let salt_path = salt.or_else(|| data.map(|data| data.join("root.salt")))?;
            Some(RootKeySource::Passphrase { path, salt_path, create: false })
        }
        ("credential" | "passphrase", None) => {
            judge.fault("root_key.path", &raw.root_key_path, missing);
            None
        }
        (other, _) => {
            let wrong = (
                format!("`{}` is not a source.", other.escape_debug()),
                "Write `file`, `credential` or `passphrase`.".to_owned(),
            );
            judge.fault("root_key.source", &raw.root_key_source, wrong);
            None
        }
    }
}

/// The host that reaches an address from this machine.
fn url_host(ip: IpAddr) -> String {
    if values::means_this_machine(ip) { "localhost".to_owned() } else { ip.to_string() }
}

fn at_least(span: Span, least: Span, written: &str) -> Result<Span, Wrong> {
    if span < least {
        return Err((format!("Shorter than {}.", least.in_words()), format!("Write at least `{written}`.")));
    }
    Ok(span)
}

fn path(text: &str) -> Result<PathBuf, Wrong> {
    if text.is_empty() || text.contains('\0') {
        return Err(("The path is empty.".to_owned(), "Write a path, or leave the setting out.".to_owned()));
    }
    Ok(PathBuf::from(text))
}

fn database(text: &str) -> Result<Database, Wrong> {
    // The value may hold a password: messages never repeat it.
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Database(Location::Postgres(text.to_owned())));
    }
    if let Some(rest) = text.strip_prefix("sqlite:") {
        let file = rest.strip_prefix("//").unwrap_or(rest);
        if !file.is_empty() && !file.contains('?') && !file.contains(":memory:") {
            return Ok(Database(Location::Sqlite(PathBuf::from(file))));
        }
    }
    Err((
        "The value is not a database URL that is known here.".to_owned(),
        "Write `postgres://user:password@host/database` or `sqlite:PATH`.".to_owned(),
    ))
}
