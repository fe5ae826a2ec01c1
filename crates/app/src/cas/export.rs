//! Taking a CA away with its key: what was made exportable, by those who may, on the record.

use super::lifecycle::not_the_servers_own;
use super::read::find;
use crate::audit::Target;
use crate::certificates::{blocking, container_fault};
use crate::{App, Call, Error, Permission};
use certwright_domain::ca::{Ca, CaVersion};
use certwright_domain::key::Protection;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_keystore::container::{self, Strength};
use certwright_pki::to_pem;

/// How a CA is taken away.
pub struct CaExport {
    /// Which file.
    pub format: CaExportFormat,
    /// Password of the file: there is no way to have the key in the clear.
    pub password: SecretText,
}

/// Files that hold a CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaExportFormat {
    /// PKCS#12 for programs of these years.
    Pkcs12,
    /// PKCS#12 for old ones.
    Pkcs12Compat,
    /// The encrypted key, the CA's certificate and those above it.
    Pem,
}

/// A CA as a file. Whoever has it and its password is the CA.
pub struct ExportedCa {
    /// Name of the CA.
    pub name: ResourceName,
    /// The file.
    pub content: SecretBytes,
}

impl App {
    /// A CA with the key of its current version. The audit event is durable before the file leaves; a trial checks
    /// everything and gives no file.
    pub async fn export_ca(&self, call: &Call, ca: &Reference, export: CaExport) -> Result<Option<ExportedCa>, Error> {
        let ca = &self.may_ca(call, Permission::CaExport, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        not_the_servers_own(call, &ca)?;
        refuse_unless_exportable(&ca)?;
        let number = ca.versions.current.unwrap_or(ca.versions.latest);
        let version = read.ca_version(&ca.id, number).await?;
        let version = version.ok_or_else(|| Error::Internal(format!("{} lacks its version {number}", ca.id)))?;
        let chain = chain_of(&ca, &version)?;
        let (Some((vault_id, key_id)), Some(key_version)) = (&ca.key, version.key_version) else {
            return Err(Error::conflict(
                "ca_has_no_key",
                format!("CA {} is a trust anchor without a key of ours.", ca.name),
                "Read its certificate: GET …/chain.",
            ));
        };
        let key = self.sealed_key(&mut read, vault_id, key_id, key_version).await?;
        drop(read);
        if key.protection != Protection::Software {
            return Err(Error::conflict(
                "key_not_extractable",
                format!("The key of CA {} lives in a token and never leaves it.", ca.name),
                "Move the token, or make a new CA.",
            ));
        }
        let opened = self.inner.keys.export_key(&key.vault_key, &key.place, &key.sealed).await?;
        if call.dry_run {
            return Ok(None);
        }
        let format = export.format;
        let name = ca.name.to_string();
        let written =
            move || write(&export, &name, &opened, &chain).map_err(|error| container_fault("/password", error));
        let content = blocking(written).await?;
        let fingerprint = version.fingerprint.map(|fingerprint| fingerprint.to_string()).unwrap_or_default();
        let event = self.inner.audit(
            call,
            "ca.export",
            Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() },
            &[("version", &number.to_string()), ("fingerprint", &fingerprint), ("format", format.as_str())],
        );
        let mut tx = self.inner.store.begin("ca.export").await?;
        tx.insert_audit(&event).await?;
        tx.commit().await?;
        Ok(Some(ExportedCa { name: ca.name, content }))
    }
}

impl CaExportFormat {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pkcs12 => "pkcs12",
            Self::Pkcs12Compat => "pkcs12 compat",
            Self::Pem => "pem",
        }
    }
}

fn refuse_unless_exportable(ca: &Ca) -> Result<(), Error> {
    match ca.exportable {
        true => Ok(()),
        false => Err(Error::conflict(
            "ca_not_exportable",
            format!("CA {} was not made exportable: its key does not leave.", ca.name),
            "Exportable is what was made or imported with `\"exportable\":true`; it cannot be changed afterwards.",
        )),
    }
}

fn chain_of(ca: &Ca, version: &CaVersion) -> Result<Vec<Vec<u8>>, Error> {
    let own = version.certificate.clone().ok_or_else(|| {
        Error::conflict(
            "ca_without_certificate",
            format!("CA {} has no certificate yet.", ca.name),
            "Install the certificate signed for its CSR first.",
        )
    })?;
    Ok(std::iter::once(own).chain(version.chain.iter().cloned()).collect())
}

fn write(export: &CaExport, name: &str, key: &SecretBytes, chain: &[Vec<u8>]) -> Result<SecretBytes, container::Error> {
    let strength = match export.format {
        CaExportFormat::Pkcs12 => Strength::Modern,
        CaExportFormat::Pkcs12Compat => Strength::Compat,
        CaExportFormat::Pem => {
            let key = container::encrypt_private_key(key, &export.password)?;
            let certificates: String = chain.iter().map(|der| to_pem("CERTIFICATE", der)).collect();
            return Ok(SecretBytes::new([key.expose().as_bytes(), certificates.as_bytes()].concat()));
        }
    };
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    container::write_pkcs12(key, &chain, name, &export.password, strength)
}
