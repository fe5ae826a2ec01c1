//! CAs brought along with their keys (`IMPORTED`): where they stop, we go on.

use super::bring::{Foreign, at};
use super::create::Blank;
use super::refusals::strong_enough;
use super::{CaView, ImportCa};
use crate::access::Object;
use crate::vaults::{find_vault, newest_vault_key, usable_vault, vault_key};
use crate::{App, Call, Error, Permission};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::ca::CaType;
use certwright_domain::id::{CompartmentId, KeyId};
use certwright_domain::key::{Key, KeyState, KeyVersion, Protection, Vault};
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::name::Reference;
use certwright_domain::secret::SecretBytes;
use certwright_domain::violation::Invalid;
use certwright_keystore::KeyPlace;
use certwright_pki::{Certificate, read_certificate};

impl App {
    /// Takes a CA with its key.
    pub(super) async fn import_ca(&self, call: &Call, blank: Blank, import: ImportCa) -> Result<CaView, Error> {
        let certificates: Vec<Certificate> = import
            .brought
            .certificates
            .iter()
            .map(|der| read_certificate(der))
            .collect::<Result<_, _>>()
            .map_err(at("/certificate"))?;
        let (own, pool) = self.pick_own(certificates, &import.brought.private_key)?;
        let foreign = self.with_chain(own, pool).await?;
        let (mut ca, mut version) = self.foreign_ca(blank, CaType::Imported, &foreign)?;
        refuse_weak(&foreign.certificate)?;
        let algorithm = self.inner.keys.inspect_private_key(&import.brought.private_key).map_err(bad_key)?;
        let signature_algorithm = fitting(import.signature_algorithm, algorithm)?;
        let mut read = self.inner.store.read().await?;
        let vault = find_vault(&mut *read, &import.vault).await?;
        let home = read.compartment_of(vault.id.as_str()).await?;
        self.may_keep_key(call, &vault, &import.vault, home.clone())?;
        usable_vault(call, &vault)?;
        let sealing = newest_vault_key(&mut *read, &vault.id).await?;
        drop(read);
        let vault_id = vault.id;
        let now = self.inner.clock.now();
        let key_id = KeyId::new(now, self.inner.id_entropy());
        let place = KeyPlace { vault_id: vault_id.clone(), key_id: key_id.clone(), version: 1, algorithm };
        let taken = self.inner.keys.import_key(&vault_key(&sealing), &place, &import.brought.private_key).await?;
        let key = Key {
            id: key_id.clone(),
            vault_id: vault_id.clone(),
            name: import.key,
            algorithm,
            protection: Protection::Software,
            state: KeyState::Enabled,
            state_before_deletion: None,
            used_by_ca: Some(ca.id.clone()),
            latest_version: 1,
            created_at: now,
            deletion_at: None,
            revision: 1,
        };
        let key_version = KeyVersion {
            key_id: key_id.clone(),
            number: 1,
            vault_key_version: sealing.number,
            sealed: taken.sealed,
            public_key: taken.public_key,
            created_at: now,
        };
        ca.key = Some((vault_id, key_id));
        ca.signature_algorithm = Some(signature_algorithm);
        ca.crl_number = import.crl_number;
        version.key_version = Some(1);
        let serials = with_own(import.known_serials, &foreign);
        self.store_foreign(call, ca, version, Some((key, key_version, sealing, home)), &serials).await
    }

    /// Whoever brings a CA puts a key into a vault: that is asked as if the key were made there. A vault that may not be seen
    /// is as absent as one that is not there.
    fn may_keep_key(&self, call: &Call, vault: &Vault, called: &Reference, home: CompartmentId) -> Result<(), Error> {
        if call.caller.is_system() {
            return Ok(());
        }
        if !self.is_allowed(call, Permission::VaultList, &Object::vault(vault, home.clone())) {
            return Err(Error::not_found("vault", called));
        }
        self.authorize(call, Permission::KeyManage, &Object::place("key", home)).map(drop)
    }

    /// The certificate of the key (the first one, where a CA has several), and all others.
    fn pick_own(
        &self,
        mut certificates: Vec<Certificate>,
        private_key: &SecretBytes,
    ) -> Result<(Certificate, Vec<Certificate>), Error> {
        let public_key = match self.inner.keys.public_key_of(private_key) {
            Ok(public_key) => public_key,
            Err(error) => {
                // A weak key is refused with the rule that it breaks, where its certificate tells.
                certificates.first().map_or(Ok(()), refuse_weak)?;
                return Err(bad_key(error));
            }
        };
        match certificates.iter().position(|one| one.public_key.spki == public_key) {
            Some(place) => {
                let own = certificates.remove(place);
                Ok((own, certificates))
            }
            None => Err(Error::invalid(
                "/privateKey",
                Invalid::new(
                    "key_mismatch",
                    "The private key does not belong to the certificate.",
                    "Give the private key whose public key the CA's certificate carries.",
                ),
            )),
        }
    }
}

fn refuse_weak(certificate: &Certificate) -> Result<(), Error> {
    strong_enough(&certificate.public_key).map(drop)
}

fn bad_key(error: certwright_keystore::Error) -> Error {
    match error {
        certwright_keystore::Error::Unusable(detail) => {
            Error::invalid("/privateKey", Invalid::new("invalid_private_key", detail, "Give the CA's private key."))
        }
        other => other.into(),
    }
}

fn fitting(wished: Option<SignatureAlgorithm>, algorithm: KeyAlgorithm) -> Result<SignatureAlgorithm, Error> {
    let fitting = algorithm.signature_algorithms();
    match wished {
        Some(wished) if fitting.contains(&wished) => Ok(wished),
        Some(wished) => Err(Error::invalid(
            "/signatureAlgorithm",
            Invalid::new(
                "signature_algorithm_mismatch",
                format!("{wished} does not fit an {algorithm} key."),
                "Leave it out to take the key's own.",
            ),
        )),
        None => fitting.first().copied().ok_or_else(|| {
            Error::invalid(
                "/privateKey",
                Invalid::new("invalid_private_key", "A symmetric key cannot sign.", "Give the CA's private key."),
            )
        }),
    }
}

/// A root gave its own certificate a serial, too, whether or not its index says so.
fn with_own(mut serials: Vec<KnownSerial>, foreign: &Foreign) -> Vec<KnownSerial> {
    let own = &foreign.certificate;
    if own.is_self_issued() && !serials.iter().any(|known| known.serial == own.serial) {
        let expires_at = Some(own.validity.not_after());
        serials.push(KnownSerial { serial: own.serial.clone(), expires_at, revocation: None });
    }
    serials
}
