//! Errors of the use cases: every door maps each of them to its own problem, exhaustively.

use certwright_domain::violation::{Invalid, Violation};

/// A value that could not be parsed, with the JSON pointer (RFC 6901) of its place in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointed {
    /// Pointer; empty: the request as a whole.
    pub pointer: String,
    /// What is wrong.
    pub invalid: Invalid,
}

impl Pointed {
    /// Puts a pointer to a fault.
    pub fn at(pointer: impl Into<String>, invalid: Invalid) -> Self {
        Self { pointer: pointer.into(), invalid }
    }
}

/// What somebody lacks who is not allowed to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// A statement.
    Statement,
    /// A statement about these names or this profile: there is one about others.
    Names,
    /// Room in the scopes of its token: there is a statement.
    Scope,
}

/// What a use case may answer instead of a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No credential, or one that is unknown, expired or revoked (401).
    #[error("{detail}")]
    Unauthenticated {
        /// Sentence for the caller; never says which part was wrong.
        detail: String,
    },
    /// Known, but not allowed (403).
    #[error("not allowed: {permission} in {place}")]
    Forbidden {
        /// The permission that is missing, `<resource type>:<verb>`.
        permission: &'static str,
        /// Where it is missing, as a policy says it: `tenancy` or `compartment NAME`.
        place: String,
        /// What would give it.
        lack: Lack,
    },
    /// Known, and about to give away what it does not have (403).
    #[error("{detail}")]
    CannotGrant {
        /// Sentence for the caller.
        detail: String,
    },
    /// Absent or invisible (404).
    #[error("there is no {kind} `{reference}`")]
    NotFound {
        /// Kind, for people: `vault`, `CA`, `profile`.
        kind: &'static str,
        /// The reference as given.
        reference: String,
    },
    /// Values that could not be parsed (400).
    #[error("invalid request")]
    Invalid(Vec<Pointed>),
    /// Rules that refused (422): all of them.
    #[error("refused by {} rule(s)", .0.len())]
    Rejected(Vec<Violation>),
    /// The state does not allow it (409).
    #[error("{detail}")]
    Conflict {
        /// Stable machine word, for example `name_taken`.
        code: &'static str,
        /// Sentence for the caller.
        detail: String,
        /// What to do.
        hint: String,
    },
    /// `If-Match` named another revision than the stored one (412).
    #[error("the resource was changed; its ETag is now \"{current}\"")]
    PreconditionFailed {
        /// The revision now.
        current: i64,
    },
    /// `If-Match` is needed and missing (428).
    #[error("If-Match is required; the ETag is \"{current}\"")]
    PreconditionRequired {
        /// The revision now.
        current: i64,
    },
    /// More often than allowed (429).
    #[error("{detail}")]
    RateLimited {
        /// Sentence for the caller.
        detail: String,
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// Not now (503).
    #[error("unavailable: {detail}")]
    Unavailable {
        /// For the log.
        detail: String,
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// Our fault (500): details go to the log only.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// A single unparsable value.
    pub fn invalid(pointer: impl Into<String>, invalid: Invalid) -> Self {
        Self::Invalid(vec![Pointed::at(pointer, invalid)])
    }

    /// A conflict with the state.
    pub fn conflict(code: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into(), hint: hint.into() }
    }

    /// Absent or invisible.
    pub fn not_found(kind: &'static str, reference: impl ToString) -> Self {
        Self::NotFound { kind, reference: reference.to_string() }
    }
}

impl From<certwright_store::Error> for Error {
    fn from(error: certwright_store::Error) -> Self {
        use certwright_store::Error as E;
        match error {
            E::Unavailable(detail) => Self::Unavailable { detail, retry_after_s: 2 },
            E::Stale { what } => Self::conflict(
                "changed_meanwhile",
                format!("The {what} row was changed by another request."),
                "Read it again and repeat the request.",
            ),
            E::Conflict { what } => {
                Self::conflict("exists_already", format!("A value of {what} exists already."), "Choose another one.")
            }
            E::BadCursor => Self::invalid(
                "/cursor",
                Invalid::new(
                    "invalid_cursor",
                    "The cursor does not belong to this list.",
                    "Leave it out to begin anew.",
                ),
            ),
            E::Corrupt { .. } | E::Schema(_) | E::Driver(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<certwright_keystore::Error> for Error {
    fn from(error: certwright_keystore::Error) -> Self {
        use certwright_keystore::Error as E;
        match error {
            E::Unusable(detail) => Self::conflict("key_unusable", detail, "Use a key that fits."),
            // Another node has rotated it, and this one has the old file: what is asked for is there, and here it is not.
            E::UnknownRootKey(_) => Self::Unavailable { detail: error.to_string(), retry_after_s: 30 },
            E::Unsealing(_) | E::RootKey(_) | E::Crypto(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<certwright_pki::Error> for Error {
    fn from(error: certwright_pki::Error) -> Self {
        use certwright_pki::Error as E;
        match error {
            E::Invalid(invalid) => Self::invalid("", invalid),
            E::SelfCheck(_) | E::Encoding(_) => Self::Internal(error.to_string()),
        }
    }
}
