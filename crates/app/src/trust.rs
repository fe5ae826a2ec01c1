//! What anyone may read: roots, issuer certificates.
use crate::{App, Error};
use certwright_domain::name::Reference;
use certwright_pki::Certificate;

/// A root that relying parties may trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRoot {
    /// Name of the CA.
    pub name: String,
    /// Its certificate.
    pub certificate: Certificate,
}

impl App {
    /// Current certificates of roots (`ROOT`, `EXTERNAL_ROOT`, self-signed `IMPORTED`, and the topmost certificate of
    /// other CAs' chains), without the server's own service CA; active or disabled, not deleted.
    pub async fn trusted_roots(&self) -> Result<Vec<TrustedRoot>, Error> {
        todo!()
    }
    /// The certificate of a CA, of one version or the current one; for `/pki/{ca}/ca.crt`.
    pub async fn ca_certificate(&self, ca: &Reference, version: Option<u32>) -> Result<Vec<u8>, Error> {
        let _ = (ca, version);
        todo!()
    }
}
