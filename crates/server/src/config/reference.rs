//! Every setting in one table: its path, its default, its flag, and the text that explains it.
//!
//! The doc comments in here *are* the reference: the example file, `docs/configuration.md`, `--help` and
//! `config show` are all made from this table.

use super::file::Toml;
use super::origin::{Origin, Setting};
use std::collections::BTreeMap;

/// What one setting is, for everything that is generated from it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Path in the file, `section.key`.
    pub path: &'static str,
    /// The explanation, one entry per line.
    pub doc: &'static [&'static str],
    /// The default, or an example where there is none, as TOML.
    pub toml: &'static str,
    /// Is `toml` the default (or only an example)?
    pub has_default: bool,
    /// Its flag and its environment variable.
    pub flag: Option<(&'static str, &'static str)>,
    /// May it hold a secret?
    pub secret: bool,
    /// Is it true or false (so that its flag needs no value)?
    pub is_switch: bool,
}

/// A type that settings have in the file.
pub(crate) trait FieldType: Sized {
    /// What it is called in messages.
    const NAME: &'static str;
    /// Is it true or false?
    const IS_SWITCH: bool = false;
    /// From a value of the file.
    fn from_toml(value: &Toml) -> Option<Self>;
    /// From the text of a flag or an environment variable.
    fn from_text(text: &str) -> Option<Self>;
    /// As it would stand in the file.
    fn to_toml(&self) -> String;
}

macro_rules! reference {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $type:ty = $path:literal, $presence:ident $toml:literal
        $(, flag $flag:literal $env:literal)? $(=> $secret:ident)?;
    )+) => {
        /// The settings as given, each with where it came from; nothing is judged yet. No `Debug`: one of them may hold
        /// a password.
        #[derive(Clone)]
        pub(crate) struct Raw { $( $(#[doc = $doc])+ pub(crate) $name: Setting<$type>, )+ }

        /// Every setting, in the order of the reference.
        pub const FIELDS: &[Field] = &[$(
            Field {
                path: $path,
                doc: &[$($doc),+],
                toml: $toml,
                has_default: reference!(@default $presence),
                flag: reference!(@flag $($flag $env)?),
                secret: reference!(@secret $($secret)?),
                is_switch: <$type as FieldType>::IS_SWITCH,
            },
        )+];

        impl Raw {
            /// Takes every setting from `sources`, the strongest first.
            pub(crate) fn collect(sources: &mut super::Collector<'_>) -> Self {
                Self { $( $name: sources.take($path, reference!(@toml $presence $toml)), )+ }
            }

            /// Every setting as TOML (`None`: not set) with where it came from.
            pub(crate) fn values(&self) -> Vec<(&'static str, Option<String>, &Origin)> {
                vec![$( ($path, self.$name.value.as_ref().map(FieldType::to_toml), &self.$name.origin), )+]
            }
        }
    };
    (@default default) => { true };
    (@default example) => { false };
    (@toml default $toml:literal) => { Some($toml) };
    (@toml example $toml:literal) => { None };
    (@flag) => { None };
    (@flag $flag:literal $env:literal) => { Some(($flag, $env)) };
    (@secret) => { false };
    (@secret secret) => { true };
}

reference! {
    /// Folder for the database file, the root key, the administrator token and the server's own TLS files.
    /// Made with mode 0700 when it is missing.
    data: String = "data", default r#""./certwright-data""#, flag "data" "CERTWRIGHT_DATA";
    /// Address of the API, with TLS.
    listen: String = "listen", default r#""127.0.0.1:8443""#, flag "listen" "CERTWRIGHT_LISTEN";
    /// Address for health, metrics and `/pki/…` without TLS (clients fetch issuers and CRLs before they trust us);
    /// `off` opens none, and then `pki_url` must be set.
    http_listen: String = "http_listen", default r#""127.0.0.1:8080""#, flag "http-listen" "CERTWRIGHT_HTTP_LISTEN";
    /// URL under which clients reach the API. Without it: `https://` with the host and port of `listen`
    /// (`localhost` for a loopback address or one that means every interface).
    public_url: String = "public_url", example r#""https://ca.example.com:8443""#, flag "public-url" "CERTWRIGHT_PUBLIC_URL";
    /// URL under which clients reach `/pki/…`; it is written into every certificate, so choose it before the first one.
    /// Without it: `http://` with the host of `public_url` and the port of `http_listen` (with `http_listen = "off"` there is no
    /// default). Nodes on one database need the same one.
    pki_url: String = "pki_url", example r#""http://ca.example.com""#, flag "pki-url" "CERTWRIGHT_PKI_URL";
    /// Database: `postgres://user:password@host/database`, or `sqlite:PATH`. Without it: `certwright.db` in the data
    /// folder. On a command line others can see the password: prefer this file or the environment.
    database_url: String = "database_url", example r#""postgres://certwright:secret@db.example.com/certwright""#, flag "database-url" "CERTWRIGHT_DATABASE_URL" => secret;
    /// Serve the API without TLS. Allowed on a loopback address alone, and without anything in `[tls]`.
    insecure_http: bool = "insecure_http", default "false", flag "insecure-http" "CERTWRIGHT_INSECURE_HTTP";
    /// How long requests in flight may take to finish after SIGTERM. Then background work, the audit trail, leases and the
    /// database have up to 5 s each: whoever kills the process after a while should wait 20 s longer than this.
    shutdown_deadline: String = "shutdown_deadline", default r#""30s""#;

    /// The operator's own certificate for the API: PEM, leaf first. Read again on SIGHUP. Without it the server asks its
    /// built-in service CA, whose root stands in `tls/ca.pem` of the data folder.
    tls_certificate: String = "tls.certificate", example r#""/etc/certwright/tls.crt""#;
    /// The private key that belongs to it: PEM, not readable for others.
    tls_key: String = "tls.key", example r#""/etc/certwright/tls.key""#;
    /// Further DNS names and IP addresses for the certificate of the service CA, beside localhost, the host of
    /// `public_url`, the address of `listen` and this machine's name. Not beside a certificate of your own.
    tls_names: Vec<String> = "tls.names", default "[]";

    /// Largest request body.
    limits_body: String = "limits.body", default r#""1 MiB""#;
    /// Largest request head (request line and headers).
    limits_headers: String = "limits.headers", default r#""32 KiB""#;
    /// Time for a request head, from its first byte.
    limits_header_timeout: String = "limits.header_timeout", default r#""10s""#;
    /// Time for a TLS handshake.
    limits_handshake_timeout: String = "limits.handshake_timeout", default r#""10s""#;
    /// Time for a request, from its head to the answer's head; longer ones are answered 503.
    limits_request_timeout: String = "limits.request_timeout", default r#""30s""#;
    /// Time without a byte in either direction after which a connection is closed. Longer than `request_timeout`.
    limits_idle_timeout: String = "limits.idle_timeout", default r#""60s""#;
    /// Open connections per listener; further ones wait in the kernel. The plain listener keeps four more for this machine, for the
    /// health check, and closes further ones of others.
    limits_connections: u64 = "limits.connections", default "4096";
    /// Open connections per client address (IPv6: per /64) and listener; further ones are closed.
    limits_connections_per_address: u64 = "limits.connections_per_address", default "1024";
    /// Requests in work at once; further ones are answered 503 with Retry-After.
    limits_requests: u64 = "limits.requests", default "1024";
    /// Requests in work at once for one caller; further ones are answered 429 with Retry-After.
    limits_requests_per_caller: u64 = "limits.requests_per_caller", default "256";
    /// Requests in work at once from one address (IPv6: per /64); further ones are answered 429 with Retry-After.
    limits_requests_per_address: u64 = "limits.requests_per_address", default "768";
    /// Requests a second of one caller; further ones are answered 429 with Retry-After. 0: no limit.
    limits_rate_per_caller: u64 = "limits.rate_per_caller", default "0";
    /// How many of them may come at once.
    limits_burst_per_caller: u64 = "limits.burst_per_caller", default "1000";
    /// Requests a second from one address (IPv6: per /64), judged before anybody is authenticated. 0: no limit.
    limits_rate_per_address: u64 = "limits.rate_per_address", default "0";
    /// How many of them may come at once: what stands behind one address, when all of it starts together.
    limits_burst_per_address: u64 = "limits.burst_per_address", default "2000";
    /// Certificates for one name in an hour, on each node; further ones are answered 429 with Retry-After. 0: no limit.
    limits_certificates_per_name_and_hour: u64 = "limits.certificates_per_name_and_hour", default "0";

    /// How far notBefore is set back when a request names none.
    issuance_backdate: String = "issuance.backdate", default r#""1m""#;
    /// How far in the past a requested notBefore of an end-entity certificate may lie.
    issuance_leaf_max_backdate: String = "issuance.leaf_max_backdate", default r#""24h""#;
    /// The same for CA certificates.
    issuance_ca_max_backdate: String = "issuance.ca_max_backdate", default r#""366d""#;
    /// How far in the future a requested notBefore may lie.
    issuance_max_postdate: String = "issuance.max_postdate", default r#""366d""#;
    /// Longest lifetime of a root.
    issuance_root_max_validity: String = "issuance.root_max_validity", default r#""9131d""#;

    /// How long the answer to a request with an `Idempotency-Key` is kept.
    idempotency_lifetime: String = "idempotency.lifetime", default r#""24h""#;

    /// Age after notAfter at which the rows of one-shot certificates that were not revoked are deleted.
    /// Without it they are kept for ever.
    inventory_retention: String = "inventory.retention", example r#""400d""#;

    /// How long an OCSP answer is valid (thisUpdate to nextUpdate). Caches may keep it as long; this server signs it anew
    /// at half of that, and at once when the certificate is revoked.
    ocsp_response_lifetime: String = "ocsp.response_lifetime", default r#""12h""#;
    /// How long a node answers from memory before it asks the database whether the certificate was revoked on another
    /// node. A revocation on the node itself is seen at once.
    ocsp_recheck: String = "ocsp.recheck", default r#""5s""#;
    /// Lifetime of the certificates of delegated OCSP responders; they are renewed in the middle of it. Shorter where the
    /// CA's `leafMaxValidity` or its end leave less.
    ocsp_responder_lifetime: String = "ocsp.responder_lifetime", default r#""7d""#;
    /// Memory for OCSP answers that are used again.
    ocsp_cache: String = "ocsp.cache", default r#""64 MiB""#;

    /// How often the server signs where the chains of the audit trail stand, when something has changed: `30s` to `24h`.
    /// Sinks that the trail is shipped to are sections, see the end.
    audit_checkpoint_interval: String = "audit.checkpoint_interval", default r#""5m""#;

    /// Age at which events and their deliveries are deleted.
    events_retention: String = "events.retention", default r#""90d""#;

    /// The pause before an event that was not taken is sent again. The later pauses grow with it; with ten seconds they
    /// are 1 min, 5 min, 30 min, 2 h, 6 h, 12 h and 24 h.
    webhooks_first_retry: String = "webhooks.first_retry", default r#""10s""#;

    /// Ranges that webhooks, and the fetching of an identity provider's keys, may go to although they are not on the public
    /// internet. Loopback, private and other special addresses are refused otherwise, link-local and multicast ones always. For example
    /// `["10.0.0.0/8", "fd00::/8"]`.
    egress_allowed_ranges: Vec<String> = "egress.allowed_ranges", default "[]";
    /// CA certificates (PEM) to trust there, and for buckets and syslog receivers, beside those of the system. The roots of
    /// our own CAs count as well, but not for identity providers.
    egress_ca_file: String = "egress.ca_file", example r#""/etc/certwright/egress-ca.pem""#;

    /// Port that http-01 goes to, and what redirects to port 80 mean. Anything but 80 is for tests.
    acme_http_port: u64 = "acme.http_port", default "80";
    /// Port that tls-alpn-01 goes to, and what redirects to port 443 mean. Anything but 443 is for tests.
    acme_tls_port: u64 = "acme.tls_port", default "443";
    /// DNS servers that names are looked up at when control of them is proved, at most three. Without any: those of
    /// `/etc/resolv.conf`. For example `["10.0.0.53:53"]`.
    acme_dns_servers: Vec<String> = "acme.dns_servers", default "[]";
    /// Ranges that validation may connect to for every directory, although they are not on the public internet. Loopback,
    /// private and other special addresses are refused otherwise, link-local and multicast ones always. For example
    /// `["10.0.0.0/8"]`.
    acme_allowed_private_ranges: Vec<String> = "acme.allowed_private_ranges", default "[]";
    /// Other DNS servers for some zones and what lies under them (split DNS); the longest zone counts. For example
    /// `zones = { "corp.example" = ["10.0.0.53"] }`, or a section `[acme.zones]`.
    acme_zones: Zones = "acme.zones", default "{}";
    /// Orders of one ACME account in an hour, on this node; renewals in their window do not count. 0: no limit.
    acme_orders_per_account_and_hour: u64 = "acme.orders_per_account_and_hour", default "3000";
    /// ACME accounts made from one address (IPv6: one /64) in an hour, on this node. 0: no limit.
    acme_accounts_per_address_and_hour: u64 = "acme.accounts_per_address_and_hour", default "500";
    /// Proofs of one account for one name that may fail in an hour, on this node. 0: no limit.
    acme_failed_proofs_per_name_and_hour: u64 = "acme.failed_proofs_per_name_and_hour", default "60";
    /// Proofs of one account that may be pending at a time.
    acme_pending_proofs_per_account: u64 = "acme.pending_proofs_per_account", default "3000";

    /// Where the key that seals all others comes from: `file` (made by the server, in the data folder), `credential`
    /// (a file that systemd's LoadCredential or a mounted secret provides: one key a line, newest first, each 32 bytes as
    /// base64 or hex; `openssl rand -base64 32` makes one), or `passphrase` (a file that holds one, of at least 12
    /// characters).
    root_key_source: String = "root_key.source", default r#""file""#;
    /// Path of that file; for `file` it is `root.key` in the data folder when nothing else is said.
    root_key_path: String = "root_key.path", example r#""/run/credentials/certwright.service/root-key""#;
    /// With `passphrase`: where the server keeps salt and parameters; default `root.salt` in the data folder.
    root_key_salt_path: String = "root_key.salt_path", example r#""/var/lib/certwright/root.salt""#;

    /// `text` or `json`, one line per event, to standard error.
    log_format: String = "log.format", default r#""text""#, flag "log-format" "CERTWRIGHT_LOG_FORMAT";
    /// `error`, `warn`, `info`, `debug` or `trace`; also per module: `info,certwright_app=debug`. Read again on SIGHUP.
    log_level: String = "log.level", default r#""info""#, flag "log-level" "CERTWRIGHT_LOG_LEVEL";

    /// Prometheus metrics under `/metrics` of the plain listener.
    metrics_enabled: bool = "metrics.enabled", default "false";
}

/// The example file: every setting with its explanation, all of them commented out.
pub fn example() -> String {
    let mut out = String::from(
        "# Certwright: every setting with its default. Made from the program (`certwright config example`).\n\
         #\n\
         # A flag beats an environment variable beats this file beats the default; unknown keys are refused.\n\
         # Durations: `30s`, `10m`, `24h`, `90d` or ISO 8601. Sizes: bytes, `32 KiB`, `1 MiB`.\n\
         # Relative paths start at the working directory.\n",
    );
    let mut section = "";
    for field in FIELDS {
        let (in_section, key) = field.path.split_once('.').unwrap_or(("", field.path));
        if in_section != section {
            section = in_section;
            out.push_str(&format!("\n[{section}]\n"));
        }
        out.push('\n');
        for line in field.doc {
            out.push_str(&format!("#{line}\n"));
        }
        if let Some((flag, env)) = field.flag {
            out.push_str(&format!("# Flag `--{flag}`, environment `{env}`.\n"));
        }
        if !field.has_default {
            out.push_str("# Not set by default; for example:\n");
        }
        out.push_str(&format!("#{key} = {}\n", field.toml));
    }
    out.push_str(&super::targets::example());
    out
}

/// The reference for people, in Markdown.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         Made from the program; the file to start from is `config/certwright.example.toml`.\n\n\
         A flag beats an environment variable beats the file (`--config FILE` or `CERTWRIGHT_CONFIG`) beats the default.\n\
         `certwright config show --origin` says which one won, `certwright config check` lists everything that is wrong.\n\n\
         Durations are written `30s`, `10m`, `24h`, `90d` or in ISO 8601, sizes in bytes or as `32 KiB`, `1 MiB`. Relative\n\
         paths start at the working directory. SIGHUP reads the file again and applies `log.level` and the files of `tls`;\n\
         everything else waits for a restart.\n",
    );
    let mut section = "?";
    for field in FIELDS {
        let in_section = field.path.split_once('.').map_or("", |(section, _)| section);
        if in_section != section {
            section = in_section;
            let title = if section.is_empty() { "General".to_owned() } else { format!("`[{section}]`") };
            out.push_str(&format!(
                "\n## {title}\n\n| Setting | Default | Flag and environment | Meaning |\n|---|---|---|---|\n"
            ));
        }
        let default = if field.has_default { format!("`{}`", field.toml) } else { "none".to_owned() };
        let flag = field.flag.map_or(String::new(), |(flag, env)| format!("`--{flag}` `{env}`"));
        let meaning = field.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").replace('|', "\\|");
        out.push_str(&format!("| `{}` | {default} | {flag} | {meaning} |\n", field.path));
    }
    out.push_str(&super::targets::markdown());
    out
}

impl FieldType for String {
    const NAME: &'static str = "text in quotes";
    fn from_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn to_toml(&self) -> String {
        toml::Value::String(self.clone()).to_string()
    }
}

impl FieldType for bool {
    const NAME: &'static str = "true or false";
    const IS_SWITCH: bool = true;
    fn from_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::Switch(switch) => Some(*switch),
            _ => None,
        }
    }
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" | "" => Some(false),
            _ => None,
        }
    }
    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl FieldType for u64 {
    const NAME: &'static str = "a whole number";
    fn from_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::Number(number) => Some(*number),
            _ => None,
        }
    }
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn to_toml(&self) -> String {
        self.to_string()
    }
}

/// Names with a list of texts each: a table in the file.
pub(crate) type Zones = BTreeMap<String, Vec<String>>;

impl FieldType for Zones {
    const NAME: &'static str = "a table of lists of texts, in the file";
    fn from_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::Table(table) => Some(table.clone()),
            _ => None,
        }
    }
    fn from_text(_: &str) -> Option<Self> {
        None
    }
    fn to_toml(&self) -> String {
        let parts: Vec<String> =
            self.iter().map(|(name, texts)| format!("{} = {}", name.to_toml(), texts.to_toml())).collect();
        if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
    }
}

impl FieldType for Vec<String> {
    const NAME: &'static str = "a list of texts";
    fn from_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::List(list) => Some(list.clone()),
            _ => None,
        }
    }
    fn from_text(text: &str) -> Option<Self> {
        Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }
    fn to_toml(&self) -> String {
        let parts: Vec<String> = self.iter().map(FieldType::to_toml).collect();
        format!("[{}]", parts.join(", "))
    }
}
