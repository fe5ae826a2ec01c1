//! CAs whose certificate comes from elsewhere: `EXTERNAL_ROOT`, `IMPORTED`, and the certificate of a
//! `SUBORDINATE_EXTERNAL`.

use super::create::{Blank, blank_version, fill_version};
use super::read::{find, view, view_with};
use super::{CaView, ImportCa, Install};
use crate::audit::Target;
use crate::change::{by_id, name_conflict};
use crate::vaults::{find_vault, newest_vault_key, still_newest, usable_vault, vault_key};
use crate::{App, Call, Error, Permission};
use certwright_domain::ca::{Ca, CaState, CaType, CaVersion};
use certwright_domain::event::EventKind;
use certwright_domain::id::KeyId;
use certwright_domain::key::{Key, KeyState, KeyVersion, Protection, VaultKeyVersion};
use certwright_domain::name::Reference;
use certwright_domain::rules::key_strength;
use certwright_domain::violation::Invalid;
use certwright_keystore::KeyPlace;
use certwright_pki::{Certificate, check_ca_certificate, check_issued_by, read_certificate, read_certificates};
use certwright_store::{CaFilter, PageRequest};

/// A foreign CA certificate with the certificates above it, each link checked.
struct Foreign {
    certificate: Certificate,
    chain: Vec<Vec<u8>>,
}

impl App {
    /// Registers a trust anchor without key.
    pub(super) async fn register_external_root(
        &self,
        call: &Call,
        blank: Blank,
        certificate: &[u8],
    ) -> Result<CaView, Error> {
        let certificate = read_certificate(certificate).map_err(at("/certificate"))?;
        if certificate.issuer_der != certificate.subject_der {
            return Err(Error::invalid(
                "/certificate",
                Invalid::new(
                    "not_self_signed",
                    "The certificate is not self-signed, so it is no root.",
                    "Register the root above it.",
                ),
            ));
        }
        check_issued_by(&certificate, &certificate).map_err(|invalid| Error::invalid("/certificate", invalid))?;
        let foreign = Foreign { certificate, chain: Vec::new() };
        let (ca, version) = self.foreign_ca(blank, CaType::ExternalRoot, &foreign)?;
        self.store_foreign(call, ca, version, None).await
    }

    /// Takes a CA with its key.
    pub(super) async fn import_ca(&self, call: &Call, blank: Blank, import: ImportCa) -> Result<CaView, Error> {
        let own = read_certificate(&import.certificate).map_err(at("/certificate"))?;
        let foreign = self.with_chain(own, &import.chain).await?;
        let (mut ca, mut version) = self.foreign_ca(blank, CaType::Imported, &foreign)?;
        let strength = key_strength(&foreign.certificate.public_key, "the service");
        if !strength.passed() {
            return Err(Error::Rejected(strength.violations));
        }
        let algorithm = self.inner.keys.inspect_private_key(&import.private_key).map_err(|error| {
            Error::invalid(
                "/privateKey",
                Invalid::new("invalid_private_key", error.to_string(), "Give the CA's private key."),
            )
        })?;
        let signature_algorithm = match import.signature_algorithm {
            Some(wished) if algorithm.signature_algorithms().contains(&wished) => wished,
            Some(wished) => {
                return Err(Error::invalid(
                    "/signatureAlgorithm",
                    Invalid::new(
                        "signature_algorithm_mismatch",
                        format!("{wished} does not fit an {algorithm} key."),
                        "Leave it out to take the key's own.",
                    ),
                ));
            }
            None => algorithm.signature_algorithms().first().copied().ok_or_else(|| {
                Error::invalid(
                    "/privateKey",
                    Invalid::new("invalid_private_key", "A symmetric key cannot sign.", "Give the CA's private key."),
                )
            })?,
        };
        let mut read = self.inner.store.read().await?;
        let vault = find_vault(&mut *read, &import.vault).await?;
        usable_vault(call, &vault)?;
        let sealing = newest_vault_key(&mut *read, &vault.id).await?;
        drop(read);
        let vault_id = vault.id;
        let now = self.inner.clock.now();
        let key_id = KeyId::new(now, self.inner.id_entropy());
        let place = KeyPlace { vault_id: vault_id.clone(), key_id: key_id.clone(), version: 1, algorithm };
        let taken = self.inner.keys.import_key(&vault_key(&sealing), &place, &import.private_key).await?;
        if taken.public_key.as_deref() != Some(foreign.certificate.public_key.spki.as_slice()) {
            return Err(Error::invalid(
                "/privateKey",
                Invalid::new(
                    "key_mismatch",
                    "The private key does not belong to the certificate.",
                    "Give the private key whose public key the certificate carries.",
                ),
            ));
        }
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
        version.key_version = Some(1);
        self.store_foreign(call, ca, version, Some((key, key_version, sealing))).await
    }

    /// Installs the certificate signed elsewhere. The first one makes the CA active; a later one is `PENDING` until it is
    /// made current.
    pub async fn install_ca(&self, call: &Call, ca: &Reference, install: Install) -> Result<CaView, Error> {
        self.authorize(call, Permission::CaManage)?;
        let mut read = self.inner.store.read().await?;
        let mut ca = find(&mut read, ca).await?;
        let waiting = read.ca_versions(&ca.id).await?.into_iter().find(|v| v.certificate.is_none() && v.csr.is_some());
        let Some(mut version) = waiting.filter(|_| ca.ca_type == CaType::SubordinateExternal) else {
            return Err(Error::conflict(
                "nothing_to_install",
                format!("CA {} has no CSR that waits for a certificate.", ca.name),
                "Only a CA of type SUBORDINATE_EXTERNAL takes one, once per CSR; renew it to get a new CSR.",
            ));
        };
        drop(read);
        let mut given = read_certificates(&install.certificate).map_err(at("/certificate"))?.into_iter();
        let own = given.next().ok_or_else(|| Error::Internal("no certificate in a list that is not empty".into()))?;
        let mut chain = install.chain.clone();
        for upper in given {
            chain.extend_from_slice(certwright_pki::to_pem("CERTIFICATE", &upper.der).as_bytes());
        }
        self.check_fits(&ca, &version, &own)?;
        let foreign = self.with_chain(own, &chain).await?;
        self.check_in_time(&foreign.certificate)?;
        fill_version(&mut version, &foreign.certificate);
        version.chain = foreign.chain;
        let first = ca.versions.current.is_none();
        if first {
            ca.versions.current = Some(version.number);
            ca.state = CaState::Active;
            ca.rules.path_length = foreign.certificate.ca.flatten();
            ca.rules.name_constraints = foreign.certificate.name_constraints.clone();
        }
        let audit = self.inner.audit(
            call,
            "ca.install",
            Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() },
            &[("version", &version.number.to_string()), ("fingerprint", &foreign.certificate.fingerprint.to_string())],
        );
        let mut tx = self.inner.begin_change(call, "ca.install").await?;
        tx.install_ca_version(&version).await?;
        tx.update_ca(&ca).await?;
        tx.insert_audit(&audit).await?;
        let kind = if first { EventKind::CaIssued } else { EventKind::CaRenewed };
        self.inner.tell_of_ca(&mut **tx, call, kind, &ca, Some(&version), &[]).await?;
        tx.commit().await?;
        let mut read = self.inner.store.read().await?;
        if call.dry_run {
            return view_with(&mut read, ca, Some(version), Vec::new()).await;
        }
        let ca = find(&mut read, &by_id(ca.id.as_str())?).await?;
        view(&mut read, ca, Some(version.number)).await
    }

    /// Does the certificate answer our CSR: our key, our subject, a CA, its constraints no looser than asked for?
    fn check_fits(&self, ca: &Ca, version: &CaVersion, own: &Certificate) -> Result<(), Error> {
        let refuse =
            |code, detail: &str, hint: &str| Err(Error::invalid("/certificate", Invalid::new(code, detail, hint)));
        if Some(own.public_key.spki_sha256) != version.spki_sha256 {
            return refuse(
                "key_mismatch",
                "The certificate carries another key than the CSR.",
                "Install the certificate made from the CSR under …/csr.",
            );
        }
        if own.subject != ca.subject {
            let detail = format!("The certificate's subject is `{}`, the CA's is `{}`.", own.subject, ca.subject);
            return refuse("subject_mismatch", &detail, "Have the CSR signed with its own subject.");
        }
        check_ca_certificate(own).map_err(|invalid| Error::invalid("/certificate", invalid))
    }

    fn check_in_time(&self, certificate: &Certificate) -> Result<(), Error> {
        let now = self.inner.clock.now();
        if now.floor_to_second() > certificate.validity.not_after() {
            return Err(Error::invalid(
                "/certificate",
                Invalid::new(
                    "certificate_expired",
                    format!("The certificate expired at {}.", certificate.validity.not_after()),
                    "Give one that is still valid.",
                ),
            ));
        }
        Ok(())
    }

    /// Puts the chain in order, nearest first, checks each link; a missing root is looked for among our roots and may
    /// stay missing.
    async fn with_chain(&self, certificate: Certificate, chain: &[u8]) -> Result<Foreign, Error> {
        let mut pool = match chain.iter().all(u8::is_ascii_whitespace) {
            true => Vec::new(),
            false => read_certificates(chain).map_err(at("/chain"))?,
        };
        pool.retain(|one| one.fingerprint != certificate.fingerprint);
        let mut ordered: Vec<Certificate> = Vec::new();
        let mut top = certificate.clone();
        while top.issuer_der != top.subject_der {
            let place =
                pool.iter().position(|one| one.subject_der == top.issuer_der && check_issued_by(&top, one).is_ok());
            let next = match place {
                Some(place) => pool.swap_remove(place),
                None if pool.is_empty() => {
                    match self
                        .known_roots()
                        .await?
                        .into_iter()
                        .find(|root| root.subject_der == top.issuer_der && check_issued_by(&top, root).is_ok())
                    {
                        Some(root) => root,
                        None => break,
                    }
                }
                None => {
                    return Err(Error::invalid(
                        "/chain",
                        Invalid::new(
                            "broken_chain",
                            format!("No certificate of the chain has signed `{}`.", top.subject),
                            "Give every certificate between this CA and its root, and no others.",
                        ),
                    ));
                }
            };
            ordered.push(next.clone());
            top = next;
            if ordered.len() > 10 {
                return Err(Error::invalid(
                    "/chain",
                    Invalid::new("chain_too_long", "The chain is longer than 10.", "Shorten it."),
                ));
            }
        }
        if top.issuer_der == top.subject_der {
            check_issued_by(&top, &top).map_err(|invalid| Error::invalid("/chain", invalid))?;
        }
        if !pool.is_empty() {
            return Err(Error::invalid(
                "/chain",
                Invalid::new(
                    "broken_chain",
                    "The chain holds certificates that do not belong to it.",
                    "Leave them out.",
                ),
            ));
        }
        Ok(Foreign { certificate, chain: ordered.into_iter().map(|one| one.der).collect() })
    }

    async fn known_roots(&self) -> Result<Vec<Certificate>, Error> {
        let mut read = self.inner.store.read().await?;
        let mut known = Vec::new();
        for ca_type in [CaType::ExternalRoot, CaType::Root] {
            let filter = CaFilter { ca_type: Some(ca_type), ..CaFilter::default() };
            let page = read.cas(&filter, &PageRequest { limit: 500, after: None }).await?;
            for ca in page.items {
                for version in read.ca_versions(&ca.id).await? {
                    if let Some(der) = &version.certificate {
                        known.push(read_certificate(der)?);
                    }
                }
            }
        }
        Ok(known)
    }

    /// CA and version rows of a foreign certificate; path length and constraints are the certificate's.
    fn foreign_ca(&self, blank: Blank, ca_type: CaType, foreign: &Foreign) -> Result<(Ca, CaVersion), Error> {
        check_ca_certificate(&foreign.certificate).map_err(|invalid| Error::invalid("/certificate", invalid))?;
        self.check_in_time(&foreign.certificate)?;
        if blank.rules.path_length.is_some() || blank.rules.name_constraints.is_some() {
            return Err(Error::invalid(
                "/rules",
                Invalid::new(
                    "rule_fixed_by_certificate",
                    "Path length and name constraints of a foreign certificate are its own.",
                    "Leave `pathLength` and `nameConstraints` out.",
                ),
            ));
        }
        let mut rules = blank.ca_rules();
        rules.path_length = foreign.certificate.ca.flatten();
        rules.name_constraints = foreign.certificate.name_constraints.clone();
        let mut ca = self.blank_ca(blank, ca_type, rules);
        ca.subject = foreign.certificate.subject.clone();
        let mut version = blank_version(&ca.id, 1, None, ca.created_at);
        fill_version(&mut version, &foreign.certificate);
        version.chain = foreign.chain.clone();
        Ok((ca, version))
    }

    async fn store_foreign(
        &self,
        call: &Call,
        ca: Ca,
        version: CaVersion,
        key: Option<(Key, KeyVersion, VaultKeyVersion)>,
    ) -> Result<CaView, Error> {
        let mut tx = self.inner.begin_change(call, "ca.create").await?;
        if let Some((key, key_version, sealing)) = &key {
            still_newest(&mut **tx, sealing).await?;
            // The CA's row refers to the key, the key's to the CA: the key comes first, its use is written last.
            let mut unused = key.clone();
            unused.used_by_ca = None;
            tx.insert_key(&unused).await.map_err(|error| name_conflict(error, "key", &key.name))?;
            tx.insert_key_version(key_version).await?;
        }
        self.insert_ca(&mut tx, call, &ca, &version, key.map(|(key, ..)| key)).await?;
        tx.commit().await?;
        let mut read = self.inner.store.read().await?;
        view_with(&mut read, ca, Some(version), Vec::new()).await
    }
}

/// Points a fault of X.509 data at its field.
fn at(pointer: &'static str) -> impl Fn(certwright_pki::Error) -> Error {
    move |error| match error {
        certwright_pki::Error::Invalid(invalid) => Error::invalid(pointer, invalid),
        other => other.into(),
    }
}
