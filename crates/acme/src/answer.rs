//! Answers: problem documents (RFC 8555 section 6.7), nonces, links, CORS.

use crate::Door;
use crate::jws::ALGORITHMS;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE,
    HeaderName, HeaderValue, LINK, LOCATION, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;
use certwright_app::{AcmeError, Problem, ProblemKind, Subproblem};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What error types begin with.
const URN: &str = "urn:ietf:params:acme:error:";
/// A nonce, in answers.
pub(crate) const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");
/// Longest wait for a body: nobody is known before it is there.
const BODY_TIME: Duration = Duration::from_secs(5);
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Id of the request, in its extensions.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Around everything: ids, the bound on what is in flight, nonce, index link, CORS.
pub(crate) async fn edge(State(door): State<Door>, mut request: Request, next: Next) -> Response<Body> {
    let id: Arc<str> = (door.settings().request_ids)().into();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut segments = path.split('/').skip(2);
    let directory = segments.next().unwrap_or_default().to_owned();
    let to_directory = segments.eq(["directory"]);
    // Whoever stands before the door says no: it is told as the door tells it.
    let turned_away = request.extensions_mut().remove::<Problem>();
    let mut response = match turned_away {
        Some(problem) => Refused::from(problem).into_response(),
        None => admitted(&door, request, next).await.unwrap_or_else(bare),
    };
    settle(&door, &directory, &id, &mut response);
    let status = response.status();
    let fresh = method == Method::POST || (path.ends_with("/new-nonce") && status.is_success());
    let headers = response.headers_mut();
    if fresh && method != Method::OPTIONS {
        match door.app().new_acme_nonce().await {
            Ok(nonce) => set(headers, REPLAY_NONCE, &nonce),
            Err(error) => tracing::error!(request_id = &*id, ?error, "no nonce could be made"),
        }
    }
    let base = door.settings().acme.base(&directory);
    // A refusal in the directory's place is none, and must not outlive its cause.
    let shown = to_directory && status == StatusCode::OK;
    if !shown {
        append(headers, LINK, &format!("<{base}/directory>;rel=\"index\""));
    }
    let cached = if shown && method != Method::POST { "public, max-age=60" } else { "no-store" };
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(cached));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers
        .insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Link, Replay-Nonce, Location, Retry-After"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set(headers, X_REQUEST_ID, &id);
    metrics::counter!("certwright_acme_requests_total", "status" => status.as_u16().to_string()).increment(1);
    response
}

/// A place is for work: a request takes one when its body is there, and bodies have as many of their own.
async fn admitted(door: &Door, mut request: Request, next: Next) -> Result<Response<Body>, StatusCode> {
    let full = |_| StatusCode::SERVICE_UNAVAILABLE;
    if !request.body().is_end_stream() {
        let _waiting = door.inner.bodies.try_acquire().map_err(full)?;
        let body = std::mem::take(request.body_mut());
        let reading = Limited::new(body, door.settings().body_limit).collect();
        let read = tokio::time::timeout(BODY_TIME, reading).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
        let unreadable = |error: axum::BoxError| match error.is::<LengthLimitError>() {
            true => StatusCode::PAYLOAD_TOO_LARGE,
            false => StatusCode::BAD_REQUEST,
        };
        *request.body_mut() = read.map_err(unreadable)?.to_bytes().into();
    }
    let _place = door.inner.in_flight.try_acquire().map_err(full)?;
    Ok(next.run(request).await)
}

/// What a handler left, or what a library says in its own words, becomes a problem document.
fn settle(door: &Door, directory: &str, id: &str, response: &mut Response<Body>) {
    let failed = response.extensions_mut().remove::<Arc<AcmeError>>();
    let status = response.status();
    let problem = match failed.as_deref() {
        Some(AcmeError::Problem(problem)) => (**problem).clone(),
        Some(AcmeError::Internal(error)) => {
            tracing::error!(request_id = id, %error, "an ACME request failed");
            Problem::new(ProblemKind::ServerInternal, "The request failed for a reason of ours; the log has it.")
        }
        None if status.is_client_error() || status.is_server_error() => of_status(status),
        None => return,
    };
    let base = door.settings().acme.base(directory);
    *response.body_mut() = Body::from(document(&problem).to_string());
    *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.retry_after_s {
        set(headers, RETRY_AFTER, &seconds.to_string());
    }
    if let Some(account) = &problem.account {
        set(headers, LOCATION, &format!("{base}/account/{account}"));
    }
    if problem.kind == ProblemKind::RateLimited {
        append(headers, LINK, &format!("<{base}/directory>;rel=\"help\""));
    }
}

fn of_status(status: StatusCode) -> Problem {
    let problem = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let detail = "This is not asked for with this method; the header `Allow` lists those that are.";
            Problem::new(ProblemKind::Malformed, detail)
        }
        StatusCode::REQUEST_TIMEOUT => {
            let detail = format!("The body was not there after {} seconds; send it at once.", BODY_TIME.as_secs());
            Problem::new(ProblemKind::Malformed, detail)
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemKind::Malformed, "The body is too large."),
        StatusCode::NOT_FOUND => Problem::new(ProblemKind::Malformed, "There is nothing here."),
        StatusCode::SERVICE_UNAVAILABLE => {
            let problem = Problem::new(ProblemKind::ServerInternal, "Not now; please ask again.");
            Problem { retry_after_s: Some(2), ..problem }
        }
        other if other.is_server_error() => Problem::new(ProblemKind::ServerInternal, "The request failed."),
        _ => Problem::new(ProblemKind::Malformed, "The request cannot be read."),
    };
    problem.with_status(status.as_u16())
}

/// A problem document. What is empty is absent, never null.
fn document(problem: &Problem) -> Value {
    let mut document = json!({
        "type": format!("{URN}{}", problem.kind.as_str()),
        "detail": problem.detail,
        "status": problem.status,
    });
    let Some(members) = document.as_object_mut() else { return document };
    if problem.kind == ProblemKind::BadSignatureAlgorithm {
        members.insert("algorithms".to_owned(), ALGORITHMS.iter().map(|it| it.as_str()).collect());
    }
    if !problem.subproblems.is_empty() {
        members.insert("subproblems".to_owned(), problem.subproblems.iter().map(subproblem).collect());
    }
    document
}

fn subproblem(one: &Subproblem) -> Value {
    let (kind, value) = &one.identifier;
    json!({
        "type": format!("{URN}{}", one.kind.as_str()),
        "detail": one.detail,
        "identifier": {"type": kind, "value": value},
    })
}

/// The error of an order or a challenge.
pub(crate) fn error(kind: &str, detail: &str, status: u16) -> Value {
    json!({"type": format!("{URN}{kind}"), "detail": detail, "status": status})
}

/// A status alone; the edge writes the rest.
pub(crate) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// JSON.
pub(crate) fn json_body(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = bare(status);
    *response.body_mut() = Body::from(value.to_string());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What a handler answers.
pub(crate) type Answer = Result<Response<Body>, Refused>;

/// A refusal on its way out.
pub(crate) struct Refused(AcmeError);

impl<E: Into<AcmeError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let mut response = bare(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}

/// The answer where there is no resource.
pub(crate) async fn no_such_resource(request: Request) -> Response<Body> {
    match *request.method() {
        Method::OPTIONS => preflight(),
        _ => bare(StatusCode::NOT_FOUND),
    }
}

/// The answer to a method that a resource does not have.
pub(crate) fn no_such_method(request: &Request, allow: &'static str) -> Response<Body> {
    if request.method() == Method::OPTIONS {
        return preflight();
    }
    let mut response = bare(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// CORS: browsers may be ACME clients (RFC 8555 section 6.1).
pub(crate) fn preflight() -> Response<Body> {
    let mut response = bare(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

pub(crate) fn set(headers: &mut axum::http::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

pub(crate) fn append(headers: &mut axum::http::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.append(name, value);
    }
}
