//! New versions of CAs.

use super::create::{SigningKey, blank_version, fill_version};
use super::lifecycle::{not_the_servers_own, schedule};
use super::read::{find, find_version, view_with};
use super::refusals::refuse_blocked_key;
use super::{CaView, RenewCa};
use crate::access::{Leave, Object};
use crate::audit::Target;
use crate::change::by_id;
use crate::issuance::AuthorityPlan;
use crate::urls::IssuerUrls;
use crate::vaults::{newest_vault_key, still_newest, vault_key};
use crate::{App, Call, Error, Permission};
use certwright_domain::ca::{Ca, CaState, CaType, CaVersion};
use certwright_domain::event::EventKind;
use certwright_domain::key::{KeyVersion, VaultKeyVersion};
use certwright_domain::managed::AttemptOutcome;
use certwright_domain::name::Reference;
use certwright_domain::rules::{CaRequest, Decision, decide_root, decide_subordinate};
use certwright_keystore::KeyPlace;
use certwright_pki::{Certificate, read_public_key};

/// A key version just made, and the vault key that seals it.
type RotatedKey = (KeyVersion, VaultKeyVersion);

/// Who signs the new version.
struct NewIssuer {
    decision: Decision,
    certificate: Option<Certificate>,
    urls: IssuerUrls,
    chain: Vec<Vec<u8>>,
    issuer: Option<std::sync::Arc<crate::context::IssuerContext>>,
    leave: Leave,
}

impl App {
    /// Makes a new version; for `SUBORDINATE_EXTERNAL` a new CSR. The view's version is the new one.
    pub async fn renew_ca(&self, call: &Call, ca: &Reference, renew: RenewCa) -> Result<CaView, Error> {
        let renewed = self.renew_ca_unaudited(call, ca, renew).await;
        match call.caller.is_system() {
            // The job has an event of its own for what it could not do.
            true => renewed,
            false => self.note_if_refused(call, "ca.renew", ("ca", &ca.to_string()), renewed),
        }
    }

    async fn renew_ca_unaudited(&self, call: &Call, ca: &Reference, renew: RenewCa) -> Result<CaView, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        not_the_servers_own(call, &ca)?;
        refuse_unless_renewable(&ca)?;
        let current = ca.versions.current.unwrap_or(ca.versions.latest);
        let current = find_version(&mut *read, &ca, current).await?;
        drop(read);
        let (key, new_key_version) = self.key_for_renewal(call, &ca, &current, renew.rotate_key).await?;
        let number = ca.versions.latest.saturating_add(1);
        let mut version = blank_version(&ca.id, number, Some(key.key.latest_version), self.inner.clock.now());
        if !renew.rotate_key {
            version.key_version = current.key_version;
        }
        version.spki_sha256 = Some(key.public_key.spki_sha256);
        refuse_blocked_key(&mut *self.inner.store.read().await?, version.spki_sha256.as_ref()).await?;
        if ca.ca_type == CaType::SubordinateExternal {
            return self.new_request(call, ca, version, key, new_key_version).await;
        }
        let by = self.new_issuer(call, &ca, &key, &renew).await?;
        let verdicts = by.decision.verdicts().to_vec();
        let approved = by.decision.into_result().map_err(Error::Rejected)?;
        version.validity = Some(approved.validity());
        version.chain = by.chain;
        if call.dry_run {
            let mut read = self.inner.store.read().await?;
            return view_with(&mut read, ca, Some(version), verdicts).await;
        }
        self.keep_rotated_key(call, &key, new_key_version).await?;
        let plan = match &by.issuer {
            Some(issuer) => AuthorityPlan {
                approved,
                signer: std::sync::Arc::clone(issuer.signer(&by.leave)?),
                leave: by.leave,
                algorithm: issuer.signature_algorithm,
                issuer: by.certificate,
                urls: by.urls,
                ca_id: issuer.ca.id.clone(),
                ca_name: issuer.ca.name.to_string(),
                ca_version: issuer.version.number,
            },
            None => AuthorityPlan {
                approved,
                signer: std::sync::Arc::clone(&key.signer),
                leave: by.leave,
                algorithm: key.algorithm,
                issuer: None,
                urls: by.urls,
                ca_id: ca.id.clone(),
                ca_name: ca.name.to_string(),
                ca_version: number,
            },
        };
        let signed = self.sign_authority(call, plan).await?;
        fill_version(&mut version, signed.certificate());
        version.issued_id = Some(signed.issued_id().clone());
        let mut renewed = ca;
        renewed.versions.latest = number;
        if renew.make_current {
            renewed.versions.previous = renewed.versions.current;
            renewed.versions.current = Some(number);
        }
        let mut tx = self.inner.begin_change(call, "ca.renew").await?;
        refuse_blocked_key(&mut **tx, version.spki_sha256.as_ref()).await?;
        match by.issuer.as_deref() {
            Some(issuer) => self.still_issuer(&mut tx, issuer).await?,
            None => self.still_uses_key(&mut **tx, &renewed).await?,
        }
        tx.insert_ca_version(&version).await?;
        renewed.renewal_failures = 0;
        schedule(&mut **tx, &mut renewed).await?;
        tx.update_ca(&renewed).await?;
        let attempt = self.renewal_attempt(
            renewed.id.as_str(),
            AttemptOutcome::Renewed,
            Some(number),
            if call.caller.is_system() { "RENEWAL_DUE" } else { "REQUESTED" }.to_owned(),
        );
        tx.insert_attempt(&attempt).await?;
        tx.wake_certificates(&renewed.id, self.now()).await?;
        signed.record(&mut tx).await?;
        tx.insert_audit(&self.renewal_event(call, &renewed, &version)).await?;
        self.inner.tell_of_ca(&mut **tx, call, EventKind::CaRenewed, &renewed, Some(&version), &[]).await?;
        if renew.make_current {
            let kind = EventKind::CaVersionMadeCurrent;
            self.inner.tell_of_ca(&mut **tx, call, kind, &renewed, Some(&version), &[]).await?;
        }
        tx.commit().await?;
        let mut read = self.inner.store.read().await?;
        let renewed = find(&mut *read, &by_id(renewed.id.as_str())?).await?;
        view_with(&mut read, renewed, Some(version), verdicts).await
    }

    async fn new_issuer(&self, call: &Call, ca: &Ca, key: &SigningKey, renew: &RenewCa) -> Result<NewIssuer, Error> {
        let request = CaRequest {
            subject: ca.subject.clone(),
            public_key: key.public_key.clone(),
            validity: renew.validity,
            rules: ca.rules.clone(),
        };
        let (limits, now) = (&self.inner.settings.limits, self.inner.clock.now());
        let Some(issuer) = &ca.issuer_id else {
            let decision = decide_root(request, limits, now);
            return Ok(NewIssuer {
                decision,
                certificate: None,
                urls: IssuerUrls::default(),
                chain: Vec::new(),
                issuer: None,
                leave: key.leave.clone(),
            });
        };
        self.refresh_epoch().await?;
        let issuer = self.issuer(&by_id(issuer.as_str())?).await?;
        let leave = self.authorize(call, Permission::CaIssue, &Object::ca(&issuer.ca, issuer.compartment.clone()))?;
        Ok(NewIssuer {
            decision: decide_subordinate(&issuer.facts, request, limits, now),
            certificate: Some(issuer.certificate.clone()),
            urls: issuer.urls.clone(),
            chain: issuer.ca_chain.der().to_vec(),
            issuer: Some(issuer),
            leave,
        })
    }

    /// The key that the new version certifies: the current version's, or with `rotate` a newer one — made now unless the
    /// master key was rotated since.
    async fn key_for_renewal(
        &self,
        call: &Call,
        ca: &Ca,
        current: &CaVersion,
        rotate: bool,
    ) -> Result<(SigningKey, Option<RotatedKey>), Error> {
        let (Some((vault_id, key_id)), Some(algorithm), Some(in_use)) =
            (&ca.key, ca.signature_algorithm, current.key_version)
        else {
            return Err(Error::Internal(format!("{} has no key", ca.id)));
        };
        let mut read = self.inner.store.read().await?;
        // Whoever manages the CA has it renewed; the CA itself must have leave to use its key.
        self.ca_may_use_key(&mut *read, ca, vault_id, key_id).await?;
        let home = read.compartment_of(ca.id.as_str()).await?;
        let leave = self.authorize(call, Permission::CaManage, &Object::ca(ca, home))?;
        let mut key = read.key_by_id(key_id).await?.ok_or_else(|| Error::Internal(format!("{key_id} is missing")))?;
        let wanted = if rotate { key.latest_version } else { in_use };
        if !rotate || key.latest_version > in_use {
            let stored = read.key_version(key_id, wanted).await?.and_then(|version| version.public_key);
            let spki = stored.ok_or_else(|| Error::Internal(format!("{key_id} lacks version {wanted}")))?;
            let signer = self.open_signer(&mut read, vault_id, key_id, wanted).await?;
            let public_key = read_public_key(&spki)?;
            return Ok((SigningKey { public_key, key, algorithm, signer, leave }, None));
        }
        // The old version must be usable: a disabled key is not rotated behind the operator's back.
        self.open_signer(&mut read, vault_id, key_id, in_use).await?;
        let sealing = newest_vault_key(&mut *read, vault_id).await?;
        drop(read);
        let vault_key = vault_key(&sealing);
        let number = key.latest_version.saturating_add(1);
        let place =
            KeyPlace { vault_id: vault_id.clone(), key_id: key_id.clone(), version: number, algorithm: key.algorithm };
        let made = self.inner.keys.create_key(&vault_key, &place).await?;
        let signer = self.inner.keys.signer(&vault_key, &place, &made.sealed).await?;
        let public_key = read_public_key(signer.public_key())?;
        key.latest_version = number;
        let version = KeyVersion {
            key_id: key_id.clone(),
            number,
            vault_key_version: vault_key.version,
            sealed: made.sealed,
            public_key: made.public_key,
            created_at: self.inner.clock.now(),
        };
        Ok((SigningKey { key, public_key, algorithm, signer, leave }, Some((version, sealing))))
    }

    /// A key made for a renewal is stored before anything is signed with or for it.
    async fn keep_rotated_key(&self, call: &Call, key: &SigningKey, made: Option<RotatedKey>) -> Result<(), Error> {
        let Some((version, sealing)) = made else { return Ok(()) };
        let audit = self.inner.audit(
            call,
            "key.rotate",
            Target { kind: "key", id: key.key.id.as_str(), name: key.key.name.as_str() },
            &[("version", &version.number.to_string())],
        );
        let mut tx = self.inner.begin_change(call, "key.rotate").await?;
        still_newest(&mut **tx, &sealing).await?;
        tx.insert_key_version(&version).await?;
        tx.update_key(&key.key).await?;
        tx.insert_audit(&audit).await?;
        tx.commit().await
    }

    /// A new CSR of a `SUBORDINATE_EXTERNAL`.
    async fn new_request(
        &self,
        call: &Call,
        mut ca: Ca,
        mut version: CaVersion,
        key: SigningKey,
        new_key_version: Option<RotatedKey>,
    ) -> Result<CaView, Error> {
        if call.dry_run {
            let mut read = self.inner.store.read().await?;
            return view_with(&mut read, ca, Some(version), Vec::new()).await;
        }
        self.keep_rotated_key(call, &key, new_key_version).await?;
        version.csr = Some(self.ca_request(&ca, &key.public_key, &*key.signer, key.algorithm).await?);
        ca.versions.latest = version.number;
        let mut tx = self.inner.begin_change(call, "ca.renew").await?;
        refuse_blocked_key(&mut **tx, version.spki_sha256.as_ref()).await?;
        tx.insert_ca_version(&version).await?;
        tx.update_ca(&ca).await?;
        tx.insert_audit(&self.renewal_event(call, &ca, &version)).await?;
        tx.commit().await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, &by_id(ca.id.as_str())?).await?;
        view_with(&mut read, ca, Some(version), Vec::new()).await
    }

    fn renewal_event(&self, call: &Call, ca: &Ca, version: &CaVersion) -> certwright_domain::audit::AuditEvent {
        self.inner.audit(
            call,
            "ca.renew",
            Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() },
            &[
                ("version", &version.number.to_string()),
                ("fingerprint", &version.fingerprint.map(|f| f.to_string()).unwrap_or_default()),
                ("keyVersion", &version.key_version.map(|n| n.to_string()).unwrap_or_default()),
            ],
        )
    }
}

fn refuse_unless_renewable(ca: &Ca) -> Result<(), Error> {
    match (ca.ca_type, ca.state) {
        (CaType::ExternalRoot | CaType::Imported, _) => Err(Error::conflict(
            "ca_not_renewable",
            format!("CA {} is of type {}; its certificate was not made here.", ca.name, ca.ca_type),
            "Renew it where it was made, and bring the new certificate along as a new CA.",
        )),
        (_, CaState::Active) => Ok(()),
        (_, state) => Err(Error::conflict(
            "ca_not_active",
            format!("CA {} is {state} and cannot be renewed.", ca.name),
            "Enable it, cancel its deletion, or install its certificate first.",
        )),
    }
}
