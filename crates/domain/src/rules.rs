//! The rules: what a CA and a profile let a request become. `decide_*` is the only place that makes an [`Approved`],
//! and an `Approved` is the only thing that `pki` prepares for signing.
//!
//! Every rule gives its [`Verdict`], passed or not, and all are judged, so that a refusal lists everything at once.
//! Policy is decided on the final content: it makes no difference whether a name came as JSON, in a CSR's extension or
//! as the CSR's commonName. How lifetimes are counted and chosen stands in [`lifetime`].

mod issuer;
mod key;
pub mod lifetime;
mod names;
mod record;

use crate::algorithm::SignatureAlgorithm;
use crate::ca::{CaRules, IssuerFacts};
use crate::constraints::NameConstraints;
use crate::dn::DistinguishedName;
use crate::profile::{ExtendedKeyUsage, KeyHolder, Profile};
use crate::public_key::PublicKey;
use crate::san::San;
use crate::time::{Span, Timestamp};
use crate::validity::{RequestedEnd, RequestedValidity, Validity};
use crate::violation::{Verdict, Violation};
use record::{Verdicts, Wanted};

/// Limits of the service itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceLimits {
    /// How far notBefore is set back when the request names none.
    pub backdate: Span,
    /// How far in the past a requested notBefore of an end-entity certificate may lie.
    pub leaf_max_backdate: Span,
    /// The same for CA certificates.
    pub ca_max_backdate: Span,
    /// How far in the future a requested notBefore may lie.
    pub max_postdate: Span,
    /// Longest lifetime of a root.
    pub root_max_validity: Span,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            backdate: Span::from_minutes(1),
            leaf_max_backdate: Span::from_hours(24),
            ca_max_backdate: Span::from_days(366),
            max_postdate: Span::from_days(366),
            root_max_validity: Span::from_days(9131),
        }
    }
}

/// Default lifetime of a CA when the request names none.
pub const CA_DEFAULT_VALIDITY: Span = Span::from_days(365);

/// A request for an end-entity certificate, every part parsed. Where the parts came from (JSON, CSR, ACME) is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRequest {
    /// Subject, may be empty.
    pub subject: DistinguishedName,
    /// Names, without repeats.
    pub names: Vec<San>,
    /// The public key to certify.
    pub public_key: PublicKey,
    /// Who holds the private key.
    pub key_holder: KeyHolder,
    /// The wish for validity.
    pub validity: RequestedValidity,
    /// The requester's CSR asked for a CA certificate.
    pub asks_for_ca: bool,
}

impl LeafRequest {
    /// The alternative names that the certificate would carry: those asked for, and the e-mail addresses of the subject.
    pub fn certified_names(&self) -> Vec<San> {
        with_described_addresses(self.names.clone(), &self.subject)
    }
}

/// What is known of a public key that someone asks to have certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStanding {
    /// Nothing against it.
    Free,
    /// It is the key of a CA of ours.
    OfCa,
    /// A certificate with it was revoked because others know the private key.
    Compromised,
}

/// A request for a CA certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaRequest {
    /// Subject, not empty.
    pub subject: DistinguishedName,
    /// The CA's public key.
    pub public_key: PublicKey,
    /// The wish for validity.
    pub validity: RequestedValidity,
    /// Rules of the new CA; path length and name constraints go into the certificate.
    pub rules: CaRules,
}

/// What an approved certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovedKind {
    /// End-entity certificate with these usages.
    Leaf {
        /// Extended key usages, in the profile's order.
        usages: Vec<ExtendedKeyUsage>,
        /// Name of the profile.
        profile: String,
    },
    /// CA certificate.
    Ca {
        /// pathLenConstraint.
        path_length: Option<u8>,
        /// nameConstraints.
        name_constraints: Option<NameConstraints>,
        /// Is it its own issuer?
        self_signed: bool,
    },
    /// Certificate of a delegated OCSP responder (RFC 6960 section 4.2.2.2): OCSPSigning alone, with the promise that
    /// its own revocation need not be looked up. No profile can give that.
    Responder,
}

/// A request for the certificate of a delegated OCSP responder; only the server makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponderRequest {
    /// Subject, not empty and not the CA's.
    pub subject: DistinguishedName,
    /// The responder's public key.
    pub public_key: PublicKey,
    /// How long it shall last; shorter where the CA's rule or its end leave less.
    pub lifetime: Span,
}

/// A certificate's content that every rule has approved. Only [`decide_leaf`], [`decide_subordinate`], [`decide_root`]
/// and [`decide_responder`] make one; the fields can be read, not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    subject: DistinguishedName,
    names: Vec<San>,
    public_key: PublicKey,
    validity: Validity,
    kind: ApprovedKind,
}

impl Approved {
    /// Subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }
    /// Names.
    pub fn names(&self) -> &[San] {
        &self.names
    }
    /// Public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
    /// Validity.
    pub fn validity(&self) -> Validity {
        self.validity
    }
    /// Leaf or CA.
    pub fn kind(&self) -> &ApprovedKind {
        &self.kind
    }
}

/// The outcome of the rules: the verdict of each, and the approved content when all of them passed.
#[derive(Debug, Clone)]
pub struct Decision {
    verdicts: Vec<Verdict>,
    approved: Option<Approved>,
}

impl Decision {
    /// Every rule with its verdict, in the order judged.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// The approved content; `None` when a rule was broken.
    pub fn approved(&self) -> Option<&Approved> {
        self.approved.as_ref()
    }

    /// The approved content, or every broken rule.
    pub fn into_result(self) -> Result<Approved, Vec<Violation>> {
        self.approved.ok_or_else(|| self.verdicts.into_iter().flat_map(|v| v.violations).collect())
    }

    /// The one place where an [`Approved`] comes from: no rule is broken, and the lifetime's rules found a validity.
    fn conclude(verdicts: Verdicts, validity: Option<Validity>, content: impl FnOnce(Validity) -> Approved) -> Self {
        let approved = validity.filter(|_| verdicts.passed()).map(content);
        Self { verdicts: verdicts.into_vec(), approved }
    }
}

/// May `issuer` sign this end-entity certificate under `profile`?
/// `standing`: what is known of the request's public key.
pub fn decide_leaf(
    profile: &Profile,
    issuer: &IssuerFacts,
    request: &LeafRequest,
    standing: KeyStanding,
    limits: &ServiceLimits,
    now: Timestamp,
) -> Decision {
    judge_leaf(Wanted::Words, profile, issuer, request, standing, limits, now)
}

/// The same, without the verdicts of rules that passed: what was approved, or every broken rule.
pub fn approve_leaf(
    profile: &Profile,
    issuer: &IssuerFacts,
    request: &LeafRequest,
    standing: KeyStanding,
    limits: &ServiceLimits,
    now: Timestamp,
) -> Result<Approved, Vec<Violation>> {
    match judge_leaf(Wanted::Outcome, profile, issuer, request, standing, limits, now).approved {
        Some(approved) => Ok(approved),
        // Judged anew for the words.
        None => decide_leaf(profile, issuer, request, standing, limits, now).into_result(),
    }
}

fn judge_leaf(
    wanted: Wanted,
    profile: &Profile,
    issuer: &IssuerFacts,
    request: &LeafRequest,
    standing: KeyStanding,
    limits: &ServiceLimits,
    now: Timestamp,
) -> Decision {
    let mut verdicts = Verdicts::new(wanted);
    issuer::may_issue(&mut verdicts, issuer, now);
    issuer::usages_stay_within(&mut verdicts, profile, issuer);
    key::leaf(&mut verdicts, profile, issuer, request, standing);
    names::leaf(&mut verdicts, profile, issuer, request);
    let validity = lifetime::Bounds::leaf(profile, issuer, limits, now).choose(&mut verdicts, &request.validity);
    Decision::conclude(verdicts, validity, |validity| Approved {
        names: request.certified_names(),
        subject: request.subject.clone(),
        public_key: request.public_key.clone(),
        validity,
        kind: ApprovedKind::Leaf { usages: profile.usages().to_vec(), profile: profile.name().to_string() },
    })
}

/// May `issuer` sign this subordinate CA's certificate?
///
/// Where the request names no path length and the issuer's is limited to n, the new CA gets n − 1, the longest that
/// passes; [`Approved::kind`] says what was chosen.
pub fn decide_subordinate(
    issuer: &IssuerFacts,
    request: CaRequest,
    limits: &ServiceLimits,
    now: Timestamp,
) -> Decision {
    let mut verdicts = Verdicts::new(Wanted::Words);
    issuer::may_issue(&mut verdicts, issuer, now);
    key::strength(&mut verdicts, &request.public_key);
    key::not_of_issuer(&mut verdicts, issuer, &request.public_key);
    names::authority_subject(&mut verdicts, &request.subject);
    names::subordinate(&mut verdicts, issuer, &request.subject);
    let path_length = issuer::path_length(&mut verdicts, issuer, request.rules.path_length);
    issuer::constraints_stay_within(&mut verdicts, issuer, request.rules.name_constraints.as_ref());
    lifetime::own_rules(&mut verdicts, &request.rules);
    let validity = lifetime::Bounds::subordinate(issuer, limits, now).choose(&mut verdicts, &request.validity);
    Decision::conclude(verdicts, validity, |validity| authority(request, validity, path_length, false))
}

/// May this root sign itself?
pub fn decide_root(request: CaRequest, limits: &ServiceLimits, now: Timestamp) -> Decision {
    let mut verdicts = Verdicts::new(Wanted::Words);
    key::strength(&mut verdicts, &request.public_key);
    names::authority_subject(&mut verdicts, &request.subject);
    lifetime::own_rules(&mut verdicts, &request.rules);
    let validity = lifetime::Bounds::root(limits, now).choose(&mut verdicts, &request.validity);
    let path_length = request.rules.path_length;
    Decision::conclude(verdicts, validity, |validity| authority(request, validity, path_length, true))
}

/// May `issuer` certify this key of a delegated OCSP responder?
/// `standing`: what is known of the public key.
pub fn decide_responder(
    issuer: &IssuerFacts,
    request: ResponderRequest,
    standing: KeyStanding,
    limits: &ServiceLimits,
    now: Timestamp,
) -> Decision {
    let longest = RequestedValidity { not_before: None, end: RequestedEnd::Longest };
    let mut verdicts = Verdicts::new(Wanted::Words);
    issuer::may_answer(&mut verdicts, issuer, now);
    key::strength(&mut verdicts, &request.public_key);
    key::nobody_elses(&mut verdicts, issuer, &request.public_key, standing);
    let bounds = lifetime::Bounds::responder(issuer, request.lifetime, limits, now);
    let validity = bounds.choose(&mut verdicts, &longest);
    Decision::conclude(verdicts, validity, |validity| Approved {
        subject: request.subject,
        names: Vec::new(),
        public_key: request.public_key,
        validity,
        kind: ApprovedKind::Responder,
    })
}

/// Is this key strong enough to be certified, for a leaf or a CA? The verdict names every weakness.
pub fn key_strength(public_key: &PublicKey) -> Vec<Verdict> {
    let mut verdicts = Verdicts::new(Wanted::Words);
    key::strength(&mut verdicts, public_key);
    verdicts.into_vec()
}

/// Does the signature algorithm fit the key? Pure check used before a CA is made.
pub fn signature_fits(public_key: &PublicKey, algorithm: SignatureAlgorithm) -> bool {
    public_key.algorithm().is_some_and(|key| key.signature_algorithms().contains(&algorithm))
}

/// An e-mail address in the subject must stand among the names as well (RFC 5280 section 4.1.2.6). The rules have judged
/// it with the subject; one that an rfc822Name cannot hold stays in the subject alone.
fn with_described_addresses(mut names: Vec<San>, subject: &DistinguishedName) -> Vec<San> {
    let described = names::described_addresses(&names, subject);
    names.extend(described);
    names
}

fn authority(request: CaRequest, validity: Validity, path_length: Option<u8>, self_signed: bool) -> Approved {
    Approved {
        names: with_described_addresses(Vec::new(), &request.subject),
        subject: request.subject,
        public_key: request.public_key,
        validity,
        kind: ApprovedKind::Ca { path_length, name_constraints: request.rules.name_constraints, self_signed },
    }
}

#[cfg(test)]
mod tests;
