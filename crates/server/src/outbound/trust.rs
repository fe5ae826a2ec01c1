//! Whom we trust on the way out: the system's CA certificates, the operator's own file, and the roots of our own CAs.

use crate::Error;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// Where systems keep their CA certificates; the first that is there is taken.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The TLS settings of the way out; our own roots may change while we run.
pub(crate) struct Trust {
    fixed: RootCertStore,
    others: Arc<ClientConfig>,
    current: RwLock<Current>,
}

struct Current {
    own: Vec<Vec<u8>>,
    config: Arc<ClientConfig>,
}

impl Trust {
    /// The system's certificates, where there are any, and those of `file`.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, Error> {
        let mut fixed = RootCertStore::empty();
        if let Some(pem) = SYSTEM.iter().find_map(|path| std::fs::read(path).ok()) {
            // What this library cannot read is left out: the file is not ours to mend.
            fixed.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        }
        if let Some(path) = file {
            let pem = std::fs::read(path).map_err(|error| Error::file("read", path, error))?;
            let unusable = |why: String| Error::Tls { what: path.display().to_string(), why };
            let mut count = 0_u32;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                fixed.add(certificate).map_err(|error| unusable(error.to_string()))?;
                count = count.saturating_add(1);
            }
            if count == 0 {
                return Err(unusable("there is no certificate in it".to_owned()));
            }
        }
        Self::with(fixed)
    }

    fn with(fixed: RootCertStore) -> Result<Self, Error> {
        let config = client_config(&fixed, &[])?;
        let current = RwLock::new(Current { own: Vec::new(), config: Arc::clone(&config) });
        Ok(Self { fixed, others: config, current })
    }

    /// Trusts nobody until roots of our own come.
    #[cfg(test)]
    pub(crate) fn nobody() -> Result<Self, Error> {
        Self::with(RootCertStore::empty())
    }

    /// Takes the roots of our own CAs (DER) in place of those before; nothing happens when they are the same.
    pub(crate) fn set_own(&self, own: Vec<Vec<u8>>) -> Result<(), Error> {
        if self.current.read().unwrap_or_else(PoisonError::into_inner).own == own {
            return Ok(());
        }
        let config = client_config(&self.fixed, &own)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current { own, config };
        Ok(())
    }

    /// The settings for a connection on which our own CAs count for nothing.
    pub(super) fn others(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.others)
    }

    /// The settings for the next connection that speaks something else than HTTP.
    pub(super) fn without_http(&self) -> Arc<ClientConfig> {
        let mut config = (*self.config()).clone();
        config.alpn_protocols.clear();
        Arc::new(config)
    }

    /// The settings for the next connection.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).config)
    }
}

fn client_config(fixed: &RootCertStore, own: &[Vec<u8>]) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = fixed.clone();
    roots.add_parsable_certificates(own.iter().map(|der| CertificateDer::from(der.clone())));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls { what: "the way out".to_owned(), why: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why a handshake failed, in words of ours.
pub(super) fn why(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::UnknownIssuer => "the issuer of the certificate is not trusted",
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for another name"
            }
            _ => "the certificate is not valid",
        },
        _ => "the handshake failed",
    }
}
