//! Coming with an enrolment token, and leaving with a certificate.
//!
//! **A use and its certificate are one transaction.** The use is taken by compare-and-swap in the very transaction that
//! stores the certificate and its audit event: of those who come for the last use at once one gets it, on whatever node,
//! and no use is lost to a refusal, a failure or a crash.

use crate::change::by_id;
use crate::issuance::{Issued, STALE_EPOCH, Subject, Trial, csr_leaf, read_csr};
use crate::tokens::text;
use crate::{App, Call, Caller, Error, SignRequest};
use certwright_domain::dn::AttributeType;
use certwright_domain::enrollment::EnrollmentToken;
use certwright_domain::id::EnrollmentTokenId;
use certwright_domain::rules::LeafRequest;
use certwright_domain::san::San;
use certwright_domain::validity::RequestedValidity;
use certwright_domain::violation::Violation;

/// How often it is begun anew because the configuration changed under it.
const MAX_ATTEMPTS: u32 = 5;

/// What the holder of an enrolment token asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollRequest {
    /// CSR, PEM or DER.
    pub csr: Vec<u8>,
    /// Validity.
    pub validity: RequestedValidity,
}

impl App {
    /// Who holds this enrolment token? Unknown, deleted and ended ones get the same answer. One that is used up lets its
    /// holder in, to find an answer again under its idempotency key, and gives nothing.
    pub async fn authenticate_enrollment(&self, bearer: &str) -> Result<Caller, Error> {
        let read = text::parse(text::ENROLLMENT_TOKEN, bearer);
        let read = read.and_then(|(ulid, secret)| Some((EnrollmentTokenId::of_ulid(ulid)?, secret)));
        let Some((id, secret)) = read else { return Err(unauthenticated()) };
        let mut queries = self.inner.store.read().await?;
        // The epoch is read first: the token that is read after it is at least as new.
        let epoch = queries.epoch().await?;
        let token = queries.enrollment_token(&by_id(id.as_str())?).await?;
        drop(queries);
        self.inner.context.note_epoch(epoch);
        let same = text::fits(&secret, token.as_ref().map(|token| &token.secret_sha256));
        let token = token.filter(|token| same && !token.has_ended(self.now())).ok_or_else(unauthenticated)?;
        self.access().await?;
        Ok(Caller::enrollment(token, epoch))
    }

    /// Signs a CSR for the holder of an enrolment token and takes one use of it.
    pub async fn enroll(&self, call: &Call, request: EnrollRequest) -> Result<Issued, Error> {
        let token = usable(call)?;
        let enrolled = self.enroll_unaudited(call, token, request).await;
        self.note_if_refused(call, "certificate.issue", ("ca", token.ca.as_str()), enrolled)
    }

    /// What [`App::enroll`] would do; nothing is signed or stored, and no use is taken.
    pub async fn try_enroll(&self, call: &Call, request: EnrollRequest) -> Result<Trial, Error> {
        let token = usable(call)?;
        let csr = read_csr(&request.csr)?;
        check_names(token, &csr_leaf(csr, Subject::default(), request.validity))?;
        let profile = Some(by_id(token.profile.as_str())?);
        let request =
            SignRequest { csr: request.csr, subject: Subject::default(), profile, validity: request.validity };
        self.try_sign(call, &by_id(token.ca.as_str())?, request).await
    }

    async fn enroll_unaudited(
        &self,
        call: &Call,
        token: &EnrollmentToken,
        request: EnrollRequest,
    ) -> Result<Issued, Error> {
        let csr = read_csr(&request.csr)?;
        let ignored = csr.ignored_extensions.clone();
        let leaf = csr_leaf(csr, Subject::default(), request.validity);
        check_names(token, &leaf)?;
        let (ca, profile) = (by_id(token.ca.as_str())?, by_id(token.profile.as_str())?);
        for _ in 0..MAX_ATTEMPTS {
            let signed = self.sign_leaf(call, &ca, &profile, leaf.clone(), None).await?;
            let mut tx = self.inner.store.begin("certificate.enroll").await?;
            match signed.record(self, call, &mut tx).await {
                Ok(()) => {}
                Err(certwright_store::Error::Stale { what: STALE_EPOCH }) => {
                    drop(tx);
                    self.refresh_epoch().await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            return match tx.use_enrollment_token(&token.id, self.now()).await {
                Ok(()) => signed.commit(tx, ignored).await,
                // Somebody else took the last use, or the token was deleted, or its time came.
                Err(certwright_store::Error::Stale { .. }) => Err(unauthenticated()),
                Err(error) => Err(error.into()),
            };
        }
        Err(Error::Unavailable { detail: "the configuration kept changing".into(), retry_after_s: 1 })
    }
}

/// The token of this call, if it has a use left.
fn usable(call: &Call) -> Result<&EnrollmentToken, Error> {
    let token = call.caller.as_enrollment();
    token.filter(|token| token.uses_left > 0).ok_or_else(unauthenticated)
}

/// Every name of the request is one of the token's, and the subject has nothing but a commonName that is one: whatever else
/// stands there (an organization that some service takes for a role) was never given away.
fn check_names(token: &EnrollmentToken, request: &LeafRequest) -> Result<(), Error> {
    let names = request.names.iter().enumerate();
    let names = names.map(|(index, name)| (format!("/names/{index}"), name.to_string(), token.terms.allows(name)));
    let subject = request.subject.attributes().iter().map(|attribute| {
        let fits = attribute.kind() == AttributeType::CommonName && token.terms.allows_text(attribute.value());
        (format!("/subject/{}", attribute.kind().as_str()), attribute.value().to_owned(), fits)
    });
    let broken: Vec<Violation> = names
        .chain(subject)
        .filter(|(_, _, fits)| !fits)
        .map(|(pointer, value, _)| violation(token, pointer, value))
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(Error::Rejected(broken)) }
}

fn violation(token: &EnrollmentToken, pointer: String, value: String) -> Violation {
    let limit = token.terms.names().iter().map(San::to_string).collect::<Vec<_>>().join(", ");
    Violation {
        code: "name_not_of_token",
        rule: "enrollmentNames",
        owner: format!("enrolment token {}", token.name),
        detail: format!("`{value}` ({pointer}) is not what this enrolment token may ask for: {limit}."),
        hint: format!(
            "Ask for names among: {limit}; of the subject take at most a commonName that is one of them. Or have another \
             token made."
        ),
        pointer,
        allowed: limit.clone(),
        limit,
        value,
    }
}

/// The one answer to every token that gives nothing.
fn unauthenticated() -> Error {
    Error::Unauthenticated {
        detail: "The enrolment token is malformed, unknown, expired, used up or deleted.".to_owned(),
    }
}
