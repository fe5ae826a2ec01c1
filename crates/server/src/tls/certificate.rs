//! Certificates and keys for our listener, from the operator's files or from the service CA.

use crate::Error;
use certwright_domain::secret::SecretBytes;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Largest certificate or key file that is read.
const MOST: u64 = 1 << 20;

/// A chain (DER, leaf first) with its PKCS#8 key.
pub(crate) fn from_parts(chain: &[Vec<u8>], key: &SecretBytes) -> Result<CertifiedKey, Error> {
    let what = "the service CA's certificate";
    let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.expose().as_slice()));
    certified(what, chain, &key)
}

/// The operator's files: a PEM chain, leaf first, and its key (PKCS#8, PKCS#1 or SEC1), which others cannot read.
/// Group may: distributions keep such keys as `root:ssl-cert 0640`.
pub(crate) fn from_files(certificate: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let wrong = |path: &Path, why: String| Error::Tls { what: path.display().to_string(), why };
    let pem = read(certificate, false)?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "it holds no certificate in PEM".to_owned()));
    }
    // Wiped when dropped, like the key that is read from it.
    let pem = SecretBytes::new(read(key, true)?);
    let private = PrivateKeyDer::from_pem_slice(pem.expose()).map_err(|error| wrong(key, error.to_string()))?;
    certified(&format!("{} with {}", certificate.display(), key.display()), chain, &private)
}

fn certified(what: &str, chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<CertifiedKey, Error> {
    let wrong = |error: rustls::Error| Error::Tls { what: what.to_owned(), why: error.to_string() };
    let certified = CertifiedKey::new(chain, any_supported_type(key).map_err(wrong)?);
    certified.keys_match().map_err(wrong)?;
    Ok(certified)
}

fn read(path: &Path, secret: bool) -> Result<Vec<u8>, Error> {
    let failed = |error: io::Error| Error::file("read", path, error);
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode();
    if secret && mode & 0o007 != 0 {
        return Err(Error::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
