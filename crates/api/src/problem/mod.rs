//! Problem documents (RFC 9457): made anywhere, written out by the edge, which knows the request's id.

mod from_app;

pub(crate) use from_app::{in_body, refusal};

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use certwright_app::ProblemKind;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use std::any::Any;

/// What went wrong. Travels in the response's extensions until the edge writes it out.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    status: StatusCode,
    document: wire::Problem,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log alone.
    cause: Option<String>,
}

impl Problem {
    /// A problem with a status, a code, a sentence and what to do about it.
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        let document = wire::Problem {
            kind: format!("urn:certwright:problem:{code}"),
            title: title(status).to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            hint: hint.into(),
            request_id: String::new(),
            retryable: matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE),
            errors: Vec::new(),
            rules: None,
        };
        Self(Box::new(Parts { status, document, headers: Vec::new(), cause: None }))
    }

    /// One value that does not parse (400).
    pub(crate) fn invalid(pointer: impl Into<String>, invalid: Invalid) -> Self {
        Self::malformed(vec![fault(pointer.into(), invalid)])
    }

    /// Values that do not parse (400); all of them.
    pub(crate) fn malformed(errors: Vec<wire::ProblemError>) -> Self {
        Self::several(StatusCode::BAD_REQUEST, "invalid_request", errors)
    }

    /// Several faults under one status: code and hint are the faults' own where they agree.
    fn several(status: StatusCode, general: &str, errors: Vec<wire::ProblemError>) -> Self {
        let mut sentences: Vec<&str> = Vec::new();
        for error in &errors {
            if !sentences.contains(&error.detail.as_str()) {
                sentences.push(&error.detail);
            }
        }
        let detail = sentences.join(" ");
        let first = errors.first();
        let same = first.filter(|first| errors.iter().all(|error| error.code == first.code));
        let code = same.map_or(general, |first| first.code.as_str()).to_owned();
        let hint = errors.iter().map(|error| error.hint.as_str()).find(|hint| !hint.is_empty());
        let hint = hint.unwrap_or("The requests stand in /openapi.yaml.").to_owned();
        let mut problem = Self::new(status, &code, detail, hint);
        problem.0.document.errors = errors;
        problem
    }

    /// Our fault (500): the cause goes to the log, never to the caller.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on the server.",
            "Give the request id to whoever runs the server; the log has the details.",
        );
        problem.0.cause = Some(cause.into());
        problem
    }

    /// For an answer of a library that carries a status and nothing that we want to show.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, detail, hint) = match status {
            StatusCode::NOT_FOUND => ("not_found", "There is nothing here.", "The paths stand in /openapi.yaml."),
            StatusCode::METHOD_NOT_ALLOWED => (
                "method_not_allowed",
                "This path does not know the method.",
                "The header `Allow` lists those it knows.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("body_too_large", "The body is larger than the server takes.", "Send less.")
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                let problem = Self::new(
                    status,
                    "timeout",
                    "The request took longer than the server allows.",
                    "Repeat it later; with an Idempotency-Key nothing is made twice.",
                );
                return problem.retry_after(5);
            }
            status if status.is_server_error() => return Self::internal(format!("a library answered {status}")),
            _ => ("bad_request", "The server did not understand the request.", "The requests stand in /openapi.yaml."),
        };
        Self::new(status, code, detail, hint)
    }

    /// With `Retry-After`, in seconds.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.0.document.retryable = true;
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// With a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// With another value for a header.
    pub(crate) fn replace_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.retain(|(known, _)| *known != name);
        self.header(name, value)
    }

    /// The same for an ACME client that asks too much (RFC 8555 section 6.6): the ACME door writes it out.
    pub(crate) fn rate_limited_acme(self) -> certwright_app::Problem {
        let wait = self.0.headers.iter().find(|(name, _)| *name == RETRY_AFTER);
        let retry_after_s = wait.and_then(|(_, seconds)| seconds.to_str().ok()?.parse().ok());
        let problem = certwright_app::Problem::new(ProblemKind::RateLimited, self.0.document.detail);
        certwright_app::Problem { retry_after_s, ..problem }
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// With one fault that says what would be accepted.
    pub(crate) fn allowing(self, allowed: impl Into<String>) -> Self {
        self.with(wire::ProblemError { allowed: Some(allowed.into()), ..wire::ProblemError::default() })
    }

    /// With the place in the body that it is about.
    pub(crate) fn at(self, pointer: impl Into<String>) -> Self {
        self.with(wire::ProblemError { pointer: pointer.into(), ..wire::ProblemError::default() })
    }

    /// With one fault, in the words of the whole.
    pub(crate) fn with(mut self, fault: wire::ProblemError) -> Self {
        let document = &mut self.0.document;
        let (code, detail, hint) = (document.code.clone(), document.detail.clone(), document.hint.clone());
        document.errors.push(wire::ProblemError { code, detail, hint, ..fault });
        self
    }

    /// With other words about what to do.
    pub(crate) fn hinting(mut self, hint: impl Into<String>) -> Self {
        self.0.document.hint = hint.into();
        self
    }

    /// Has it this status, and nothing but what is said of every such one?
    pub(crate) fn is_bare(&self, status: StatusCode) -> bool {
        self.0.status == status && self.0.document.errors.is_empty()
    }

    /// With the verdict of every rule, for trials.
    pub(crate) fn with_rules(mut self, rules: Vec<wire::RuleVerdict>) -> Self {
        self.0.document.rules = Some(rules);
        self
    }

    /// What the log should know and the caller should not.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The rules that refused, for counting.
    pub(crate) fn refused_by(&self) -> impl Iterator<Item = &str> {
        self.0.document.errors.iter().filter_map(|error| error.rule.as_deref())
    }

    /// Writes the document into `response`, which keeps its headers.
    pub(crate) fn write(mut self, response: &mut Response<Body>, request_id: &str) {
        request_id.clone_into(&mut self.0.document.request_id);
        // A document of texts and numbers always serializes; an empty body would still carry the status.
        let body = serde_json::to_vec(&self.0.document).unwrap_or_default();
        *response.status_mut() = self.0.status;
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        headers.remove(axum::http::header::CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.0.headers);
    }

    #[cfg(test)]
    pub(crate) fn document(&self) -> &wire::Problem {
        &self.0.document
    }

    #[cfg(test)]
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A fault of one value, as it stands in a problem document.
pub(crate) fn fault(pointer: String, invalid: Invalid) -> wire::ProblemError {
    wire::ProblemError {
        pointer,
        code: invalid.code.to_owned(),
        hint: invalid.hint,
        detail: invalid.detail,
        ..wire::ProblemError::default()
    }
}

/// A panic of a handler: a bare 500, the message goes to the log.
#[expect(clippy::needless_pass_by_value, reason = "the signature is the library's")]
pub(crate) fn from_panic(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
    Problem::internal(format!("panic: {text}")).into_response()
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "The request is malformed",
        StatusCode::UNAUTHORIZED => "Authentication is needed",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "Method not allowed",
        StatusCode::NOT_ACCEPTABLE => "No such format",
        StatusCode::REQUEST_TIMEOUT => "The request did not come in time",
        StatusCode::CONFLICT => "The state does not allow it",
        StatusCode::PRECONDITION_FAILED => "Changed meanwhile",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is too large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "Wrong content type",
        StatusCode::UNPROCESSABLE_ENTITY => "A rule refused the request",
        StatusCode::PRECONDITION_REQUIRED => "If-Match is required",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "Not available now",
        status if status.is_server_error() => "Internal error",
        _ => "The request failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_bare_500() {
        for panic in [Box::new("secret") as Box<dyn Any + Send>, Box::new("secret".to_owned()), Box::new(7)] {
            let mut response = from_panic(panic);
            let problem = response.extensions_mut().remove::<Problem>().unwrap();
            assert_eq!(problem.document().status, 500);
            assert!(problem.cause().unwrap().starts_with("panic: "));
            assert!(!serde_json::to_string(problem.document()).unwrap().contains("secret"));
        }
    }

    #[test]
    fn bare_statuses_become_problems() {
        let table = [
            (404, "not_found"),
            (405, "method_not_allowed"),
            (413, "body_too_large"),
            (503, "timeout"),
            (502, "internal"),
            (418, "bad_request"),
        ];
        for (status, code) in table {
            let problem = Problem::of_status(StatusCode::from_u16(status).unwrap());
            assert_eq!(problem.document().code, code);
            assert!(!problem.document().hint.is_empty());
        }
    }

    #[tokio::test]
    async fn the_document_takes_the_place_of_the_body() {
        let mut response = (StatusCode::NOT_FOUND, [("allow", "GET")], "plain text").into_response();
        Problem::of_status(StatusCode::METHOD_NOT_ALLOWED).write(&mut response, "id-1");
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["allow"], "GET");
        assert!(!response.headers().contains_key("content-length"));
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let document: wire::Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!((document.request_id.as_str(), document.code.as_str()), ("id-1", "method_not_allowed"));
    }
}
