//! What can go wrong outside requests, as the terminal shows it: what, why, and what to try.

use crate::config::Fault;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A command that failed.
#[derive(Debug)]
pub enum Error {
    /// The configuration is wrong; all faults.
    Config(Vec<Fault>),
    /// A flag that is no setting.
    Flag {
        /// The flag.
        flag: &'static str,
        /// Why not.
        why: String,
        /// What would do.
        hint: String,
    },
    /// A file or folder.
    File {
        /// What was being done: `read`, `write`, `make`.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A secret that others can read.
    Exposed {
        /// The path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A listener could not be opened.
    Listen {
        /// The setting that names the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The database.
    Database {
        /// What was being done.
        doing: &'static str,
        /// The database, without its password.
        location: String,
        /// Why not.
        source: certwright_store::Error,
    },
    /// The root key.
    RootKey(certwright_keystore::Error),
    /// A root key was opened, and there are keys that are sealed under another one.
    RootKeyMissing {
        /// Ids of root keys that are not there.
        missing: Vec<String>,
        /// Ids of those that are.
        loaded: Vec<String>,
    },
    /// A use case.
    App {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: certwright_app::Error,
    },
    /// The certificate or key of our own listener.
    Tls {
        /// What is meant, for example a path.
        what: String,
        /// Why not.
        why: String,
    },
    /// The routes and the table of what they need do not agree.
    Routes(certwright_api::UnlistedRoute),
    /// There is no administrator token to print.
    NoToken(PathBuf),
    /// A new administrator token is in force and was printed, but not written down.
    TokenNotKept {
        /// Where it should stand.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Nothing was ever set up in this data folder and database.
    NotInitialised(PathBuf),
    /// The health check had no listener to ask.
    NoPlainListener,
    /// The server is away or unwell.
    Unhealthy {
        /// Who was asked.
        address: SocketAddr,
        /// What came back.
        why: String,
    },
    /// Signals, the log or the process itself.
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        why: String,
    },
}

/// The three lines of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What failed.
    pub error: String,
    /// Why; one entry per reason.
    pub why: Vec<String>,
    /// What to try.
    pub attempt: String,
}

impl Error {
    /// A file that could not be read, written or made.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { doing, path: path.into(), source }
    }

    /// 2 for wrong usage or a wrong configuration, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Flag { .. } => 2,
            _ => 1,
        }
    }

    /// What failed, why, and what to try.
    pub fn explain(&self) -> Explanation {
        let (error, why, attempt): (String, Vec<String>, String) = match self {
            Self::Config(faults) => (
                format!("the configuration has {} fault{}", faults.len(), if faults.len() == 1 { "" } else { "s" }),
                faults.iter().map(ToString::to_string).collect(),
                format!("mend {} and run `certwright config check`", if faults.len() == 1 { "it" } else { "them" }),
            ),
            Self::Flag { flag, why, hint } => (format!("cannot take --{flag}"), vec![why.clone()], hint.clone()),
            Self::File { doing: doing @ ("read the export" | "read the public keys in"), path, source } => (
                format!("cannot {doing} {}", path.display()),
                vec![source.to_string()],
                "check the path; GET /v1/audit-events/export gives an export, its lines of type `key` the public keys"
                    .to_owned(),
            ),
            Self::File { doing, path, source } => (
                format!("cannot {doing} {}", path.display()),
                vec![source.to_string()],
                match source.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "run as the user that owns the data folder, or choose another one with --data".to_owned()
                    }
                    io::ErrorKind::NotFound => "check the path; --data names the data folder".to_owned(),
                    _ => "check the disk and the path".to_owned(),
                },
            ),
            Self::Exposed { path, mode } => (
                format!("{} can be read by other users", path.display()),
                vec![format!("its mode is {:03o}, and it is a secret", mode & 0o777)],
                format!("chmod 600 {}, and replace the secret if others may have seen it", path.display()),
            ),
            Self::Listen { setting, address, source } => (
                format!("cannot listen on {address}"),
                vec![source.to_string()],
                match source.kind() {
                    io::ErrorKind::AddrInUse => {
                        format!("stop the program that holds the port, or set `{setting}` to another address")
                    }
                    io::ErrorKind::PermissionDenied => {
                        format!("ports below 1024 need a privilege; set `{setting}` to a higher port")
                    }
                    _ => format!("set `{setting}` to an address of this machine"),
                },
            ),
            Self::Database { doing, location, source } => (
                format!("cannot {doing} the database {location}"),
                vec![source.to_string()],
                match source {
                    certwright_store::Error::Schema(_) => {
                        "start the version of the program that fits this database".to_owned()
                    }
                    _ => "check that the database runs and that `database_url` is right".to_owned(),
                },
            ),
            Self::RootKeyMissing { missing, loaded } => (
                "the root key is another one than this database needs".to_owned(),
                vec![format!(
                    "keys are sealed under root key {}, and {} is what was opened",
                    missing.join(", "),
                    loaded.join(", ")
                )],
                "restore the root key of this database from your backup, or copy it from another node; after a \
                 rotation by hand keep the old line below the new one"
                    .to_owned(),
            ),
            Self::RootKey(source) => (
                "cannot open the root key".to_owned(),
                vec![source.to_string()],
                "check `root_key.source`, `root_key.path` and what stands in that file; a key that was in use must come back \
                 from your backup, because nothing that it sealed opens without it, and nodes on one database need the same"
                    .to_owned(),
            ),
            Self::App { doing, source } => (
                format!("cannot {doing}"),
                app_reasons(source),
                match source {
                    certwright_app::Error::Conflict { hint, .. } => hint.clone(),
                    certwright_app::Error::Unavailable { .. } => "check that the database runs, and try again".to_owned(),
                    _ => "look at the log lines above".to_owned(),
                },
            ),
            Self::Tls { what, why } => (
                format!("cannot use {what} for TLS"),
                vec![why.clone()],
                "give a PEM chain (leaf first) and the key that belongs to it, or leave both out".to_owned(),
            ),
            Self::Routes(source) => (
                "cannot open the API".to_owned(),
                vec![source.to_string()],
                "this build of the program is broken; please report it".to_owned(),
            ),
            Self::NoToken(path) => (
                "there is no administrator token here".to_owned(),
                vec![format!("{} does not exist", path.display())],
                "`certwright admin-token --rotate` makes a new one and revokes the old".to_owned(),
            ),
            Self::TokenNotKept { path, why } => (
                format!("the new administrator token is in force, but does not stand in {}", path.display()),
                vec![why.clone()],
                "keep the token that was printed, or mend the path and rotate again".to_owned(),
            ),
            Self::NotInitialised(data) => (
                "nothing has been set up here yet".to_owned(),
                vec![format!("the database of {} holds no administrator", data.display())],
                "start `certwright serve` or `certwright quickstart` once; is --data right?".to_owned(),
            ),
            Self::NoPlainListener => (
                "cannot ask for health".to_owned(),
                vec!["`http_listen` is off, and the health check asks there".to_owned()],
                "set `http_listen` to a loopback address".to_owned(),
            ),
            Self::Unhealthy { address, why } => (
                format!("the server at {address} is not well"),
                vec![why.clone()],
                "look at its log; is `http_listen` the one it was started with?".to_owned(),
            ),
            Self::System { doing, why } => {
                (format!("cannot {doing}"), vec![why.clone()], "this is not expected; please report it".to_owned())
            }
        };
        Explanation { error, why, attempt }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { error, why, .. } = self.explain();
        write!(f, "{error}: {}", why.join("; "))
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Explanation {
    /// `error:`, `why:` (once per reason), `try:`; control characters are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", visible(&self.error))?;
        for why in &self.why {
            writeln!(f, "why:   {}", visible(why))?;
        }
        write!(f, "try:   {}", visible(&self.attempt))
    }
}

/// The text with its control characters escaped.
fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, symbol| {
        match symbol.is_control() {
            true => out.extend(symbol.escape_default()),
            false => out.push(symbol),
        }
        out
    })
}

fn app_reasons(source: &certwright_app::Error) -> Vec<String> {
    match source {
        certwright_app::Error::Rejected(violations) => violations.iter().map(|v| v.detail.clone()).collect(),
        certwright_app::Error::Invalid(faults) => faults.iter().map(|f| f.invalid.detail.clone()).collect(),
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_three_lines_and_controls_are_escaped() {
        let error = Error::file("read", "/x\u{1b}[31m", io::Error::from(io::ErrorKind::NotFound));
        let text = error.explain().to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("error: cannot read /x\\u{1b}[31m\nwhy:   "));
        assert!(text.contains("\ntry:   check the path"));
    }
}
