//! Making CAs: `ROOT`, `SUBORDINATE`, `SUBORDINATE_EXTERNAL`. (Foreign ones: [`super::bring`].)

use super::lifecycle::not_the_servers_own;
use super::read::view_with;
use super::refusals::{refuse_blocked_key, strong_enough};
use super::{CaView, NewCa, NewCaKind, NewRules, OwnKey};
use crate::access::{CaPrincipal, Leave, Object};
use crate::audit::Target;
use crate::change::{Change, by_id, name_conflict, name_taken, settle_in, stale};
use crate::context::{IssuerContext, refuse_unless_active};
use crate::issuance::AuthorityPlan;
use crate::signing_keys::usable;
use crate::urls::IssuerUrls;
use crate::vaults::{find_vault, usable_vault};
use crate::{App, Call, Error, Permission};
use certwright_domain::access::PlacedKind;
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::ca::{Ca, CaRules, CaState, CaType, CaVersion, RevocationSettings};
use certwright_domain::event::EventKind;
use certwright_domain::id::{CaId, CompartmentId};
use certwright_domain::key::{Key, KeyState};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::public_key::PublicKey;
use certwright_domain::publication::Publication;
use certwright_domain::rules::{CaRequest, Decision, decide_root, decide_subordinate};
use certwright_domain::stage::VersionPointers;
use certwright_domain::validity::RequestedValidity;
use certwright_domain::violation::Invalid;
use certwright_keystore::Signer;
use certwright_pki::{Certificate, prepare_ca_csr, read_public_key};
use certwright_store::{Reader, Tx};
use std::sync::Arc;

/// A master key that may become a CA's.
pub(super) struct SigningKey {
    pub(super) key: Key,
    pub(super) public_key: PublicKey,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) signer: Arc<dyn Signer>,
    /// The caller's leave to use it.
    pub(super) leave: Leave,
}

impl App {
    /// Makes a CA. The intent is stored before its certificate is signed. As a trial: verdicts, and the CA as it would
    /// be, its version without certificate; no key signs.
    pub async fn create_ca(&self, call: &Call, new: NewCa) -> Result<CaView, Error> {
        let name = new.name.to_string();
        let made = self.make_ca(call, new, false).await;
        self.note_if_refused(call, "ca.create", ("ca", &name), made)
    }

    /// The same for the server's own CA (`system`).
    pub(crate) async fn make_ca(&self, call: &Call, new: NewCa, system: bool) -> Result<CaView, Error> {
        self.may_make(call, Permission::CaManage, "CA", CompartmentId::tenancy()).await?;
        let NewCa { name, kind, rules, revocation, publication, exportable } = new;
        check_rules(&rules)?;
        if rules.renewal.is_some() && !matches!(kind, NewCaKind::Root(..) | NewCaKind::Subordinate(..)) {
            return Err(not_renewable_by_rule());
        }
        self.refuse_taken_name(&name).await?;
        if let Some(publication) = &publication {
            let mut read = self.inner.store.read().await?;
            self.check_publication(&mut *read, None, publication, revocation.crl_shards).await?;
        }
        let blank = Blank { name, rules, revocation, publication, system, exportable };
        match kind {
            NewCaKind::Root(own, validity) => self.create_root(call, blank, own, validity).await,
            NewCaKind::Subordinate(own, validity, issuer) => {
                self.create_subordinate(call, blank, own, validity, &issuer).await
            }
            NewCaKind::SubordinateExternal(own) => self.create_external_subordinate(call, blank, own).await,
            NewCaKind::ExternalRoot(certificate) => self.register_external_root(call, blank, &certificate).await,
            NewCaKind::Imported(import) => self.import_ca(call, blank, import).await,
        }
    }

    async fn create_root(
        &self,
        call: &Call,
        blank: Blank,
        own: OwnKey,
        validity: RequestedValidity,
    ) -> Result<CaView, Error> {
        let key = self.signing_key(call, &blank, &own).await?;
        let rules = blank.ca_rules();
        let request = CaRequest {
            subject: own.subject.clone(),
            public_key: key.public_key.clone(),
            validity,
            rules: rules.clone(),
        };
        let decision = decide_root(request, &self.inner.settings.limits, self.inner.clock.now());
        let mut ca = self.new_ca(blank, CaType::Root, rules, &own, &key);
        let id = ca.id.clone();
        let ca_name = ca.name.to_string();
        let signing = Signing {
            issuer: None,
            urls: IssuerUrls::default(),
            ca_id: id,
            ca_name,
            ca_version: 1,
            above: Vec::new(),
            judged: None,
        };
        let signer = (key.leave.clone(), Arc::clone(&key.signer), key.algorithm);
        self.sign_new_ca(call, &mut ca, key, decision, signing, signer).await
    }

    async fn create_subordinate(
        &self,
        call: &Call,
        blank: Blank,
        own: OwnKey,
        validity: RequestedValidity,
        issuer: &Reference,
    ) -> Result<CaView, Error> {
        let issuer = &self.may_ca(call, Permission::CaIssue, issuer).await?;
        // Seldom, and its certificate is for years: what another node did a moment ago is asked for.
        self.refresh_epoch().await?;
        let issuer = self.issuer(issuer).await?;
        not_the_servers_own(call, &issuer.ca)?;
        let key = self.signing_key(call, &blank, &own).await?;
        let rules = blank.ca_rules();
        let request = CaRequest {
            subject: own.subject.clone(),
            public_key: key.public_key.clone(),
            validity,
            rules: rules.clone(),
        };
        let decision = decide_subordinate(&issuer.facts, request, &self.inner.settings.limits, self.inner.clock.now());
        let mut ca = self.new_ca(blank, CaType::Subordinate, rules, &own, &key);
        ca.issuer_id = Some(issuer.ca.id.clone());
        let signing = Signing {
            issuer: Some(issuer.certificate.clone()),
            urls: issuer.urls.clone(),
            ca_id: issuer.ca.id.clone(),
            ca_name: issuer.ca.name.to_string(),
            ca_version: issuer.version.number,
            above: issuer.ca_chain.der().to_vec(),
            judged: Some(Arc::clone(&issuer)),
        };
        let leave = self.authorize(call, Permission::CaIssue, &Object::ca(&issuer.ca, issuer.compartment.clone()))?;
        let signer = Arc::clone(issuer.signer(&leave)?);
        let signer = (leave, signer, issuer.signature_algorithm);
        self.sign_new_ca(call, &mut ca, key, decision, signing, signer).await
    }

    /// The common end of ROOT and SUBORDINATE: sign what was approved, record CA, version, key use and certificate.
    async fn sign_new_ca(
        &self,
        call: &Call,
        ca: &mut Ca,
        key: SigningKey,
        decision: Decision,
        signing: Signing,
        signer: (Leave, Arc<dyn Signer>, SignatureAlgorithm),
    ) -> Result<CaView, Error> {
        let verdicts = decision.verdicts().to_vec();
        let approved = decision.into_result().map_err(Error::Rejected)?;
        if let certwright_domain::rules::ApprovedKind::Ca { path_length, .. } = approved.kind() {
            ca.rules.path_length = *path_length;
        }
        let mut version = blank_version(&ca.id, 1, Some(key.key.latest_version), ca.created_at);
        version.validity = Some(approved.validity());
        version.chain = signing.above;
        if call.dry_run {
            let mut read = self.inner.store.read().await?;
            return view_with(&mut read, ca.clone(), Some(version), verdicts).await;
        }
        let plan = AuthorityPlan {
            approved,
            leave: signer.0,
            signer: signer.1,
            algorithm: signer.2,
            issuer: signing.issuer,
            urls: signing.urls,
            ca_id: signing.ca_id,
            ca_name: signing.ca_name,
            ca_version: signing.ca_version,
        };
        let signed = self.sign_authority(call, plan).await?;
        fill_version(&mut version, signed.certificate());
        version.issued_id = Some(signed.issued_id().clone());
        let mut tx = self.inner.begin_change(call, "ca.create").await?;
        if let Some(judged) = &signing.judged {
            self.still_issuer(&mut tx, judged).await?;
        }
        self.insert_ca(&mut tx, call, ca, &version, Some(key.key)).await?;
        signed.record(&mut tx).await?;
        tx.commit().await?;
        let mut read = self.inner.store.read().await?;
        view_with(&mut read, ca.clone(), Some(version), verdicts).await
    }

    /// The issuer may have been disabled, revoked or changed while the key signed, or on another node before; so may its key, its
    /// vault, and what stands above it: what was judged must still be so.
    pub(super) async fn still_issuer(&self, tx: &mut Change<'_>, judged: &IssuerContext) -> Result<(), Error> {
        let row = tx.ca(&by_id(judged.ca.id.as_str())?).await?;
        let row = row.ok_or_else(|| Error::Internal("the issuer's row is gone".into()))?;
        refuse_unless_active(&row)?;
        let version = tx.ca_version(&row.id, judged.version.number).await?;
        let version = version.ok_or_else(|| Error::Internal("the issuer's version is gone".into()))?;
        let still = match row.revision == judged.ca.revision {
            true => self.still_signs(&mut ***tx, &row, &version, judged.facts.standing).await,
            false => Err(stale("certificate_authorities")),
        };
        if still.is_err() {
            // Whoever asks again is judged by what is so now.
            self.inner.context.note_epoch(tx.epoch().saturating_sub(1));
        }
        still
    }

    async fn create_external_subordinate(&self, call: &Call, blank: Blank, own: OwnKey) -> Result<CaView, Error> {
        let key = self.signing_key(call, &blank, &own).await?;
        let verdicts = strong_enough(&key.public_key)?;
        let rules = blank.ca_rules();
        let mut ca = self.new_ca(blank, CaType::SubordinateExternal, rules, &own, &key);
        ca.state = CaState::PendingActivation;
        ca.versions.current = None;
        let mut version = blank_version(&ca.id, 1, Some(key.key.latest_version), ca.created_at);
        version.spki_sha256 = Some(key.public_key.spki_sha256);
        if call.dry_run {
            let mut read = self.inner.store.read().await?;
            return view_with(&mut read, ca, Some(version), verdicts).await;
        }
        version.csr = Some(self.ca_request(&ca, &key.public_key, &*key.signer, key.algorithm).await?);
        let mut tx = self.inner.begin_change(call, "ca.create").await?;
        self.insert_ca(&mut tx, call, &ca, &version, Some(key.key)).await?;
        tx.commit().await?;
        let mut read = self.inner.store.read().await?;
        view_with(&mut read, ca, Some(version), verdicts).await
    }

    /// A CSR for a CA's key.
    pub(super) async fn ca_request(
        &self,
        ca: &Ca,
        public_key: &PublicKey,
        signer: &dyn Signer,
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<u8>, Error> {
        let constraints = ca.rules.name_constraints.as_ref();
        let prepared = prepare_ca_csr(&ca.subject, public_key, ca.rules.path_length, constraints, algorithm)?;
        let signature = signer.sign(algorithm, prepared.info()).await?;
        Ok(prepared.finish(&signature)?)
    }

    /// Writes a new CA with its version and, where it has one, its key's new use; audit and epoch included.
    pub(super) async fn insert_ca(
        &self,
        tx: &mut Tx<'_>,
        call: &Call,
        ca: &Ca,
        version: &CaVersion,
        key: Option<Key>,
    ) -> Result<(), Error> {
        // Asked again in the transaction: the key may have been blocked since.
        refuse_blocked_key(&mut **tx, version.spki_sha256.as_ref()).await?;
        let mut ca = ca.clone();
        ca.next_renewal_at = ca.next_renewal(Some(version), Some(version));
        let ca = &ca;
        if let Some(publication) = &ca.publication {
            // The name of an object may have been taken while the key signed.
            self.check_publication(&mut **tx, None, publication, ca.revocation.crl_shards).await?;
        }
        tx.insert_ca(ca).await.map_err(|error| name_conflict(error, "CA", &ca.name))?;
        // Asked again: the compartment may have been moved or deleted while the key signed.
        let default = CompartmentId::tenancy();
        let home = self.may_make_with(&mut **tx, call, Permission::CaManage, "CA", default).await?;
        settle_in(&mut **tx, ca.id.as_str(), PlacedKind::CertificateAuthority, &home).await?;
        tx.insert_ca_version(version).await?;
        if let Some(mut key) = key {
            usable(&mut **tx, &key.vault_id, &key.id).await?;
            key.used_by_ca = Some(ca.id.clone());
            tx.update_key(&key).await.map_err(|error| match error {
                certwright_store::Error::Stale { .. } => Error::conflict(
                    "key_in_use",
                    format!("Key {} was changed or taken by another CA meanwhile.", key.name),
                    "Choose another key, or repeat the request.",
                ),
                other => other.into(),
            })?;
        }
        let audit = self.inner.audit(
            call,
            "ca.create",
            Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() },
            &[
                ("type", ca.ca_type.as_str()),
                ("subject", &ca.subject.to_string()),
                ("fingerprint", &version.fingerprint.map(|f| f.to_string()).unwrap_or_default()),
            ],
        );
        tx.insert_audit(&audit).await?;
        match version.certificate {
            Some(_) => self.inner.tell_of_ca(&mut **tx, call, EventKind::CaIssued, ca, Some(version), &[]).await,
            // It waits for its certificate.
            None => Ok(()),
        }
    }

    /// Looks up vault and key, refuses keys that cannot become a CA's, and opens the newest version for signing.
    async fn signing_key(&self, call: &Call, blank: &Blank, own: &OwnKey) -> Result<SigningKey, Error> {
        let (vault, key, leave) = self.may_use_key(call, &own.vault, &own.key).await?;
        let mut read = self.inner.store.read().await?;
        let (vault_id, key) = usable_key(&mut read, call, &vault, &key).await?;
        if !blank.system {
            let tenancy = CompartmentId::tenancy();
            let home = self.may_make_with(&mut *read, call, Permission::CaManage, "CA", tenancy).await?;
            let ca = CaPrincipal { id: "", name: blank.name.as_str(), home: &home };
            self.ca_may_use(&mut *read, ca, &vault_id, &key.id).await?;
        }
        let algorithm = fitting_algorithm(&key, own.signature_algorithm)?;
        let stored = read.key_version(&key.id, key.latest_version).await?;
        let spki = stored.and_then(|version| version.public_key);
        let spki = spki.ok_or_else(|| Error::Internal(format!("{} lacks its newest public key", key.id)))?;
        let public_key = read_public_key(&spki)?;
        refuse_blocked_key(&mut *read, Some(&public_key.spki_sha256)).await?;
        let signer = self.open_signer(&mut read, &vault_id, &key.id, key.latest_version).await?;
        Ok(SigningKey { public_key, key, algorithm, signer, leave })
    }

    async fn refuse_taken_name(&self, name: &ResourceName) -> Result<(), Error> {
        match self.inner.store.read().await?.ca(&Reference::from(name)).await? {
            Some(_) => Err(name_taken("CA", name)),
            None => Ok(()),
        }
    }

    fn new_ca(&self, blank: Blank, ca_type: CaType, rules: CaRules, own: &OwnKey, key: &SigningKey) -> Ca {
        let mut ca = self.blank_ca(blank, ca_type, rules);
        ca.key = Some((key.key.vault_id.clone(), key.key.id.clone()));
        ca.signature_algorithm = Some(key.algorithm);
        ca.subject = own.subject.clone();
        ca
    }

    pub(super) fn blank_ca(&self, blank: Blank, ca_type: CaType, rules: CaRules) -> Ca {
        let now = self.inner.clock.now();
        Ca {
            id: CaId::new(now, self.inner.id_entropy()),
            name: blank.name,
            ca_type,
            state: CaState::Active,
            state_before_deletion: None,
            system: blank.system,
            issuer_id: None,
            key: None,
            signature_algorithm: None,
            subject: Default::default(),
            rules,
            renewal: blank.rules.renewal,
            revocation: RevocationSettings {
                ocsp_enabled: blank.revocation.ocsp_enabled && ca_type != CaType::ExternalRoot,
                ..blank.revocation
            },
            versions: VersionPointers { current: Some(1), previous: None, latest: 1 },
            created_at: now,
            deletion_at: None,
            revision: 1,
            next_renewal_at: None,
            renewal_failures: 0,
            exportable: blank.exportable && ca_type != CaType::ExternalRoot,
            crl_number: None,
            publication: blank.publication,
        }
    }
}

/// What every kind of new CA has.
pub(super) struct Blank {
    pub(super) name: ResourceName,
    pub(super) rules: NewRules,
    pub(super) revocation: RevocationSettings,
    pub(super) publication: Option<Publication>,
    pub(super) system: bool,
    pub(super) exportable: bool,
}

impl Blank {
    pub(super) fn ca_rules(&self) -> CaRules {
        CaRules {
            leaf_max_validity: self.rules.leaf_max_validity.unwrap_or(CaRules::LEAF_MAX),
            subordinate_max_validity: self.rules.subordinate_max_validity.unwrap_or(CaRules::SUBORDINATE_MAX),
            path_length: self.rules.path_length,
            name_constraints: self.rules.name_constraints.clone(),
        }
    }
}

/// Who signs a new CA's certificate.
struct Signing {
    issuer: Option<Certificate>,
    urls: IssuerUrls,
    ca_id: CaId,
    ca_name: String,
    ca_version: u32,
    above: Vec<Vec<u8>>,
    /// The issuer as it was judged; `None`: it signs itself.
    judged: Option<Arc<IssuerContext>>,
}

pub(super) fn blank_version(
    ca_id: &CaId,
    number: u32,
    key_version: Option<u32>,
    now: certwright_domain::time::Timestamp,
) -> CaVersion {
    CaVersion {
        ca_id: ca_id.clone(),
        number,
        key_version,
        certificate: None,
        csr: None,
        chain: Vec::new(),
        serial: None,
        fingerprint: None,
        spki_sha256: None,
        validity: None,
        issued_id: None,
        revocation: None,
        failed: false,
        created_at: now,
    }
}

/// Puts a certificate into a version.
pub(super) fn fill_version(version: &mut CaVersion, certificate: &Certificate) {
    version.certificate = Some(certificate.der.clone());
    version.serial = Some(certificate.serial.clone());
    version.fingerprint = Some(certificate.fingerprint);
    version.spki_sha256 = Some(certificate.public_key.spki_sha256);
    version.validity = Some(certificate.validity);
}

/// The refusal of a renewal rule on a CA whose certificate is not made here.
pub(super) fn not_renewable_by_rule() -> Error {
    Error::invalid(
        "/renewal",
        Invalid::new(
            "ca_not_renewable",
            "Only CAs of type ROOT and SUBORDINATE can be renewed by rule; the certificates of others are made elsewhere.",
            "Leave `renewal` out.",
        ),
    )
}

/// Lifetimes in rules must be of some use.
pub(super) fn check_lifetime(pointer: &str, span: Option<certwright_domain::time::Span>) -> Result<(), Error> {
    match span {
        Some(span) if span.s() < 300 => Err(Error::invalid(
            pointer,
            Invalid::new("invalid_rule", format!("A lifetime limit of {span} is too short."), "Use `PT5M` or more."),
        )),
        _ => Ok(()),
    }
}

fn check_rules(rules: &NewRules) -> Result<(), Error> {
    check_lifetime("/rules/leafMaxValidity", rules.leaf_max_validity)?;
    check_lifetime("/rules/subordinateMaxValidity", rules.subordinate_max_validity)
}

async fn usable_key(
    read: &mut Reader<'_>,
    call: &Call,
    vault: &Reference,
    key: &Reference,
) -> Result<(certwright_domain::id::VaultId, Key), Error> {
    let vault = find_vault(&mut **read, vault).await?;
    usable_vault(call, &vault)?;
    let key = read.key(&vault.id, key).await?.ok_or_else(|| Error::not_found("key", key))?;
    if !key.algorithm.is_asymmetric() {
        return Err(Error::conflict(
            "key_wrong_kind",
            format!("Key {} is an {} key and cannot sign certificates.", key.name, key.algorithm),
            "Choose an RSA, ECDSA or ED25519 key.",
        ));
    }
    if key.state != KeyState::Enabled {
        return Err(Error::conflict(
            "key_not_enabled",
            format!("Key {} is {}.", key.name, key.state),
            "Enable the key, or choose another one.",
        ));
    }
    if let Some(ca) = &key.used_by_ca {
        let user = read.ca(&by_id(ca.as_str())?).await?.map_or_else(|| ca.to_string(), |ca| ca.name.to_string());
        return Err(Error::conflict(
            "key_in_use",
            format!("Key {} belongs to CA {user}; a key serves one CA only.", key.name),
            "Make a new key for this CA.",
        ));
    }
    Ok((vault.id, key))
}

fn fitting_algorithm(key: &Key, wished: Option<SignatureAlgorithm>) -> Result<SignatureAlgorithm, Error> {
    let fitting = key.algorithm.signature_algorithms();
    match wished {
        Some(wished) if fitting.contains(&wished) => Ok(wished),
        Some(wished) => {
            let names: Vec<&str> = fitting.iter().map(|algorithm| algorithm.as_str()).collect();
            Err(Error::invalid(
                "/signatureAlgorithm",
                Invalid::new(
                    "signature_algorithm_mismatch",
                    format!("{wished} does not fit key {}, which is {}.", key.name, key.algorithm),
                    format!("Use {}, or leave it out.", names.join(" or ")),
                ),
            ))
        }
        None => fitting.first().copied().ok_or_else(|| Error::Internal("an asymmetric key without algorithm".into())),
    }
}
