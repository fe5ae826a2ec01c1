//! `PUT` and `POST` of a certificate: make it, leave it, or make a new version, and say which and why.

use super::make::Making;
use super::read::{find, outlook, shown_version};
use super::wish::{kind_fixed, kind_of, same_settings, settings_for};
use super::{CertificateRequest, CertificateView, Content, EnsureOutcome, Ensured};
use crate::access::Object;
use crate::change::{is_stale, name_taken};
use crate::{App, Call, Error, Permission};
use certwright_domain::id::{CertificateId, CompartmentId};
use certwright_domain::managed::{
    CertificateKind, CertificateState, CertificateVersion, ManagedCertificate, RenewalOutlook, RenewalSettings,
    VersionReason, Wish,
};
use certwright_domain::name::Reference;
use certwright_domain::stage::VersionPointers;

/// How often an ensure looks again because another request was faster.
const MAX_ATTEMPTS: u32 = 8;

/// What an ensure comes to.
enum Plan {
    /// Make a version.
    Make(Box<Making>, EnsureOutcome, String),
    /// Change the settings alone.
    Settle(Box<ManagedCertificate>, String),
    /// Nothing.
    Nothing(String),
}

impl App {
    /// Makes a certificate that is not there yet.
    pub async fn create_certificate(&self, call: &Call, request: CertificateRequest) -> Result<Ensured, Error> {
        self.ensure(call, request, true).await
    }

    /// Makes the certificate as wished: what is missing is made, what differs gets a new version, what is due is renewed,
    /// and what is as wished stays. Calls that wish the same make one version, however many there are at once.
    pub async fn ensure_certificate(&self, call: &Call, request: CertificateRequest) -> Result<Ensured, Error> {
        self.ensure(call, request, false).await
    }

    async fn ensure(&self, call: &Call, request: CertificateRequest, only_new: bool) -> Result<Ensured, Error> {
        let name = request.name.to_string();
        let ensured = self.ensure_unaudited(call, request, only_new).await;
        self.note_if_refused(call, "managed-certificate.create", ("certificate", &name), ensured)
    }

    async fn ensure_unaudited(
        &self,
        call: &Call,
        request: CertificateRequest,
        only_new: bool,
    ) -> Result<Ensured, Error> {
        let _turn = self.inner.locks.turn(request.name.as_str()).await;
        for _ in 0..MAX_ATTEMPTS {
            let known = self.inner.store.read().await?.certificate(&Reference::from(&request.name)).await?;
            let home = self.may_ensure(call, &request, known.as_ref()).await?;
            if let Some(known) = &known {
                if only_new {
                    return Err(name_taken("certificate", &known.name));
                }
                refuse_unless_open(known)?;
                if known.kind != kind_of(&request) {
                    return Err(kind_fixed(&known.name, known.kind, kind_of(&request)));
                }
            }
            let outcome = match &request.content {
                Content::Wished(asked) => {
                    let wish = self.resolve_wish(call, asked).await?;
                    self.ensure_wish(call, &request, wish, known, home).await
                }
                Content::Imported(import) => self.ensure_import(call, &request, import, known, home).await,
            };
            match outcome {
                // Another request was faster: what it left decides.
                Err(Error::Conflict { code: "name_taken", .. }) if !only_new => {}
                Err(error) if is_stale(&error) => {}
                outcome => return outcome,
            }
        }
        Err(Error::Unavailable { detail: "the certificate kept changing".into(), retry_after_s: 1 })
    }

    /// Leave to change the certificate that is there, or to make one, and where. One that may not be seen has the name
    /// taken, as with `POST`.
    async fn may_ensure(
        &self,
        call: &Call,
        request: &CertificateRequest,
        known: Option<&ManagedCertificate>,
    ) -> Result<CompartmentId, Error> {
        let mut read = self.inner.store.read().await?;
        // A certificate goes where its CA lies, unless the call says otherwise. A CA that may not be seen is not there.
        let default = match &request.content {
            Content::Wished(asked) => self.seen_ca(&mut *read, call, &asked.ca).await?,
            Content::Imported(_) => CompartmentId::tenancy(),
        };
        if let Some(known) = known {
            let home = read.compartment_of(known.id.as_str()).await?;
            let object = Object::certificate(known, home.clone());
            return match self.authorize(call, Permission::CertificateManage, &object) {
                Err(Error::NotFound { .. }) => Err(name_taken("certificate", &known.name)),
                other => other.map(|_| home),
            };
        }
        drop(read);
        self.may_make(call, Permission::CertificateManage, "certificate", default).await
    }

    async fn ensure_wish(
        &self,
        call: &Call,
        request: &CertificateRequest,
        wish: Wish,
        known: Option<ManagedCertificate>,
        home: CompartmentId,
    ) -> Result<Ensured, Error> {
        let plan = match known {
            None => Plan::Make(
                Box::new(self.first_version(request, wish, home)),
                EnsureOutcome::Created,
                "There was no certificate of this name.".to_owned(),
            ),
            Some(known) => self.plan_known(request, wish, known).await?,
        };
        self.carry_out(call, plan, &request.name).await
    }

    /// What the certificate that is there needs to be as wished.
    async fn plan_known(
        &self,
        request: &CertificateRequest,
        wish: Wish,
        known: ManagedCertificate,
    ) -> Result<Plan, Error> {
        let current = shown_version(&mut *self.inner.store.read().await?, &known).await?;
        let mut after = known.clone();
        after.wish = Some(wish.clone());
        after.exportable = request.exportable;
        let changed = differences(known.wish.as_ref(), &wish);
        let due = due(&known, current.as_ref(), self.now());
        if let Some(revocation) = current.as_ref().and_then(|version| version.revocation).filter(|_| changed.is_empty())
        {
            return Err(Error::conflict(
                "certificate_revoked",
                format!(
                    "The current version of certificate {} was revoked at {} ({}).",
                    known.name, revocation.at, revocation.reason
                ),
                "To have a new one all the same: POST …/renew.",
            ));
        }
        let (reason, why, validity) = if !changed.is_empty() {
            let why = format!("The wish changed: {}.", changed.join(", "));
            (VersionReason::WishChanged, why, wish.validity)
        } else if let Some(at) = due {
            let so_far = current.as_ref().map(|version| &version.validity);
            let why = format!("Renewal was due at {at}.");
            (VersionReason::RenewalDue, why, wish.renewed_validity(so_far))
        } else {
            return self.plan_settings(request, known, after, current.as_ref());
        };
        let same_key = match after.renewal.key {
            certwright_domain::managed::RenewalKey::Same => current.and_then(|version| version.key),
            certwright_domain::managed::RenewalKey::New => None,
        };
        let making = Making {
            certificate: after,
            is_new: false,
            home: CompartmentId::tenancy(),
            reason,
            version_name: request.version_name.clone(),
            pending: request.pending,
            validity,
            same_key,
            renewal: Some(request.renewal),
        };
        Ok(Plan::Make(Box::new(making), EnsureOutcome::NewVersion, why))
    }

    /// The version is as wished; perhaps the settings are not.
    pub(super) fn plan_settings_of(
        &self,
        request: &CertificateRequest,
        known: &ManagedCertificate,
        mut after: ManagedCertificate,
        current: Option<&CertificateVersion>,
    ) -> Result<Option<ManagedCertificate>, Error> {
        if !same_settings(&known.renewal, &request.renewal) {
            let lifetime = current.map_or(certwright_domain::time::Span::ZERO, |version| version.validity.length());
            after.renewal = settings_for(&request.renewal, lifetime)?;
        }
        if after.renewal == known.renewal && after.exportable == known.exportable {
            return Ok(None);
        }
        self.schedule(&mut after, current);
        Ok(Some(after))
    }

    fn plan_settings(
        &self,
        request: &CertificateRequest,
        known: ManagedCertificate,
        after: ManagedCertificate,
        current: Option<&CertificateVersion>,
    ) -> Result<Plan, Error> {
        Ok(match self.plan_settings_of(request, &known, after, current)? {
            Some(after) => Plan::Settle(Box::new(after), "Its settings changed; the version is as wished.".to_owned()),
            None => Plan::Nothing(match outlook(&known, current, self.now()) {
                RenewalOutlook::At(at) => format!("It is as wished; renewal is due at {at}."),
                RenewalOutlook::Due => "It is as wished.".to_owned(),
                RenewalOutlook::Never(why) => format!("It is as wished. Not renewed by itself: {why}"),
            }),
        })
    }

    async fn carry_out(
        &self,
        call: &Call,
        plan: Plan,
        name: &certwright_domain::name::ResourceName,
    ) -> Result<Ensured, Error> {
        match plan {
            Plan::Nothing(reason) => {
                let mut read = self.inner.store.read().await?;
                let certificate = find(&mut *read, &Reference::from(name)).await?;
                let view = self.view(&mut *read, certificate).await?;
                Ok(Ensured { view, outcome: EnsureOutcome::Unchanged, reason })
            }
            Plan::Settle(after, reason) => {
                let view = self.write_settings(call, *after, "managed-certificate.update", &[]).await?;
                Ok(Ensured { view, outcome: EnsureOutcome::Changed, reason })
            }
            Plan::Make(mut making, outcome, reason) => {
                if call.dry_run {
                    let view = self.would_be(call, &mut making).await?;
                    return Ok(Ensured { view, outcome, reason });
                }
                let (certificate, _) = self.make_certificate_version(call, *making).await?;
                let view = self.view(&mut *self.inner.store.read().await?, certificate).await?;
                Ok(Ensured { view, outcome, reason })
            }
        }
    }

    /// The view of what would be made, with every verdict.
    pub(super) async fn would_be(&self, call: &Call, making: &mut Making) -> Result<CertificateView, Error> {
        let tried = self.try_version(call, making).await?;
        let mut view = self.view(&mut *self.inner.store.read().await?, making.certificate.clone()).await?;
        view.verdicts = tried.verdicts;
        view.would_last = Some(tried.validity);
        Ok(view)
    }

    fn first_version(&self, request: &CertificateRequest, wish: Wish, home: CompartmentId) -> Making {
        let validity = wish.validity;
        Making {
            certificate: self.blank_certificate(request, kind_of(request), Some(wish)),
            is_new: true,
            home,
            reason: VersionReason::Created,
            version_name: request.version_name.clone(),
            pending: false,
            validity,
            same_key: None,
            renewal: Some(request.renewal),
        }
    }

    pub(super) fn blank_certificate(
        &self,
        request: &CertificateRequest,
        kind: CertificateKind,
        wish: Option<Wish>,
    ) -> ManagedCertificate {
        let now = self.now();
        ManagedCertificate {
            id: CertificateId::new(now, self.inner.id_entropy()),
            name: request.name.clone(),
            kind,
            state: CertificateState::Active,
            state_before_deletion: None,
            wish,
            renewal: RenewalSettings::default(),
            exportable: request.exportable,
            versions: VersionPointers { current: None, previous: None, latest: 0 },
            waiting: None,
            next_attempt_at: None,
            overdue_at: None,
            failures: 0,
            created_at: now,
            deletion_at: None,
            revision: 1,
        }
    }
}

/// Refuses to touch a certificate whose deletion is scheduled.
pub(super) fn refuse_unless_open(certificate: &ManagedCertificate) -> Result<(), Error> {
    match certificate.state {
        CertificateState::PendingDeletion | CertificateState::Deleted => Err(Error::conflict(
            "certificate_pending_deletion",
            format!("The deletion of certificate {} is scheduled.", certificate.name),
            "Cancel its deletion first: POST …/cancel-deletion.",
        )),
        CertificateState::Active | CertificateState::Disabled => Ok(()),
    }
}

/// Is a new version due, and since when? Asked by a caller, so also for kinds that the job leaves alone.
fn due(
    certificate: &ManagedCertificate,
    current: Option<&CertificateVersion>,
    now: certwright_domain::time::Timestamp,
) -> Option<certwright_domain::time::Timestamp> {
    let is_open = certificate.state == CertificateState::Active && !certificate.has_waiting_version();
    let current = current.filter(|_| is_open)?;
    let due = current.renew_at(certificate.renewal.rule.as_ref());
    (due <= now).then_some(due)
}

/// The parts in which two wishes differ.
fn differences(before: Option<&Wish>, after: &Wish) -> Vec<&'static str> {
    let Some(before) = before else { return vec!["everything"] };
    [
        ("ca", before.ca != after.ca),
        ("profile", before.profile != after.profile),
        ("subject", before.subject != after.subject),
        ("names", before.names != after.names),
        ("keyAlgorithm", before.key_algorithm != after.key_algorithm),
        ("validity", before.validity != after.validity),
        ("csr", before.csr != after.csr),
    ]
    .into_iter()
    .filter_map(|(part, differs)| differs.then_some(part))
    .collect()
}
