//! Certificates and keys as files of other programs: what people bring, and what they take away.

use super::{Bundle, ImportedCertificate};
use crate::{App, Error, Pointed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::time::Timestamp;
use certwright_domain::violation::Invalid;
use certwright_keystore::container::{self, Strength};
use certwright_pki::{MAX_CERTIFICATES, read_heap};

/// A certificate with its key as a request brings it; either PEM in parts, or PKCS#12.
#[derive(Default)]
pub struct Brought {
    /// PEM, PKCS#7 or DER: the certificate; in PEM the chain and the key may stand in the same text, in any order.
    pub certificate: Option<SecretBytes>,
    /// PEM or PKCS#7: certificates above it.
    pub chain: Option<Vec<u8>>,
    /// PEM: the private key.
    pub private_key: Option<SecretBytes>,
    /// Passphrase of the private key.
    pub passphrase: Option<SecretBytes>,
    /// Base64 of PKCS#12.
    pub pkcs12: Option<SecretBytes>,
    /// Its password.
    pub password: Option<SecretBytes>,
}

/// Files that hold a key with its chain under a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFile {
    /// PKCS#12 for programs of these years.
    Pkcs12,
    /// PKCS#12 for old ones.
    Pkcs12Compat,
    /// Java's key store.
    Jks,
}

impl App {
    /// Reads what was brought, decrypting it where it must.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers relative to the import.
    pub async fn read_brought(&self, brought: Brought) -> Result<ImportedCertificate, Error> {
        blocking(move || match &brought.pkcs12 {
            Some(file) => read_pkcs12(file, &brought),
            None => read_pem(&brought),
        })
        .await
    }

    /// A private key under a passphrase: PEM `ENCRYPTED PRIVATE KEY`.
    pub async fn encrypted_key(&self, key: &SecretBytes, passphrase: SecretText) -> Result<SecretText, Error> {
        let key = key.clone();
        blocking(move || container::encrypt_private_key(&key, &passphrase).map_err(|error| at("/password", error)))
            .await
    }

    /// A bundle as a file with a password. Without a key it is a trust store with the certificates above the leaf.
    pub async fn key_file(
        &self,
        kind: KeyFile,
        bundle: &Bundle,
        key: Option<&SecretBytes>,
        alias: Option<&str>,
        password: Option<SecretText>,
    ) -> Result<SecretBytes, Error> {
        let Some(password) = password else {
            let hint = "Add `\"password\":\"…\"` to the body.";
            return Err(missing("/password", "missing_field", "This format needs a password.", hint));
        };
        let alias = alias.unwrap_or(bundle.certificate.name.as_str()).to_owned();
        let created_at = bundle.version.created_at;
        let Some(key) = key.cloned() else {
            let trusted = bundle.version.chain.iter().map(|der| (alias.clone(), der.clone())).collect();
            return self.trust_file(kind, trusted, password, created_at).await;
        };
        let chain = bundle.chain();
        blocking(move || {
            let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
            match kind {
                KeyFile::Jks => container::write_jks(&key, &chain, &alias, &password, created_at),
                KeyFile::Pkcs12 => container::write_pkcs12(&key, &chain, &alias, &password, Strength::Modern),
                KeyFile::Pkcs12Compat => container::write_pkcs12(&key, &chain, &alias, &password, Strength::Compat),
            }
            .map_err(|error| at(pointer_of(&error), error))
        })
        .await
    }

    /// Certificates (alias and DER) as a trust store with a password.
    pub async fn trust_file(
        &self,
        kind: KeyFile,
        trusted: Vec<(String, Vec<u8>)>,
        password: SecretText,
        created_at: Timestamp,
    ) -> Result<SecretBytes, Error> {
        blocking(move || {
            let trusted: Vec<(&str, &[u8])> =
                trusted.iter().map(|(alias, der)| (alias.as_str(), der.as_slice())).collect();
            match kind {
                KeyFile::Jks => container::write_jks_trust_store(&trusted, &password, created_at),
                KeyFile::Pkcs12 => container::write_pkcs12_trust_store(&trusted, &password, Strength::Modern),
                KeyFile::Pkcs12Compat => container::write_pkcs12_trust_store(&trusted, &password, Strength::Compat),
            }
            .map_err(|error| at(pointer_of(&error), error))
        })
        .await
    }
}

/// Keys from passwords take tens of milliseconds, by a foreign file's own choice more: never on a thread of the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(format!("reading or writing a file of keys: {error}")))?
}

fn read_pem(brought: &Brought) -> Result<ImportedCertificate, Error> {
    let (mut certificates, mut private_key) = (Vec::new(), None);
    for (pointer, text) in [
        ("/certificate", brought.certificate.as_ref().map(|text| text.expose().as_slice())),
        ("/chain", brought.chain.as_deref()),
        ("/privateKey", brought.private_key.as_ref().map(|text| text.expose().as_slice())),
    ] {
        let Some(text) = text else { continue };
        let heap = read_heap(text, MAX_CERTIFICATES).map_err(|error| match error {
            certwright_pki::Error::Invalid(invalid) => Error::invalid(pointer, invalid),
            other => other.into(),
        })?;
        certificates.extend(heap.certificates.into_iter().map(|one| one.der));
        if let Some(key) = heap.private_key
            && private_key.replace(key).is_some()
        {
            return Err(missing(pointer, "several_private_keys", "There are several private keys.", "Give one."));
        }
    }
    if certificates.is_empty() {
        let hint = "Give it as PEM, or give `pkcs12`.";
        return Err(missing("/certificate", "missing_field", "There is no certificate to import.", hint));
    }
    let Some(key) = private_key else {
        let hint = "Give it as PEM: PKCS#8, PKCS#1 or SEC1.";
        return Err(missing("/privateKey", "missing_field", "There is no private key to import.", hint));
    };
    let passphrase = brought.passphrase.as_ref().map(|text| text_of("/passphrase", text)).transpose()?;
    let private_key =
        container::read_private_key(key.expose().as_bytes(), passphrase.as_ref()).map_err(|error| match error {
            container::Error::WrongPassword => at("/passphrase", error),
            error => at("/privateKey", error),
        })?;
    Ok(ImportedCertificate { certificates, private_key })
}

fn read_pkcs12(file: &SecretBytes, brought: &Brought) -> Result<ImportedCertificate, Error> {
    if brought.certificate.is_some() || brought.chain.is_some() || brought.private_key.is_some() {
        return Err(Error::invalid(
            "/pkcs12",
            Invalid::new(
                "contradicting_fields",
                "PKCS#12 holds certificate, chain and key already.",
                "Leave `certificate`, `chain` and `privateKey` out, or `pkcs12`.",
            ),
        ));
    }
    let mut text = file.expose().clone();
    text.retain(|byte| !byte.is_ascii_whitespace());
    let der = STANDARD.decode(&text).map(SecretBytes::new).map_err(|_| {
        Error::invalid(
            "/pkcs12",
            Invalid::new(
                "not_base64",
                "The PKCS#12 file is not base64.",
                "Send it as `base64 -w0 file.p12` prints it.",
            ),
        )
    })?;
    let password = match &brought.password {
        Some(password) => text_of("/password", password)?,
        None => SecretText::new(String::new()),
    };
    let contents = container::read_pkcs12(der.expose(), &password).map_err(|error| {
        at(if matches!(error, container::Error::WrongPassword) { "/password" } else { "/pkcs12" }, error)
    })?;
    let private_key = contents.private_key.ok_or_else(|| at("/pkcs12", container::Error::NoPrivateKey))?;
    Ok(ImportedCertificate { certificates: contents.certificates, private_key })
}

/// Which field of a request for a file is at fault.
fn pointer_of(error: &container::Error) -> &'static str {
    match error {
        container::Error::UnsuitableAlias(_) => "/alias",
        container::Error::UnsuitablePassword(_) => "/password",
        _ => "",
    }
}

/// A fault of a container, at its field; our own faults stay ours.
pub(crate) fn at(pointer: &str, error: container::Error) -> Error {
    match error {
        container::Error::Crypto(what) => Error::Internal(format!("crypto library: {what}")),
        error => {
            let invalid = Invalid::new(error.code(), error.to_string(), error.hint());
            Error::Invalid(vec![Pointed::at(pointer, invalid)])
        }
    }
}

fn text_of(pointer: &str, bytes: &SecretBytes) -> Result<SecretText, Error> {
    String::from_utf8(bytes.expose().clone()).map(SecretText::new).map_err(|_| {
        Error::invalid(pointer, Invalid::new("invalid_text", "The password is not UTF-8 text.", "Send it as text."))
    })
}

fn missing(pointer: &str, code: &'static str, detail: &str, hint: &str) -> Error {
    Error::invalid(pointer, Invalid::new(code, detail, hint))
}
