//! First start, the server's own TLS certificate, and `quickstart`.
use crate::{App, Error};
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::time::Timestamp;

/// The server's own certificate: chain (DER, leaf first), PKCS#8 key, the root to trust, and when to ask for another.
pub struct ServerCertificate {
    /// DER, leaf first, without the root.
    pub chain: Vec<Vec<u8>>,
    /// PKCS#8 DER.
    pub key: SecretBytes,
    /// PEM of the root.
    pub root_pem: String,
    /// Ask for the next one then.
    pub renew_at: Timestamp,
}

/// What `quickstart` shall make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quickstart {
    /// Organization in the subjects; `None` leaves it out.
    pub organization: Option<String>,
    /// Prefix of names: vault `default`, root `root`, issuing CA `issuing-1` …
    pub dns_name: String,
}

/// What `quickstart` made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickstartReport {
    /// Lines of name and meaning, for the terminal: (`vault`, `default`), (`root CA`, `root … until …`).
    pub made: Vec<(String, String)>,
    /// PEM chain of the first certificate.
    pub first_certificate: String,
    /// PEM of the root.
    pub root: String,
    /// Name of the issuing CA.
    pub issuing_ca: String,
}

impl App {
    /// Has anything been initialised in this database (a first administrator token was made)?
    pub async fn is_initialised(&self) -> Result<bool, Error> {
        todo!()
    }
    /// Makes the first administrator token if there has never been one; `None` when there was. Safe on several nodes: one wins.
    pub async fn first_admin_token(&self) -> Result<Option<SecretText>, Error> {
        todo!()
    }
    /// Revokes every administrator token made by [`App::first_admin_token`] or this call before, and makes a new one.
    pub async fn rotate_admin_token(&self) -> Result<SecretText, Error> {
        todo!()
    }
    /// A certificate for the server's own TLS from the built-in service CA (made when missing), valid for these names
    /// (DNS or IP). Goes through [`crate::issuance`] like any other.
    pub async fn server_certificate(&self, names: &[String]) -> Result<ServerCertificate, Error> {
        let _ = names;
        todo!()
    }
    /// Vault, keys, root (ten years) and issuing CA (five), a first certificate that is issued and verified.
    pub async fn quickstart(&self, wish: &Quickstart) -> Result<QuickstartReport, Error> {
        let _ = wish;
        todo!()
    }
}
