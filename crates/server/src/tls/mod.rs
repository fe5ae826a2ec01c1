//! Our own TLS: rustls with aws-lc, TLS 1.2 and 1.3, hybrid post-quantum key exchange first, and a certificate that
//! can be exchanged while we run.

mod certificate;
mod clients;
mod own;
#[cfg(test)]
mod tests;

pub(crate) use certificate::{from_files, from_parts};
pub(crate) use own::OwnCertificate;

use crate::Error;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// The certificate of our listener. Handshakes take the one that is in force; exchanging it touches no connection.
pub(crate) struct HotCertificate {
    current: RwLock<Arc<CertifiedKey>>,
}

impl HotCertificate {
    /// Begins with this certificate.
    pub(crate) fn new(first: CertifiedKey) -> Arc<Self> {
        Arc::new(Self { current: RwLock::new(Arc::new(first)) })
    }

    /// Puts another one in force for handshakes from now on.
    pub(crate) fn swap(&self, next: CertifiedKey) {
        // A panic while the lock was held cannot leave half an Arc behind.
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    /// The one in force.
    pub(crate) fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for HotCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HotCertificate")
    }
}

impl ResolvesServerCert for HotCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// The configuration of the TLS listener.
pub(crate) fn server_config(certificate: Arc<HotCertificate>) -> Result<Arc<ServerConfig>, Error> {
    let failed = |error: rustls::Error| Error::System { doing: "set up TLS", why: error.to_string() };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(failed)?
        .with_client_cert_verifier(clients::AnyClient::new(provider))
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Resumption without a table in memory; the ticketer's keys change by themselves and never leave the process.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(failed)?;
    Ok(Arc::new(config))
}
