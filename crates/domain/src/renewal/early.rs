//! Calls to renew early: what moves the due time of many certificates at once, and by how much.

use super::share_of;
use crate::http_url::HttpUrl;
use crate::id::{AcmeDirectoryId, CaId, EarlyRenewalId, IssuedId};
use crate::issued::{IssuedCertificate, IssuedKind};
use crate::name::ResourceName;
use crate::profile::description;
use crate::time::{Span, Timestamp};
use crate::violation::Invalid;

/// What a call is for when it names nothing else: spread over a day.
const DEFAULT_SPREAD: Span = Span::from_days(1);
/// The longest spread, and the latest beginning.
const LONGEST: Span = Span::from_days(365);
/// How long after a call the inventory is looked through once more: what was being signed when it was made is stored by then.
const SETTLES: Span = Span::from_minutes(2);

/// Which certificates a call moves, and to when. Made by [`EarlyRenewalTerms::judge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyRenewalTerms {
    /// Those that were issued before; never after the call itself: what comes later is not touched.
    pub issued_before: Timestamp,
    /// Those with this profile; `None`: whatever they have.
    pub profile: Option<ResourceName>,
    /// Those of accounts of this ACME directory; `None`: whoever asked.
    pub directory: Option<AcmeDirectoryId>,
    /// When the first are due.
    pub from: Timestamp,
    /// Over how long they are spread.
    pub spread: Span,
    /// Why; for people.
    pub reason: String,
    /// Where it is explained, for ACME clients (RFC 9773 section 4.2).
    pub explanation_url: Option<HttpUrl>,
}

/// Terms as they are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawEarlyRenewal {
    /// See [`EarlyRenewalTerms::issued_before`]; `None`: now.
    pub issued_before: Option<Timestamp>,
    /// See [`EarlyRenewalTerms::profile`].
    pub profile: Option<ResourceName>,
    /// See [`EarlyRenewalTerms::directory`].
    pub directory: Option<AcmeDirectoryId>,
    /// See [`EarlyRenewalTerms::from`]; `None`: now.
    pub from: Option<Timestamp>,
    /// See [`EarlyRenewalTerms::spread`]; `None`: a day.
    pub spread: Option<Span>,
    /// See [`EarlyRenewalTerms::reason`].
    pub reason: String,
    /// See [`EarlyRenewalTerms::explanation_url`].
    pub explanation_url: Option<HttpUrl>,
}

impl EarlyRenewalTerms {
    /// Reads terms at `now`; every fault is listed with the JSON pointer of its field.
    pub fn judge(raw: RawEarlyRenewal, now: Timestamp) -> Result<Self, Vec<(String, Invalid)>> {
        let mut faults = Vec::new();
        let mut fault = |pointer: &str, invalid| faults.push((pointer.to_owned(), invalid));
        let (from, spread) = (raw.from.unwrap_or(now), raw.spread.unwrap_or(DEFAULT_SPREAD));
        if from > now.plus(LONGEST) {
            let detail = format!("{from} is more than {LONGEST} ahead.");
            let hint = format!("Choose a time up to {}.", now.plus(LONGEST));
            fault("/from", Invalid::new("invalid_from", detail, hint));
        }
        if spread > LONGEST {
            let detail = format!("Renewals cannot be spread over {spread}.");
            fault("/within", Invalid::new("invalid_spread", detail, format!("Choose up to {LONGEST}.")));
        }
        let issued_before = raw.issued_before.unwrap_or(now);
        if issued_before > now {
            let detail = "Certificates that are yet to be issued cannot be moved.";
            let hint = "Leave `issuedBefore` out, or name a time that is past.";
            fault("/issuedBefore", Invalid::new("invalid_issued_before", detail, hint));
        }
        let reason = match description(&raw.reason) {
            Ok(reason) => reason,
            Err(invalid) => {
                fault("/reason", invalid);
                String::new()
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        // A beginning in the past is now: a spike would be spread over a time that is over.
        let (profile, directory, explanation_url) = (raw.profile, raw.directory, raw.explanation_url);
        Ok(Self { issued_before, profile, directory, from: from.max(now), spread, reason, explanation_url })
    }
}

/// A call to renew early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyRenewal {
    /// Id.
    pub id: EarlyRenewalId,
    /// The CA whose certificates are moved.
    pub ca: CaId,
    /// Which, and to when.
    pub terms: EarlyRenewalTerms,
    /// When it was made.
    pub created_at: Timestamp,
    /// How far the inventory has been gone through: the last id of a certificate that was looked at, or empty.
    pub reached: String,
    /// How many certificates it has moved.
    pub moved: u64,
    /// When all had been moved.
    pub settled_at: Option<Timestamp>,
    /// When it was taken back.
    pub withdrawn_at: Option<Timestamp>,
    /// Grows with every change.
    pub revision: i64,
}

impl EarlyRenewal {
    /// Is this certificate moved? `directory`: the ACME directory of the account that asked for it.
    pub fn covers(&self, row: &IssuedCertificate, directory: Option<&AcmeDirectoryId>) -> bool {
        let terms = &self.terms;
        self.withdrawn_at.is_none()
            && row.kind == IssuedKind::Leaf
            && row.ca_id == self.ca
            && row.issued_at < terms.issued_before
            && terms.profile.as_ref().is_none_or(|profile| profile.as_str() == row.profile)
            && terms.directory.as_ref().is_none_or(|wanted| directory == Some(wanted))
    }

    /// When a certificate is due by the call, where that is before its time: a share of the spread that the serial decides, so that
    /// what is moved together is not renewed together. `usual`: when it is due otherwise.
    pub fn due(&self, row: &IssuedCertificate, usual: Timestamp) -> Option<Timestamp> {
        let due = self.terms.from.plus(share_of(self.terms.spread, &row.serial)).floor_to_second();
        let due = due.max(self.terms.from).max(row.validity.not_before());
        (due < usual).then_some(due)
    }

    /// May it be said at `now` that everything was seen? Certificates that were being signed when the call was made may be stored a
    /// little later.
    pub fn is_settled_by(&self, now: Timestamp) -> bool {
        self.created_at.plus(SETTLES) <= now
    }

    /// Where to look again when it may not: certificates that were signed later than this may not have been seen.
    pub fn unsettled_since(&self) -> Timestamp {
        self.created_at.minus(SETTLES)
    }
}

/// A certificate whose renewal was moved. What is due stands in the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedRenewal {
    /// The certificate.
    pub issued: IssuedId,
    /// The call that moved it.
    pub call: EarlyRenewalId,
    /// When it is due.
    pub renew_at: Timestamp,
    /// When it would be due otherwise; never earlier.
    pub usual: Timestamp,
}
