//! CAs whose certificate comes from elsewhere: `EXTERNAL_ROOT`, and the certificate of a `SUBORDINATE_EXTERNAL`. (`IMPORTED`:
//! [`super::import`].)

use super::create::{Blank, blank_version, fill_version};
use super::read::{find, view, view_with};
use super::refusals::refuse_blocked_key;
use super::{CaView, Install};
use crate::audit::Target;
use crate::change::{by_id, name_conflict, settle_in};
use crate::context::tighter;
use crate::vaults::still_newest;
use crate::{App, Call, Error, Permission};
use certwright_domain::access::PlacedKind;
use certwright_domain::ca::{Ca, CaState, CaType, CaVersion};
use certwright_domain::crl::RevokedSerial;
use certwright_domain::event::EventKind;
use certwright_domain::id::CompartmentId;
use certwright_domain::key::{Key, KeyVersion, VaultKeyVersion};
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::name::Reference;
use certwright_domain::violation::Invalid;
use certwright_pki::{
    Certificate, check_ca_certificate, check_issued_by, order_chain, read_certificate, read_certificates,
};
use certwright_store::{CaFilter, PageRequest};

/// A foreign CA certificate with the certificates above it, each link checked.
pub(super) struct Foreign {
    pub(super) certificate: Certificate,
    pub(super) chain: Vec<Vec<u8>>,
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
        self.store_foreign(call, ca, version, None, &[]).await
    }

    /// Installs the certificate signed elsewhere. The first one makes the CA active; a later one is `PENDING` until it is
    /// made current.
    pub async fn install_ca(&self, call: &Call, ca: &Reference, install: Install) -> Result<CaView, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        let mut read = self.inner.store.read().await?;
        let mut ca = find(&mut *read, ca).await?;
        let waiting = read.ca_versions(&ca.id).await?.into_iter().find(|v| v.certificate.is_none() && v.csr.is_some());
        let Some(mut version) = waiting.filter(|_| ca.ca_type == CaType::SubordinateExternal) else {
            return Err(Error::conflict(
                "nothing_to_install",
                format!("CA {} has no CSR that waits for a certificate.", ca.name),
                "Only a CA of type SUBORDINATE_EXTERNAL takes one, once per CSR; renew it to get a new CSR.",
            ));
        };
        if matches!(ca.state, CaState::PendingDeletion | CaState::Deleted) {
            return Err(Error::conflict(
                "ca_not_active",
                format!("CA {} is {} and takes no certificate.", ca.name, ca.state),
                "Cancel its deletion first.",
            ));
        }
        drop(read);
        let mut given = read_certificates(&install.certificate).map_err(at("/certificate"))?.into_iter();
        let own = given.next().ok_or_else(|| Error::Internal("no certificate in a list that is not empty".into()))?;
        let mut pool: Vec<Certificate> = given.collect();
        if !install.chain.trim_ascii().is_empty() {
            pool.extend(read_certificates(&install.chain).map_err(at("/chain"))?);
        }
        self.check_fits(&ca, &version, &own)?;
        let foreign = self.with_chain(own, pool).await?;
        self.check_in_time(&foreign.certificate)?;
        fill_version(&mut version, &foreign.certificate);
        version.chain = foreign.chain;
        let first = ca.versions.current.is_none();
        if first {
            ca.versions.current = Some(version.number);
            ca.state = CaState::Active;
            // What was asked for holds as well: not every issuer puts it into the certificate.
            ca.rules.path_length = tighter(ca.rules.path_length, foreign.certificate.ca.flatten());
            if ca.rules.name_constraints.is_none() {
                ca.rules.name_constraints = foreign.certificate.name_constraints.clone();
            }
        }
        let audit = self.inner.audit(
            call,
            "ca.install",
            Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() },
            &[("version", &version.number.to_string()), ("fingerprint", &foreign.certificate.fingerprint.to_string())],
        );
        let mut tx = self.inner.begin_change(call, "ca.install").await?;
        refuse_blocked_key(&mut **tx, version.spki_sha256.as_ref()).await?;
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
        let ca = find(&mut *read, &by_id(ca.id.as_str())?).await?;
        view(&mut read, ca, Some(version.number)).await
    }

    /// Does the certificate answer our CSR: our key, our subject, a CA? Constraints that it lacks are those of the CA's row
    /// ([`crate::context::issuer_facts`]).
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
        check_ca_certificate(own).map_err(|invalid| Error::invalid("/certificate", invalid))?;
        refuse_wanted_policies(own, "/certificate")
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
    pub(super) async fn with_chain(&self, certificate: Certificate, pool: Vec<Certificate>) -> Result<Foreign, Error> {
        let mut ordered = order_chain(&certificate, pool).map_err(|invalid| Error::invalid("/chain", invalid))?;
        let top = ordered.last().unwrap_or(&certificate);
        if !top.is_self_issued() {
            let root = self.known_roots().await?.into_iter().find(|root| check_issued_by(top, root).is_ok());
            ordered.extend(root);
        }
        // What an anchor says of the path below it is not asked (RFC 5280 section 6.1.1); all between it and us is.
        for between in ordered.iter().filter(|one| !one.is_self_issued()) {
            refuse_wanted_policies(between, "/chain")?;
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
    pub(super) fn foreign_ca(
        &self,
        blank: Blank,
        ca_type: CaType,
        foreign: &Foreign,
    ) -> Result<(Ca, CaVersion), Error> {
        check_ca_certificate(&foreign.certificate).map_err(|invalid| Error::invalid("/certificate", invalid))?;
        if ca_type != CaType::ExternalRoot {
            refuse_wanted_policies(&foreign.certificate, "/certificate")?;
        }
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

    pub(super) async fn store_foreign(
        &self,
        call: &Call,
        ca: Ca,
        version: CaVersion,
        key: Option<(Key, KeyVersion, VaultKeyVersion, CompartmentId)>,
        serials: &[KnownSerial],
    ) -> Result<CaView, Error> {
        let mut tx = self.inner.begin_change(call, "ca.create").await?;
        if let Some((key, key_version, sealing, home)) = &key {
            still_newest(&mut **tx, sealing).await?;
            // The CA's row refers to the key, the key's to the CA: the key comes first, its use is written last.
            let mut unused = key.clone();
            unused.used_by_ca = None;
            tx.insert_key(&unused).await.map_err(|error| name_conflict(error, "key", &key.name))?;
            tx.insert_key_version(key_version).await?;
            settle_in(&mut **tx, key.id.as_str(), PlacedKind::Key, home).await?;
        }
        self.insert_ca(&mut tx, call, &ca, &version, key.map(|(key, ..)| key)).await?;
        // The key lies where its vault lies, and there the policies must let the CA use it.
        self.still_uses_key(&mut **tx, &ca).await?;
        tx.insert_known_serials(&ca.id, serials).await?;
        let revoked: Vec<RevokedSerial> = serials.iter().filter_map(RevokedSerial::of_known).collect();
        if !revoked.is_empty() {
            tx.note_revocations(&ca.id, &revoked, self.now()).await?;
        }
        tx.commit().await?;
        let mut read = self.inner.store.read().await?;
        view_with(&mut read, ca, Some(version), Vec::new()).await
    }
}

/// Refuses a CA below which only certificates with a policy are good (RFC 5280 section 4.2.1.11): ours have none, so every
/// verifier that looks would turn them away.
fn refuse_wanted_policies(certificate: &Certificate, pointer: &'static str) -> Result<(), Error> {
    if !certificate.requires_policies {
        return Ok(());
    }
    let detail = format!(
        "The certificate of `{}` asks for an explicit policy below it (policyConstraints, requireExplicitPolicy); \
         certificates from here carry no policies.",
        certificate.subject
    );
    let hint = "Have the CA certified without requireExplicitPolicy.";
    Err(Error::invalid(pointer, Invalid::new("policies_required", detail, hint)))
}

/// Points a fault of X.509 data at its field.
pub(super) fn at(pointer: &'static str) -> impl Fn(certwright_pki::Error) -> Error {
    move |error| match error {
        certwright_pki::Error::Invalid(invalid) => Error::invalid(pointer, invalid),
        other => other.into(),
    }
}
