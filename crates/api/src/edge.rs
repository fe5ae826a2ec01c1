//! The outermost layer: ids, suspicious paths, the bound on everything in flight, problem documents, metrics.

use crate::Api;
use crate::leftover;
use crate::problem::Problem;
use crate::room::Seat;
use crate::routes::ocsp::path_request;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;
use metrics::SharedString;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Span;

/// Header of the request's id.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header of the caller's trace (W3C Trace Context).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is open to all, and has a room of its own.
pub(crate) const PKI: &str = "/pki/";

/// Id of the request, in its extensions.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Around everything else.
pub(crate) async fn edge(State(api): State<Api>, mut request: Request, next: Next) -> Response<Body> {
    let started = Instant::now();
    let id = request_id(&api, request.headers());
    let trace = traceparent(request.headers()).cloned();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let private = request.uri().path().starts_with("/v1/");
    let leftover = match request.body().is_end_stream() {
        true => None,
        false => {
            let (body, leftover) = leftover::share(std::mem::take(request.body_mut()));
            *request.body_mut() = body;
            Some(leftover)
        }
    };
    let mut response = match admit(&api, &request) {
        Ok(seat) => {
            let seat = seat.map(Arc::new);
            if let Some(seat) = &seat {
                // For whoever must wait for the body.
                request.extensions_mut().insert(Arc::clone(seat));
            }
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    if write_problem(&mut response, &id)
        && let Some(leftover) = leftover
    {
        leftover.drain().await;
    }
    let headers = response.headers_mut();
    mark(headers, &id, trace.as_ref());
    if private {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    count(
        method.as_str().to_owned().into(),
        route.map_or("unmatched".into(), |route| route.as_str().to_owned().into()),
        response.status(),
        started.elapsed(),
    );
    response
}

/// Puts the headers on that every response has.
pub(crate) fn mark(headers: &mut HeaderMap, id: &str, trace: Option<&HeaderValue>) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(X_REQUEST_ID, value);
    }
    if let Some(trace) = trace {
        headers.insert(TRACEPARENT, trace.clone());
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Writes out and reports the problem that the response stands for; was there one?
pub(crate) fn write_problem(response: &mut Response<Body>, id: &str) -> bool {
    let Some(problem) = problem_of(response) else { return false };
    report(&problem, id);
    problem.write(response, id);
    true
}

/// The span of a request; everything logged below carries its id.
pub(crate) fn span<B>(request: &axum::http::Request<B>) -> Span {
    let id = request.extensions().get::<RequestId>().map_or("", |id| &id.0);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    span_of(id, request.method(), route, request.headers())
}

/// The same where no layer has read the request.
pub(crate) fn span_of(id: &str, method: &Method, route: &str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!("http", request_id = id, method = %method, route, trace = tracing::field::Empty);
    if let Some(trace) = traceparent(headers) {
        span.record("trace", trace.to_str().unwrap_or_default());
    }
    span
}

/// One line per answer, at debug only.
pub(crate) fn log_response<B>(response: &Response<B>, latency: Duration, _: &Span) {
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(status = response.status().as_u16(), latency_us, "answered");
}

/// May the request come in at all?
fn admit(api: &Api, request: &Request) -> Result<Option<Seat>, Problem> {
    let path = request.uri().path();
    if is_trick(path) {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_path",
            "The path has an empty or dotted segment, a backslash, or an escaped slash, backslash, dot or NUL.",
            "Write the path plainly, as it stands in /openapi.yaml.",
        ));
    }
    if matches!(path, "/healthz" | "/readyz") {
        return Ok(None);
    }
    let room = if path.starts_with(PKI) { &api.inner.pki_room } else { &api.inner.room };
    room.sit().map(Some)
}

/// Paths that proxies and servers may read differently.
fn is_trick(path: &str) -> bool {
    // Base64 may hold anything.
    let path = path_request(path).and_then(|request| path.strip_suffix(request)).unwrap_or(path);
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if (segment.is_empty() && !last) || matches!(segment, "." | "..") {
            return true;
        }
    }
    let bytes = path.as_bytes();
    bytes.contains(&b'\\')
        || bytes.windows(3).any(|w| {
            matches!(w, [b'%', b'2', b'f' | b'F' | b'e' | b'E'] | [b'%', b'5', b'c' | b'C'] | [b'%', b'0', b'0'])
        })
}

/// The problem that a response stands for: ours, or one for a bare status of a library.
fn problem_of(response: &mut Response<Body>) -> Option<Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    let status = response.status();
    (status.is_client_error() || status.is_server_error()).then(|| {
        response.headers_mut().remove(CONTENT_TYPE);
        Problem::of_status(status)
    })
}

/// What the caller is not told goes to the log, once; refusals are counted by rule.
fn report(problem: &Problem, id: &str) {
    if let Some(cause) = problem.cause() {
        tracing::error!(request_id = id, cause, "request failed");
    }
    for rule in problem.refused_by() {
        metrics::counter!("certwright_refusals_total", "rule" => rule.to_owned()).increment(1);
    }
}

/// Counts a request and the time that it took.
pub(crate) fn count(method: SharedString, route: SharedString, status: StatusCode, elapsed: Duration) {
    metrics::histogram!("certwright_http_request_duration_seconds", "method" => method.clone(), "route" => route.clone())
        .record(elapsed.as_secs_f64());
    let status = match status {
        StatusCode::OK => "200".into(),
        other => SharedString::from(other.as_str().to_owned()),
    };
    metrics::counter!("certwright_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
}

/// The caller's id of the request, or a new one.
pub(crate) fn request_id(api: &Api, headers: &HeaderMap) -> Arc<str> {
    let fine = |text: &&str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    match headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(fine) {
        Some(given) => Arc::from(given),
        None => Arc::from((api.inner.settings.request_ids)()),
    }
}

/// The caller's trace, if it is one.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(TRACEPARENT).filter(|value| is_traceparent(value))
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zero (W3C Trace Context section 3.2).
fn is_traceparent(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let nonzero = |text: &str| text.bytes().any(|b| b != b'0');
    match parts.as_slice() {
        ["00", trace, parent, flags] => {
            hex(trace, 32) && hex(parent, 16) && hex(flags, 2) && nonzero(trace) && nonzero(parent)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricky_paths_are_seen() {
        for path in [
            "//v1",
            "/v1//vaults",
            "/v1/./vaults",
            "/v1/../x",
            "/v1/a%2fb",
            "/v1/a%2Fb",
            "/v1/%2e%2e/x",
            "/v1/a\\b",
            "/v1/%00",
        ] {
            assert!(is_trick(path), "{path}");
        }
        for path in ["/", "/v1/vaults", "/v1/vaults/", "/v1/issued-certificates/0A%3A0B", "/pki/a.b/ca.crt"] {
            assert!(!is_trick(path), "{path}");
        }
    }

    #[test]
    fn trace_parents_are_checked() {
        let is = |text: &str| is_traceparent(&HeaderValue::from_str(text).unwrap());
        assert!(is("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!is("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
        assert!(!is("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
        assert!(!is("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!is("x"));
    }
}
