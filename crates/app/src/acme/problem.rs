//! What a use case of ACME may answer instead of a result: the error types of RFC 8555 section 6.7 and its kin.

use crate::Error;
use certwright_domain::acme::Identifier;
use certwright_domain::id::AcmeAccountId;

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:literal;)+) => {
        /// An error type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[$doc])* $variant),+ }
        impl ProblemKind {
            /// The last part of its URN.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
            /// HTTP status, where nothing speaks for another one.
            pub const fn status(self) -> u16 { match self { $(Self::$variant => $status),+ } }
        }
    };
}
problems! {
    /// The key or the URL has no account.
    AccountDoesNotExist = "accountDoesNotExist", 400;
    /// The certificate has a successor already (RFC 9773 section 7.4).
    AlreadyReplaced = "alreadyReplaced", 409;
    /// It is revoked already.
    AlreadyRevoked = "alreadyRevoked", 400;
    /// The CSR cannot be used.
    BadCsr = "badCSR", 400;
    /// The nonce is none of ours, too old, or used.
    BadNonce = "badNonce", 400;
    /// The key cannot be used.
    BadPublicKey = "badPublicKey", 400;
    /// Nobody may revoke for that reason here.
    BadRevocationReason = "badRevocationReason", 400;
    /// The signature algorithm is none that is taken.
    BadSignatureAlgorithm = "badSignatureAlgorithm", 400;
    /// CAA records forbid it.
    Caa = "caa", 403;
    /// An external account binding is needed.
    ExternalAccountRequired = "externalAccountRequired", 403;
    /// A contact is not one.
    InvalidContact = "invalidContact", 400;
    /// The profile is none of the directory's.
    InvalidProfile = "invalidProfile", 400;
    /// The request is malformed.
    Malformed = "malformed", 400;
    /// The order cannot be finalized now.
    OrderNotReady = "orderNotReady", 403;
    /// Too much in too little time.
    RateLimited = "rateLimited", 429;
    /// A name cannot be certified here.
    RejectedIdentifier = "rejectedIdentifier", 400;
    /// Our fault.
    ServerInternal = "serverInternal", 500;
    /// Not yours to do.
    Unauthorized = "unauthorized", 403;
    /// Contacts with that scheme are not supported.
    UnsupportedContact = "unsupportedContact", 400;
    /// Names of that type are not certified here.
    UnsupportedIdentifier = "unsupportedIdentifier", 400;
    /// The terms want to be agreed to.
    UserActionRequired = "userActionRequired", 403;
}

/// One name's part in a problem (RFC 8555 section 6.7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subproblem {
    /// Type.
    pub kind: ProblemKind,
    /// A sentence.
    pub detail: String,
    /// Type and value of the identifier as they were given.
    pub identifier: (String, String),
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Type.
    pub kind: ProblemKind,
    /// HTTP status.
    pub status: u16,
    /// A sentence.
    pub detail: String,
    /// One for each name that has a part in it.
    pub subproblems: Vec<Subproblem>,
    /// Seconds after which it may go better.
    pub retry_after_s: Option<u32>,
    /// The account that is meant, for `Location`.
    pub account: Option<AcmeAccountId>,
}

impl Problem {
    /// A problem with the status of its type.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            status: kind.status(),
            detail: detail.into(),
            subproblems: Vec::new(),
            retry_after_s: None,
            account: None,
        }
    }

    /// With another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

/// What a use case may answer instead of a result.
#[derive(Debug)]
pub enum AcmeError {
    /// The client's doing, or its luck.
    Problem(Box<Problem>),
    /// Anything else: details go to the log alone.
    Internal(Error),
}

impl From<Problem> for AcmeError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<certwright_store::Error> for AcmeError {
    fn from(error: certwright_store::Error) -> Self {
        Self::from(Error::from(error))
    }
}

impl From<Error> for AcmeError {
    fn from(error: Error) -> Self {
        match error {
            Error::RateLimited { detail, retry_after_s } => {
                let problem = Problem::new(ProblemKind::RateLimited, detail);
                Problem { retry_after_s: Some(retry_after_s), ..problem }.into()
            }
            Error::Unavailable { .. } => unavailable().into(),
            // Another request changed the row between reading and writing: the client may ask again.
            Error::Conflict { code: "changed_meanwhile", .. } => unavailable().into(),
            other => Self::Internal(other),
        }
    }
}

/// It did not come about now, through nobody's fault.
pub(super) fn unavailable() -> Problem {
    let problem = Problem::new(ProblemKind::ServerInternal, "Not now; please ask again.").with_status(503);
    Problem { retry_after_s: Some(2), ..problem }
}

/// A problem as the error of a use case.
pub(super) fn refuse<T>(kind: ProblemKind, detail: impl Into<String>) -> Result<T, AcmeError> {
    Err(Problem::new(kind, detail).into())
}

/// Absent, or somebody else's: nobody is told which.
pub(super) fn absent(what: &str) -> AcmeError {
    Problem::new(ProblemKind::Malformed, format!("There is no such {what}.")).with_status(404).into()
}

/// A name's part in a problem.
pub(super) fn about(kind: ProblemKind, identifier: &Identifier, detail: impl Into<String>) -> Subproblem {
    Subproblem { kind, detail: detail.into(), identifier: (identifier.kind().to_owned(), identifier.to_string()) }
}

/// The problem of several names: of one kind where they all are, else malformed (RFC 8555 section 6.7.1).
pub(super) fn of_names(subproblems: Vec<Subproblem>) -> AcmeError {
    let kind = match subproblems.split_first() {
        Some((first, rest)) if rest.iter().all(|one| one.kind == first.kind) => first.kind,
        _ => ProblemKind::Malformed,
    };
    let detail = match subproblems.as_slice() {
        [one] => one.detail.clone(),
        several => format!("{} names cannot be certified here; `subproblems` says why.", several.len()),
    };
    Problem { subproblems, ..Problem::new(kind, detail) }.into()
}
