//! End-entity certificates: `issue` and `sign`.

use super::requests::{asked_names, csr_request, service_request};
use super::{CaChain, IssueRequest, Issued, SignRequest, Trial};
use crate::access::{Leave, Object};
use crate::audit::Target;
use crate::context::IssuerContext;
use crate::identity::check_names;
use crate::{App, Call, Error, Permission};
use certwright_domain::algorithm::{KeyAlgorithm, KeyFamily};
use certwright_domain::audit::AuditEvent;
use certwright_domain::ca::IssuerFacts;
use certwright_domain::id::IssuedId;
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::name::Reference;
use certwright_domain::profile::Profile;
use certwright_domain::public_key::PublicKey;
use certwright_domain::renewal::{RenewalRule, renew_at};
use certwright_domain::rules::{Approved, Decision, KeyStanding, LeafRequest, approve_leaf, decide_leaf};
use certwright_domain::violation::{Invalid, Verdict, Violation};
use certwright_pki::{Issuer, prepare, read_public_key};
use certwright_store::{OrderEnding, Recording, Tx};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// How often a decision is made anew because the configuration changed under it.
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// A certificate that is signed and checked, not yet recorded. Never leaves this module.
struct Signed {
    row: IssuedCertificate,
}

/// A certificate that is signed and checked, for a resource that is written in the same transaction. Nothing of it may
/// leave the process before that transaction is durable.
pub(crate) struct SignedLeaf {
    signed: Signed,
    epoch: i64,
    /// The statement that let it be asked for.
    ground: String,
    above: Arc<CaChain>,
}

/// The outcome of the rules for a managed certificate.
pub(crate) struct Judged {
    /// Every rule with its verdict.
    pub(crate) verdicts: Vec<Verdict>,
    /// What was approved: validity, subject and names as they would be certified; or every broken rule.
    pub(crate) outcome: Result<Approved, Vec<Violation>>,
}

/// A request with everything but the decision.
struct Work {
    request: LeafRequest,
    profile: Arc<(i64, Profile)>,
    issuer: Arc<IssuerContext>,
    standing: KeyStanding,
    /// The one epoch under which CA, profile, policies and the list of CA keys were read.
    epoch: i64,
    /// The caller's leave to have this CA sign this, with this profile, for these names.
    leave: Leave,
}

impl App {
    /// Makes a key and a certificate for it.
    pub async fn issue(&self, call: &Call, ca: &Reference, request: IssueRequest) -> Result<Issued, Error> {
        let issued = self.issue_unaudited(call, ca, request).await;
        self.note_if_refused(call, "certificate.issue", ("ca", &ca.to_string()), issued)
    }

    async fn issue_unaudited(&self, call: &Call, ca: &Reference, request: IssueRequest) -> Result<Issued, Error> {
        let algorithm = self.leaf_algorithm(&request).await?;
        let profile = request.profile.clone();
        // The CA must be there, able to sign, and the caller's to ask before any key is made for it.
        let mut work = if algorithm.family() == KeyFamily::Rsa {
            // Judged with a key of the same kind first: a refused request costs no RSA key.
            let (work, decision) = self.trial_of_issue(call, ca, request, algorithm).await?;
            decision.into_result().map_err(Error::Rejected)?;
            work
        } else {
            let sample = self.sample_key(algorithm).await?;
            self.prepare_work(call, ca, profile.as_ref(), service_request(request, sample)).await?
        };
        fall_in().await;
        let key = self.inner.keys.create_leaf_key(algorithm).await?;
        work.request.public_key = read_public_key(&key.public_key)?;
        work.standing = self.key_standing(&work.request.public_key.spki_sha256).await?;
        let mut issued = self.run(call, ca, profile.as_ref(), work).await?;
        issued.private_key = Some(key.pkcs8);
        Ok(issued)
    }

    /// Signs a CSR.
    pub async fn sign(&self, call: &Call, ca: &Reference, request: SignRequest) -> Result<Issued, Error> {
        let issued = self.sign_unaudited(call, ca, request).await;
        self.note_if_refused(call, "certificate.issue", ("ca", &ca.to_string()), issued)
    }

    async fn sign_unaudited(&self, call: &Call, ca: &Reference, request: SignRequest) -> Result<Issued, Error> {
        let profile = request.profile.clone();
        fall_in().await;
        let (leaf, ignored) = csr_request(request)?;
        let work = self.prepare_work(call, ca, profile.as_ref(), leaf).await?;
        let mut issued = self.run(call, ca, profile.as_ref(), work).await?;
        issued.ignored_extensions = ignored;
        Ok(issued)
    }

    /// What [`App::issue`] would do; no key is made for it, nothing is signed or stored.
    pub async fn try_issue(&self, call: &Call, ca: &Reference, request: IssueRequest) -> Result<Trial, Error> {
        let algorithm = self.leaf_algorithm(&request).await?;
        let (work, decision) = self.trial_of_issue(call, ca, request, algorithm).await?;
        Ok(trial(&work, decision, Vec::new()))
    }

    /// What [`App::sign`] would do; nothing is signed or stored.
    pub async fn try_sign(&self, call: &Call, ca: &Reference, request: SignRequest) -> Result<Trial, Error> {
        let profile = request.profile.clone();
        let (leaf, ignored) = csr_request(request)?;
        let work = self.prepare_work(call, ca, profile.as_ref(), leaf).await?;
        let decision = self.decide(&work);
        Ok(trial(&work, decision, ignored))
    }

    /// Judges a request without signing anything.
    pub(crate) async fn judge_leaf(
        &self,
        call: &Call,
        ca: &Reference,
        profile: &Reference,
        request: LeafRequest,
    ) -> Result<Judged, Error> {
        let work = self.prepare_work(call, ca, Some(profile), request).await?;
        let decision = self.decide(&work);
        Ok(Judged { verdicts: decision.verdicts().to_vec(), outcome: decision.into_result() })
    }

    /// Judges a request under the facts of an issuer as they would be after a change.
    pub(crate) async fn judge_leaf_under(
        &self,
        facts: &IssuerFacts,
        profile: &Reference,
        request: LeafRequest,
    ) -> Result<Vec<Violation>, Error> {
        let profile = self.issuing_profile(Some(profile)).await?;
        let standing = self.key_standing(&request.public_key.spki_sha256).await?;
        let limits = &self.inner.settings.limits;
        let approved = approve_leaf(&profile.1, facts, &request, standing, limits, self.inner.clock.now());
        Ok(approved.err().unwrap_or_default())
    }

    /// Judges and signs. `rule`: the renewal rule that the row's due time follows.
    pub(crate) async fn sign_leaf(
        &self,
        call: &Call,
        ca: &Reference,
        profile: &Reference,
        request: LeafRequest,
        rule: Option<&RenewalRule>,
    ) -> Result<SignedLeaf, Error> {
        let work = self.prepare_work(call, ca, Some(profile), request).await?;
        self.recheck_caller(call, work.epoch).await?;
        let approved = self.approve(&work)?;
        self.count_names(&work.issuer.ca, approved.names())?;
        let mut signed = self.sign_approved(call, &work, approved).await?;
        signed.row.renew_at = renew_at(&signed.row.validity, rule, &signed.row.serial, None);
        let (epoch, ground) = (work.epoch, work.leave.ground());
        Ok(SignedLeaf { signed, epoch, ground, above: Arc::clone(&work.issuer.ca_chain) })
    }

    /// A public key of this algorithm to judge with before one is made: one for each algorithm, made once.
    pub(crate) async fn sample_key(&self, algorithm: KeyAlgorithm) -> Result<PublicKey, Error> {
        if let Some(known) = self.inner.context.sample_key(algorithm) {
            return Ok(known);
        }
        let made = self.inner.keys.create_leaf_key(algorithm).await?;
        let public_key = read_public_key(&made.public_key)?;
        self.inner.context.keep_sample_key(algorithm, public_key.clone());
        Ok(public_key)
    }

    /// Decides, signs and records; anew where the configuration changed meanwhile.
    async fn run(
        &self,
        call: &Call,
        ca: &Reference,
        profile: Option<&Reference>,
        mut work: Work,
    ) -> Result<Issued, Error> {
        for attempt in 0..MAX_ATTEMPTS {
            self.recheck_caller(call, work.epoch).await?;
            let approved = self.approve(&work)?;
            if attempt == 0 {
                self.count_names(&work.issuer.ca, approved.names())?;
            }
            let signed = self.sign_approved(call, &work, approved).await?;
            match self.record(call, &work, signed).await {
                Err(certwright_store::Error::Stale { .. }) => {
                    self.refresh_epoch().await?;
                    work = self.prepare_work(call, ca, profile, work.request).await?;
                }
                other => return Ok(other?),
            }
        }
        Err(Error::Unavailable { detail: "the configuration kept changing".into(), retry_after_s: 1 })
    }

    /// Gathers issuer, profile and CA keys until all of them are of one epoch.
    async fn prepare_work(
        &self,
        call: &Call,
        ca: &Reference,
        profile: Option<&Reference>,
        request: LeafRequest,
    ) -> Result<Work, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let epoch = self.working_epoch().await?;
            let issuer = self.issuer_for(call, ca).await?;
            let profile = self.issuing_profile(profile).await?;
            let standing = self.key_standing(&request.public_key.spki_sha256).await?;
            self.learn_policies(call).await?;
            if issuer.epoch == epoch && profile.0 == epoch && self.inner.context.epoch() == epoch {
                let names = asked_names(&request);
                let object = Object::signing(&issuer, profile.1.name().as_str(), &names).called(ca);
                let leave = self.authorize(call, Permission::CaIssue, &object)?;
                check_names(call, &request)?;
                return Ok(Work { request, profile, issuer, standing, epoch, leave });
            }
        }
        Err(Error::Unavailable { detail: "the configuration kept changing".into(), retry_after_s: 1 })
    }

    fn decide(&self, work: &Work) -> Decision {
        let limits = &self.inner.settings.limits;
        let now = self.inner.clock.now();
        decide_leaf(&work.profile.1, &work.issuer.facts, &work.request, work.standing, limits, now)
    }

    /// The same decision, without words for what passed.
    fn approve(&self, work: &Work) -> Result<Approved, Error> {
        let limits = &self.inner.settings.limits;
        let now = self.inner.clock.now();
        approve_leaf(&work.profile.1, &work.issuer.facts, &work.request, work.standing, limits, now)
            .map_err(Error::Rejected)
    }

    /// Signs with leave: nothing but the authorizer makes a [`Leave`], and this one must be for this CA.
    async fn sign_approved(&self, call: &Call, work: &Work, approved: Approved) -> Result<Signed, Error> {
        let issuer = &work.issuer;
        let signer = issuer.signer(&work.leave)?;
        let names = approved.names().to_vec();
        let subject = approved.subject().to_string();
        let common_name = approved.subject().common_name().unwrap_or_default().to_owned();
        let key_algorithm = approved.public_key().algorithm().map_or("", KeyAlgorithm::as_str).to_owned();
        let algorithm = issuer.signature_algorithm;
        let serial = self.draw_serial(&issuer.known_serials)?;
        let urls = issuer.urls.of(&serial);
        let prepared = prepare(approved, serial.clone(), &Issuer::Ca(&issuer.certificate), algorithm, &urls)?;
        fall_in().await;
        let signature = signer.sign(algorithm, prepared.tbs()).await?;
        let certificate = prepared.finish(&signature)?;
        let now = self.inner.clock.now();
        let row = IssuedCertificate {
            id: IssuedId::new(now, self.inner.id_entropy()),
            kind: IssuedKind::Leaf,
            ca_id: issuer.ca.id.clone(),
            ca_name: issuer.ca.name.to_string(),
            ca_version: issuer.version.number,
            serial: certificate.serial.clone(),
            fingerprint: certificate.fingerprint,
            spki_sha256: certificate.public_key.spki_sha256,
            subject,
            common_name,
            names,
            profile: work.profile.1.name().to_string(),
            key_algorithm,
            validity: certificate.validity,
            renew_at: renew_at(&certificate.validity, None, &certificate.serial, None),
            requester: call.caller.id(),
            requester_name: call.caller.name().to_owned(),
            request_id: call.request_id.clone(),
            certificate: certificate.der,
            issued_at: now,
            revocation: None,
        };
        Ok(Signed { row })
    }

    /// Stores the certificate with its audit event; only what is on disk becomes an [`Issued`].
    async fn record(&self, call: &Call, work: &Work, signed: Signed) -> Result<Issued, certwright_store::Error> {
        let audit = self.issue_audit(call, &signed.row, &work.leave.ground());
        let recording = Recording { issued: signed.row, audit, epoch: work.epoch, ending: None };
        let row = self.inner.recorder.record(recording).await?;
        metrics::counter!("certwright_certificates_issued_total").increment(1);
        let above = Arc::clone(&work.issuer.ca_chain);
        Ok(Issued { row, above, private_key: None, ignored_extensions: Vec::new() })
    }

    /// The audit event of a certificate; `ground`: the statement that let it be asked for, empty for the server's own work.
    pub(super) fn issue_audit(&self, call: &Call, row: &IssuedCertificate, ground: &str) -> AuditEvent {
        let (serial, fingerprint) = (row.serial.to_string(), row.fingerprint.to_string());
        let not_after = row.validity.not_after().to_string();
        let details = [
            ("serial", serial.as_str()),
            ("fingerprint", &fingerprint),
            ("ca", row.ca_id.as_str()),
            ("profile", &row.profile),
            ("notAfter", &not_after),
        ];
        let target = Target { kind: "issued-certificate", id: row.id.as_str(), name: &row.common_name };
        let event = self.inner.audit(call, "certificate.issue", target, &details);
        AuditEvent { decided_by: ground.to_owned(), ..event }
    }

    async fn leaf_algorithm(&self, request: &IssueRequest) -> Result<KeyAlgorithm, Error> {
        self.key_algorithm_for(request.profile.as_ref(), request.key_algorithm).await
    }

    /// The algorithm of a key that we make: as asked, or the default of the profile.
    pub(crate) async fn key_algorithm_for(
        &self,
        profile: Option<&Reference>,
        asked: Option<KeyAlgorithm>,
    ) -> Result<KeyAlgorithm, Error> {
        match asked {
            Some(algorithm) if algorithm.is_asymmetric() => Ok(algorithm),
            Some(algorithm) => Err(Error::invalid(
                "/keyAlgorithm",
                Invalid::new(
                    "invalid_key_algorithm",
                    format!("{algorithm} is a symmetric algorithm; a certificate needs a key pair."),
                    "Choose ECDSA_P256, ECDSA_P384, ECDSA_P521, ED25519, RSA_2048, RSA_3072 or RSA_4096.",
                ),
            )),
            None => {
                let profile = self.issuing_profile(profile).await?;
                let allowed = profile.1.key_algorithms();
                let preferred = allowed.contains(&KeyAlgorithm::EcdsaP256).then_some(KeyAlgorithm::EcdsaP256);
                Ok(preferred.or_else(|| allowed.first().copied()).unwrap_or(KeyAlgorithm::EcdsaP256))
            }
        }
    }

    /// Judges a request in which we make the key, with a sample key of that kind.
    async fn trial_of_issue(
        &self,
        call: &Call,
        ca: &Reference,
        request: IssueRequest,
        algorithm: KeyAlgorithm,
    ) -> Result<(Work, Decision), Error> {
        self.issuer_for(call, ca).await?;
        let sample = self.sample_key(algorithm).await?;
        let profile = request.profile.clone();
        let work = self.prepare_work(call, ca, profile.as_ref(), service_request(request, sample)).await?;
        let decision = self.decide(&work);
        Ok((work, decision))
    }

    /// The CA that is to sign; the server's own CA signs for the server alone.
    pub(crate) async fn issuer_for(&self, call: &Call, ca: &Reference) -> Result<Arc<IssuerContext>, Error> {
        let issuer = match self.issuer(ca).await {
            Ok(issuer) => issuer,
            // The state of a CA is told to those alone who may see it.
            Err(error) if call.caller.is_system() => return Err(error),
            Err(error) => {
                self.may_ca(call, Permission::CaList, ca).await?;
                return Err(error);
            }
        };
        match issuer.ca.system && !call.caller.is_system() {
            true => Err(Error::not_found("CA", ca)),
            false => Ok(issuer),
        }
    }

    /// A caller that was authenticated under an older epoch than the one decided under is looked up again.
    async fn recheck_caller(&self, call: &Call, epoch: i64) -> Result<(), Error> {
        if let Some(workload) = call.caller.as_workload()
            && call.caller.epoch() != epoch
            && !self.is_vouched_for(workload).await?
        {
            return Err(Error::Unauthenticated {
                detail: "Whoever vouched for this identity does so no longer.".into(),
            });
        }
        let Some(id) = call.caller.token_id().filter(|_| call.caller.epoch() != epoch) else { return Ok(()) };
        let token = self.inner.store.read().await?.token(id).await?;
        if token.is_some_and(|token| token.is_live(self.inner.clock.now())) {
            return Ok(());
        }
        Err(Error::Unauthenticated { detail: "The token is unknown, expired or revoked.".into() })
    }
}

impl SignedLeaf {
    /// The row of the inventory.
    pub(crate) fn row(&self) -> &IssuedCertificate {
        &self.signed.row
    }

    /// DER certificates above it, nearest first, with the root where it is known.
    pub(crate) fn above(&self) -> &[Vec<u8>] {
        self.above.der()
    }

    /// Commits the transaction that it was recorded in; only then does it leave the process.
    pub(crate) async fn commit(self, tx: Tx<'_>, ignored_extensions: Vec<String>) -> Result<Issued, Error> {
        tx.commit().await?;
        metrics::counter!("certwright_certificates_issued_total").increment(1);
        Ok(Issued { row: self.signed.row, above: self.above, private_key: None, ignored_extensions })
    }

    /// Stores the certificate by the group commit, together with the end of its order, if that is still as it was judged.
    /// Once this returns, it is on disk.
    pub(crate) async fn record_ending(
        self,
        app: &App,
        call: &Call,
        ending: OrderEnding,
    ) -> Result<(), certwright_store::Error> {
        let audit = app.issue_audit(call, &self.signed.row, &self.ground);
        let recording = Recording { issued: self.signed.row, audit, epoch: self.epoch, ending: Some(ending) };
        app.inner.recorder.record(recording).await?;
        metrics::counter!("certwright_certificates_issued_total").increment(1);
        Ok(())
    }

    /// Writes the inventory row and its audit event. Refuses as stale what was decided under another configuration than
    /// the one that holds until the transaction ends: call it first.
    pub(crate) async fn record(&self, app: &App, call: &Call, tx: &mut Tx<'_>) -> Result<(), certwright_store::Error> {
        if tx.hold_epoch().await? != self.epoch {
            return Err(certwright_store::Error::Stale { what: STALE_EPOCH });
        }
        tx.insert_issued(std::slice::from_ref(&self.signed.row)).await?;
        tx.insert_audit(&app.issue_audit(call, &self.signed.row, &self.ground)).await
    }
}

/// Lets the other tasks of this worker come as far as this before it does arithmetic. What is alike and done in a row (keys, then
/// signatures: 150 KB of multiples of P-256's base point, and the code) finds what it needs in the nearest caches: a tenth less of a
/// core for a certificate at 64 connections (docs/performance.md). It goes to the end of the worker's queue, where an idle worker finds
/// it; tokio's own way of yielding keeps it apart until the worker has nothing else to do. A task that is alone goes on at once.
async fn fall_in() {
    let mut has_waited = false;
    poll_fn(|context| match std::mem::replace(&mut has_waited, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// What [`SignedLeaf::record`] names when the configuration changed meanwhile: the decision is to be made anew.
pub(crate) const STALE_EPOCH: &str = "epoch";

fn trial(work: &Work, decision: Decision, ignored_extensions: Vec<String>) -> Trial {
    let verdicts = decision.verdicts().to_vec();
    let approved = decision.into_result().ok();
    let names = approved.as_ref().map_or_else(|| work.request.names.clone(), |approved| approved.names().to_vec());
    Trial {
        passed: approved.is_some(),
        verdicts,
        ca: work.issuer.ca.name.to_string(),
        profile: work.profile.1.name().to_string(),
        subject: work.request.subject.to_string(),
        names,
        validity: approved.map(|approved| approved.validity()),
        ignored_extensions,
    }
}
