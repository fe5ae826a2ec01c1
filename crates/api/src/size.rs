//! How large a body may be. A refusal says how large this one is, as far as that is known, what is taken, and which setting
//! says so.

use crate::problem::Problem;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header::CONTENT_LENGTH};
use axum::middleware::Next;
use axum::response::IntoResponse;
use certwright_wire as wire;
use http_body_util::Limited;

/// A limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit {
    bytes: usize,
    /// The setting that says so; `None`: it is fixed.
    setting: Option<&'static str>,
}

impl BodyLimit {
    /// The one of this setting.
    pub(crate) const fn set_by(setting: &'static str, bytes: usize) -> Self {
        Self { bytes, setting: Some(setting) }
    }

    /// One that is always the same.
    pub(crate) const fn fixed(bytes: usize) -> Self {
        Self { bytes, setting: None }
    }

    /// The refusal of a body of so many bytes; `None`: of too many.
    pub(crate) fn refusal(self, announced: Option<u64>) -> Problem {
        let Self { bytes, setting } = self;
        let said = setting.map(|setting| format!(" (`{setting}`)")).unwrap_or_default();
        let detail = match announced {
            Some(size) => format!("The body has {size} bytes; at most {bytes} are taken here{said}."),
            None => format!("The body has more than the {bytes} bytes that are taken here{said}."),
        };
        let hint = match setting {
            Some(setting) => format!("Send at most {bytes} bytes, or have whoever runs the server raise `{setting}`."),
            None => format!("Send at most {bytes} bytes."),
        };
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail, hint).with(wire::ProblemError {
            limit: Some(format!("{bytes} bytes")),
            value: announced.map(|size| format!("{size} bytes")),
            allowed: Some(format!("up to {bytes} bytes")),
            ..wire::ProblemError::default()
        })
    }
}

/// Takes no body that is larger. What is announced is refused before a byte is read.
pub(crate) async fn within(State(limit): State<BodyLimit>, request: Request, next: Next) -> Response<Body> {
    let announced = announced(request.headers()).or_else(|| request.body().size_hint().exact());
    if announced.is_some_and(|size| size > limit.bytes as u64) {
        return limit.refusal(announced).into_response();
    }
    let mut response = next.run(request.map(|body| Body::new(Limited::new(body, limit.bytes)))).await;
    // Whoever read it knows that it was too large, and not for whom.
    if let Some(problem) = response.extensions_mut().get_mut::<Problem>().filter(|problem| problem.is_bare(BARE)) {
        *problem = limit.refusal(None);
    }
    response
}

/// The status of a refusal that does not say more yet.
const BARE: StatusCode = StatusCode::PAYLOAD_TOO_LARGE;

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_how_much_is_taken() {
        let problem = BodyLimit::set_by("limits.body", 1024).refusal(Some(1025));
        let document = problem.document();
        assert_eq!(document.detail, "The body has 1025 bytes; at most 1024 are taken here (`limits.body`).");
        assert!(document.hint.contains("raise `limits.body`"), "{}", document.hint);
        assert_eq!(document.errors[0].value.as_deref(), Some("1025 bytes"));
        let problem = BodyLimit::fixed(9).refusal(None);
        assert_eq!(problem.document().detail, "The body has more than the 9 bytes that are taken here.");
        assert_eq!(problem.document().errors[0].limit.as_deref(), Some("9 bytes"));
    }
}
