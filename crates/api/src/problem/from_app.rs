//! The one mapping from errors of the use cases to problems: exhaustive.

use super::{Problem, fault};
use crate::answer::Tag;
use axum::http::StatusCode;
use axum::http::header::{ETAG, HeaderValue, WWW_AUTHENTICATE};
use certwright_app::{Error, Lack};
use certwright_domain::violation::Violation;
use certwright_wire as wire;

/// What is missing, and the smallest statement (or scope) that would let the caller through.
fn forbidden(permission: &str, place: &str, lack: Lack) -> (String, String) {
    let (resource, verb) = permission.split_once(':').unwrap_or((permission, "manage"));
    let statement =
        format!("Ask an administrator for a policy like `Allow group GROUP to {verb} {resource} in {place}");
    match lack {
        Lack::Statement => (
            format!("You lack the permission `{permission}` in {place}."),
            format!("{statement}`, with a group of yours."),
        ),
        Lack::Names => (
            format!("You lack the permission `{permission}` in {place} for these names with this profile."),
            format!(
                "{statement} where target.profile.name = 'PROFILE'`, with a group of yours and the profile that you ask for; \
                 `target.names` narrows it to names."
            ),
        ),
        Lack::Scope => (
            format!(
                "You have the permission `{permission}` in {place}, but the scopes of this token leave no room for it."
            ),
            format!("Use a token without scopes, or one with the scope `{verb} {resource} in {place}`."),
        ),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated { detail } => Self::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                detail,
                "Send `Authorization: Bearer <token>` with a token that is neither expired nor revoked.",
            )
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"certwright\"")),
            Error::Forbidden { permission, place, lack } => {
                let (detail, hint) = forbidden(permission, &place, lack);
                Self::new(StatusCode::FORBIDDEN, "forbidden", detail, hint).allowing(permission)
            }
            Error::CannotGrant { detail } => Self::new(
                StatusCode::FORBIDDEN,
                "cannot_grant",
                detail,
                "Nobody can grant what they lack: ask somebody who has it, or grant less.",
            ),
            Error::NotFound { kind, reference } => Self::new(
                StatusCode::NOT_FOUND,
                "not_found",
                format!("There is no {kind} `{}`.", reference.escape_debug()),
                absent(kind),
            ),
            Error::Invalid(faults) => {
                Self::malformed(faults.into_iter().map(|pointed| fault(pointed.pointer, pointed.invalid)).collect())
            }
            Error::Rejected(violations) => Self::several(
                StatusCode::UNPROCESSABLE_ENTITY,
                "rejected",
                violations.into_iter().map(refusal).collect(),
            ),
            Error::Conflict { code, detail, hint } => {
                let problem = Self::new(StatusCode::CONFLICT, code, detail, hint);
                match code {
                    // Waiting or reading again is all that these need.
                    "idempotency_in_flight" | "changed_meanwhile" => problem.retry_after(1),
                    _ => problem,
                }
            }
            Error::PreconditionFailed { current } => Self::precondition_failed(&Tag::from(current)),
            Error::PreconditionRequired { current } => Self::precondition_required(&Tag::from(current)),
            Error::RateLimited { detail, retry_after_s } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                detail,
                "Wait for the time in `Retry-After`, then repeat the request; use the certificate that is there meanwhile.",
            )
            .retry_after(retry_after_s),
            Error::Unavailable { detail, retry_after_s } => {
                let mut problem = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "The server cannot do this now.",
                    "Repeat the request after the time in `Retry-After`.",
                )
                .retry_after(retry_after_s);
                problem.0.cause = Some(detail);
                problem
            }
            Error::Internal(cause) => Self::internal(cause),
        }
    }
}

/// What to do about something that is not there.
fn absent(kind: &str) -> &'static str {
    match kind {
        "issued certificate" => {
            "Check the serial, fingerprint or id; GET /v1/issued-certificates?q= finds certificates by name."
        }
        "certificate version" => "GET /v1/certificates/{certificate}/versions lists those that there are.",
        "CA version" => "GET /v1/certificate-authorities/{ca}/versions lists those that there are.",
        "delta revocation list of CA" => {
            "A CA publishes delta lists where `revocation.crl.delta` is enabled; the full list is /pki/{ca}/crl."
        }
        "revocation list of CA" => {
            "A CA publishes lists where it has a key of ours and `revocation.crl.enabled` is not off."
        }
        _ => "Check the name or id; lists show what there is.",
    }
}

/// The problem of a request whose body names things: where a name means nothing, with its place, by the kind of the thing.
pub(crate) fn in_body(places: &'static [(&'static str, &'static str)]) -> impl Fn(Error) -> Problem {
    move |error| {
        let place = match &error {
            Error::NotFound { kind, .. } => places.iter().find(|(known, _)| known == kind),
            _ => None,
        };
        let problem = Problem::from(error);
        match place {
            Some((_, pointer)) => problem.at(*pointer),
            None => problem,
        }
    }
}

/// A broken rule, as it stands in a problem document.
pub(crate) fn refusal(violation: Violation) -> wire::ProblemError {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    wire::ProblemError {
        pointer: violation.pointer,
        code: violation.code.to_owned(),
        rule: Some(violation.rule.to_owned()),
        owner: given(violation.owner),
        limit: given(violation.limit),
        value: given(violation.value),
        allowed: given(violation.allowed),
        hint: violation.hint,
        detail: violation.detail,
    }
}

impl Problem {
    /// `If-Match` names another tag than the one that the resource has now.
    pub(crate) fn precondition_failed(current: &Tag) -> Self {
        let detail = format!("The resource was changed; its ETag is now {}.", current.as_str());
        let hint = "Read it again, apply your change to what you find, and send the new ETag in `If-Match`.";
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail, hint).header(ETAG, etag(current))
    }

    /// `If-Match` is missing.
    pub(crate) fn precondition_required(current: &Tag) -> Self {
        let hint = format!("Read the resource and send its ETag: `If-Match: {}`.", current.as_str());
        let detail = "This change needs `If-Match`, so that it does not undo someone else's.";
        Self::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", detail, hint).header(ETAG, etag(current))
    }
}

fn etag(tag: &Tag) -> HeaderValue {
    // Quotes, digits and a dash are always a valid header value.
    HeaderValue::from_str(tag.as_str()).unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::RETRY_AFTER;
    use certwright_app::Pointed;
    use certwright_domain::violation::Invalid;

    fn violation(code: &'static str) -> Violation {
        Violation {
            code,
            rule: "leafMaxValidity",
            owner: "CA issuing-1".into(),
            pointer: "/validity/notAfter".into(),
            limit: "P90D".into(),
            value: "P91D".into(),
            allowed: String::new(),
            detail: format!("Sentence of {code}."),
            hint: "Ask for less.".into(),
        }
    }

    #[test]
    fn every_error_has_its_problem() {
        let invalid = || Invalid::new("invalid_name", "`a b` is not a name.", "Use letters.");
        let table: Vec<(Error, u16, &str, bool, Option<&str>)> = vec![
            (Error::Unauthenticated { detail: "No.".into() }, 401, "unauthenticated", false, Some("www-authenticate")),
            (
                Error::Forbidden { permission: "keys:manage", place: "tenancy".into(), lack: Lack::Statement },
                403,
                "forbidden",
                false,
                None,
            ),
            (Error::not_found("vault", "x"), 404, "not_found", false, None),
            (Error::invalid("/name", invalid()), 400, "invalid_name", false, None),
            (
                Error::Invalid(vec![
                    Pointed::at("/name", invalid()),
                    Pointed::at("/length", Invalid::new("invalid_key_length", "No.", "Yes.")),
                ]),
                400,
                "invalid_request",
                false,
                None,
            ),
            (Error::Rejected(vec![violation("lifetime_too_long")]), 422, "lifetime_too_long", false, None),
            (Error::Rejected(vec![violation("a"), violation("b")]), 422, "rejected", false, None),
            (Error::conflict("name_taken", "Taken.", "Choose another."), 409, "name_taken", false, None),
            (
                Error::conflict("idempotency_in_flight", "Wait.", "Wait."),
                409,
                "idempotency_in_flight",
                true,
                Some("retry-after"),
            ),
            (Error::PreconditionFailed { current: 4 }, 412, "precondition_failed", false, Some("etag")),
            (Error::PreconditionRequired { current: 4 }, 428, "precondition_required", false, Some("etag")),
            (
                Error::Unavailable { detail: "db".into(), retry_after_s: 2 },
                503,
                "unavailable",
                true,
                Some("retry-after"),
            ),
            (Error::Internal("secret detail".into()), 500, "internal", false, None),
        ];
        for (error, status, code, retryable, header) in table {
            let problem = Problem::from(error);
            let document = problem.document();
            assert_eq!((document.status, document.code.as_str()), (status, code));
            assert_eq!(document.kind, format!("urn:certwright:problem:{code}"));
            assert_eq!(document.retryable, retryable, "{code}");
            assert!(!document.title.is_empty() && !document.detail.is_empty() && !document.hint.is_empty(), "{code}");
            assert_eq!(problem.headers().first().map(|(name, _)| name.as_str()), header, "{code}");
        }
    }

    #[test]
    fn what_is_missing_is_said_so_that_it_can_be_added() {
        use certwright_domain::policy::{Narrowing, Statement};
        for place in ["tenancy", "compartment prod:web", "compartment id compartment_01JD8XK4M2W7Z3T5V9YQ6B1C0D"] {
            let document = |lack| {
                let permission = "certificate-authority-delegates:use";
                Problem::from(Error::Forbidden { permission, place: place.to_owned(), lack }).document().clone()
            };
            let quoted = |hint: &str| hint.split('`').nth(1).unwrap_or_default().to_owned();
            for lack in [Lack::Statement, Lack::Names] {
                let hint = document(lack).hint;
                assert!(Statement::parse(&quoted(&hint)).is_ok(), "{hint}");
            }
            assert!(document(Lack::Names).detail.ends_with("for these names with this profile."));
            let scope = document(Lack::Scope);
            assert!(Narrowing::parse(&quoted(&scope.hint)).is_ok(), "{}", scope.hint);
            assert!(scope.detail.contains("the scopes of this token"), "{}", scope.detail);
        }
    }

    #[test]
    fn a_name_in_the_body_that_means_nothing_has_its_place() {
        let problem = in_body(&[("profile", "/profile")]);
        assert_eq!(problem(Error::not_found("profile", "x")).document().errors[0].pointer, "/profile");
        assert!(problem(Error::not_found("CA", "x")).document().errors.is_empty());
        assert_eq!(problem(Error::conflict("a", "b", "c")).document().status, 409);
    }

    #[test]
    fn unknown_errors_are_bare() {
        for error in [
            Error::Internal("sqlite: /secret/path".into()),
            Error::Unavailable { detail: "/secret/path".into(), retry_after_s: 7 },
        ] {
            let problem = Problem::from(error);
            assert!(!serde_json::to_string(problem.document()).unwrap().contains("secret"));
            assert!(problem.cause().unwrap().contains("secret"));
        }
        let problem = Problem::from(Error::Unavailable { detail: String::new(), retry_after_s: 7 });
        assert_eq!(problem.headers(), [(RETRY_AFTER, HeaderValue::from(7))]);
    }

    #[test]
    fn a_refusal_lists_every_rule() {
        let problem = Problem::from(Error::Rejected(vec![violation("a"), violation("b")]));
        let document = problem.document();
        assert_eq!(document.detail, "Sentence of a. Sentence of b.");
        assert_eq!(document.errors.len(), 2);
        let json = serde_json::to_value(&document.errors[0]).unwrap();
        assert_eq!(json["rule"], "leafMaxValidity");
        assert_eq!(json["limit"], "P90D");
        assert_eq!(json["pointer"], "/validity/notAfter");
        assert!(json.get("allowed").is_none());
        assert_eq!(problem.refused_by().count(), 2);
    }
}
