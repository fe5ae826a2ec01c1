//! Enrolment tokens: a machine that has nothing yet gets its first certificate.
//!
//! **Text.** `cwe_<ULID>_<43 characters><6 characters>`, as that of API tokens ([`crate::tokens`]); stored is the SHA-256 of
//! the secret part alone. A token is good for one CA, one profile and an exact list of names, for so many certificates,
//! and for minutes. It is no user's and no policy speaks of it: whoever makes one gives away what they have themselves.

mod enroll;
mod renew;

pub use enroll::EnrollRequest;

use crate::access::Object;
use crate::audit::Target;
use crate::change::{by_id, name_conflict, too_many};
use crate::tokens::text;
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::audit::AuditEvent;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::enrollment::{EnrollmentTerms, EnrollmentToken};
use certwright_domain::id::EnrollmentTokenId;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::profile::KeyHolder;
use certwright_domain::rules::LeafRequest;
use certwright_domain::san::San;
use certwright_domain::secret::SecretText;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_store::{Page, PageRequest, Queries};

/// Most tokens, those that have ended and wait to be cleaned away among them.
const MOST: u64 = 20_000;
/// How long a token can be looked up after its end.
const KEPT: Span = Span::from_hours(24);
/// Rows per deletion: one short transaction.
const BATCH: u32 = 500;

/// An enrolment token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEnrollmentToken {
    /// Name, unique among tokens that are good for something.
    pub name: ResourceName,
    /// The CA that is to sign.
    pub ca: Reference,
    /// The profile that it is to sign with; default `tls-server-or-client`.
    pub profile: Option<Reference>,
    /// The exact names that its holder may ask for, all or some of them.
    pub names: Vec<San>,
    /// How many certificates it gives; default 1.
    pub uses: Option<u32>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How long it lives, if no end is told; default 15 minutes.
    pub lifetime: Option<Span>,
}

impl App {
    /// Makes an enrolment token; its text is returned once. As a trial there is no token, and the text is empty.
    ///
    /// The caller must be allowed to have the CA sign just that, and the rules of CA and profile are asked as well: a token
    /// that could give nothing is refused here and not at three in the morning.
    pub async fn create_enrollment_token(
        &self,
        call: &Call,
        new: NewEnrollmentToken,
    ) -> Result<(EnrollmentToken, SecretText), Error> {
        let now = self.now();
        let terms = EnrollmentTerms::judge(new.names, new.uses, new.expires_at, new.lifetime, now);
        let terms = terms.map_err(|faults| {
            Error::Invalid(faults.into_iter().map(|(pointer, invalid)| Pointed::at(pointer, invalid)).collect())
        })?;
        let issuer = self.issuer_for(call, &new.ca).await?;
        // Where its CA lies. Who may see neither tokens there nor the CA is told that there is no such CA.
        let there = Object::ca(&issuer.ca, issuer.compartment.clone()).called(&new.ca);
        self.authorize(call, Permission::EnrollmentTokenManage, &there)?;
        let profile = self.issuing_profile(new.profile.as_ref()).await?.1.name().clone();
        self.judge_terms(call, &new.ca, &profile, &terms).await?;
        let id = EnrollmentTokenId::new(now, self.inner.id_entropy());
        let (secret_sha256, secret) = text::mint(text::ENROLLMENT_TOKEN, id.as_str(), &*self.inner.entropy);
        let (uses_left, ca) = (terms.uses(), issuer.ca.id.clone());
        let token =
            EnrollmentToken { id, name: new.name, ca, profile, terms, uses_left, secret_sha256, created_at: now };
        let mut change = self.inner.begin_change(call, "enrollment-token.create").await?;
        // By the policies as they are now that nobody can change them any more.
        let names: Vec<String> = token.terms.names().iter().map(San::to_string).collect();
        self.may_give_names(&mut **change, call, &issuer, token.profile.as_str(), &names).await?;
        if change.count_enrollment_tokens().await? >= MOST {
            return Err(too_many("too_many_enrollment_tokens", "enrolment tokens", MOST));
        }
        change.free_enrollment_name(&token.name, now).await?;
        let inserted = change.insert_enrollment_token(&token).await;
        inserted.map_err(|error| name_conflict(error, "enrolment token", &token.name))?;
        change.insert_audit(&self.enrollment_event(call, "enrollment-token.create", &token)).await?;
        change.commit().await?;
        Ok((token, if call.dry_run { SecretText::new(String::new()) } else { secret }))
    }

    /// Enrolment tokens, newest first, without their texts; used up and ended ones, too.
    pub async fn enrollment_tokens(&self, call: &Call, page: &PageRequest) -> Result<Page<EnrollmentToken>, Error> {
        let mut read = self.inner.store.read().await?;
        let found = read.enrollment_tokens(page).await?;
        self.visible(&mut *read, call, Permission::EnrollmentTokenList, found).await
    }

    /// One enrolment token.
    pub async fn enrollment_token(&self, call: &Call, token: &Reference) -> Result<EnrollmentToken, Error> {
        self.may_enrollment_token(call, Permission::EnrollmentTokenRead, token).await
    }

    /// Deletes an enrolment token: it gives nothing any more, at once and on every node. What it has given stays.
    pub async fn delete_enrollment_token(&self, call: &Call, token: &Reference) -> Result<(), Error> {
        let found = self.may_enrollment_token(call, Permission::EnrollmentTokenManage, token).await?;
        let mut change = self.inner.begin_change(call, "enrollment-token.delete").await?;
        let found = find(&mut **change, &by_id(found.id.as_str())?, token).await?;
        change.delete_enrollment_token(&found.id).await?;
        change.insert_audit(&self.enrollment_event(call, "enrollment-token.delete", &found)).await?;
        change.commit().await
    }

    /// Deletes tokens that ended a day ago, in small batches.
    pub(crate) async fn tidy_enrollment_tokens(&self) -> Result<(), Error> {
        loop {
            let mut tx = self.inner.store.begin("job.tidy-enrollment").await?;
            let gone = tx.purge_enrollment_tokens(self.now().minus(KEPT), BATCH).await?;
            if gone == 0 {
                return Ok(tx.rollback().await?);
            }
            tx.commit().await?;
            if gone < u64::from(BATCH) || !self.keep_lease().await? {
                return Ok(());
            }
        }
    }

    /// Would the rules let such a certificate through, with a usual key and the longest lifetime that passes?
    async fn judge_terms(
        &self,
        call: &Call,
        ca: &Reference,
        profile: &ResourceName,
        terms: &EnrollmentTerms,
    ) -> Result<(), Error> {
        let profile = by_id(profile.as_str())?;
        let algorithm = self.key_algorithm_for(Some(&profile), None).await?;
        let request = LeafRequest {
            subject: DistinguishedName::default(),
            names: terms.names().to_vec(),
            public_key: self.sample_key(algorithm).await?,
            key_holder: KeyHolder::Requester,
            validity: RequestedValidity { not_before: None, end: RequestedEnd::Longest },
            asks_for_ca: false,
        };
        self.judge_leaf(call, ca, &profile, request).await?.outcome.map(drop).map_err(Error::Rejected)
    }

    async fn may_enrollment_token(
        &self,
        call: &Call,
        permission: Permission,
        reference: &Reference,
    ) -> Result<EnrollmentToken, Error> {
        let mut read = self.inner.store.read().await?;
        let found = find(&mut *read, reference, reference).await?;
        let place = read.compartment_of(found.ca.as_str()).await?;
        self.authorize(call, permission, &Object::enrollment_token(&found, place).called(reference))?;
        Ok(found)
    }

    fn enrollment_event(&self, call: &Call, action: &'static str, token: &EnrollmentToken) -> AuditEvent {
        let names: Vec<String> = token.terms.names().iter().map(San::to_string).collect();
        let (names, uses, left) = (names.join(" "), token.terms.uses().to_string(), token.uses_left.to_string());
        let expires = token.terms.expires_at().to_string();
        let details = [
            ("ca", token.ca.as_str()),
            ("profile", token.profile.as_str()),
            ("names", &names),
            ("uses", &uses),
            ("usesLeft", &left),
            ("expiresAt", &expires),
        ];
        let target = Target { kind: "enrollment-token", id: token.id.as_str(), name: token.name.as_str() };
        self.inner.audit(call, action, target, &details)
    }
}

/// The token, or the answer that there is none of what the caller called it.
async fn find(queries: &mut dyn Queries, reference: &Reference, called: &Reference) -> Result<EnrollmentToken, Error> {
    let found = queries.enrollment_token(reference).await?;
    found.ok_or_else(|| Error::not_found("enrolment token", called))
}
