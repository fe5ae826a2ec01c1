//! Around every route that is not open to all: who calls, how many of their calls run, and idempotency keys.

use crate::Api;
use crate::edge::{PKI, RequestId};
use crate::extract::read_body;
use crate::places::Place;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION,
    VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;
use certwright_app::{
    App, Call, Caller, ClientCertificate, Door, IdempotencyStart, Needs, Operation, StoredResponse, TakenKey, sha256,
};
use certwright_domain::identity::MAX_TOKEN;
use certwright_domain::rate::client_of;
use certwright_domain::secret::SecretBytes;
use certwright_domain::serial::Sha256;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tracing::Instrument;

/// Header of an idempotency key.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Header that marks a repeated answer.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Headers that belong to an answer and are repeated with it.
const KEPT: [HeaderName; 6] = [CONTENT_TYPE, LOCATION, ETAG, CACHE_CONTROL, CONTENT_DISPOSITION, VARY];

/// Who calls, in the request's extensions.
#[derive(Clone)]
pub(crate) struct Access {
    caller: Arc<Caller>,
    request_id: Arc<str>,
    operation: &'static Operation,
    address: Option<IpAddr>,
}

impl Access {
    /// The call as the use cases want it.
    pub(crate) fn call(&self, dry_run: bool) -> Call {
        let call = Call::new((*self.caller).clone(), self.request_id.to_string());
        Call { dry_run, operation: Some(self.operation), address: self.address, ..call }
    }
}

/// Authenticates before the body is read, then runs the handler, once per idempotency key.
pub(crate) async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response<Body> {
    // Deny by default: the table was held against the router at the start, and here it is asked again.
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let operation = api.inner.table.find(request.method(), route).unwrap_or(&Operation::NONE);
    match admit(&api, operation, request.headers(), request.extensions()).await {
        Err(problem) => problem.into_response(),
        Ok((access, place)) => {
            request.extensions_mut().insert(access.clone());
            match key_of(&request) {
                Ok(None) => {
                    let response = next.run(request).await;
                    drop(place);
                    response
                }
                Ok(Some(key)) => {
                    once(&api.inner.app, access, key, place, request, next).await.unwrap_or_else(Problem::into_response)
                }
                Err(problem) => problem.into_response(),
            }
        }
    }
}

/// Before everything else under `/v1` and `/acme`, also where nobody needs to be known: how often may this address ask, and
/// how much at a time? So a flood of wrong credentials costs others nothing. Issuers, lists and OCSP are for everybody: they
/// may be asked for as often as one likes, and apart from the rest so many at a time. Health is not counted.
pub(crate) async fn by_address(State(api): State<Api>, mut request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path();
    let (open, acme) = (path.starts_with(PKI), path.starts_with("/acme/"));
    let counted = open || acme || path.starts_with("/v1/");
    let Some(address) = peer(request.extensions()).filter(|_| counted).map(client_of) else {
        return next.run(request).await;
    };
    let (taken, places) = match open {
        true => (Ok(()), &api.inner.pki_addresses),
        false => (api.inner.address_rates.take(address, api.inner.app.now()), &api.inner.addresses),
    };
    let place = taken.and_then(|()| places.enter(address).ok_or_else(|| busy_address(&api)));
    match place {
        Ok(place) => {
            let response = next.run(request).await;
            drop(place);
            response
        }
        Err(problem) if acme => {
            // Its edge says so, with all that its answers have.
            request.extensions_mut().insert(problem.rate_limited_acme());
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn busy_address(api: &Api) -> Problem {
    metrics::counter!("certwright_rate_limited_total", "party" => "address").increment(1);
    let most = api.inner.settings.max_per_address;
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        format!("From your address {most} requests are in flight, more are not taken (limits.requests_per_address)."),
        "Wait for answers, then repeat the request after the time in `Retry-After`.",
    )
    .retry_after(1)
}

async fn admit(
    api: &Api,
    operation: &'static Operation,
    headers: &HeaderMap,
    extensions: &axum::http::Extensions,
) -> Result<(Access, Place<String>), Problem> {
    let app = &api.inner.app;
    let fitting = |problem: Problem| fitting(problem, operation.needs);
    // An enrolment token opens its own door and no other, and nothing else opens that one; so does a certificate.
    let (door, caller) = match operation.needs {
        Needs::Certificate => {
            let certificate = shown(headers, extensions).map_err(fitting)?;
            (Door::Certificate, app.authenticate_certificate(certificate).await)
        }
        Needs::Enrollment => {
            let token = bearer(headers).map_err(fitting)?;
            (Door::Enrollment, app.authenticate_enrollment(token).await)
        }
        Needs::Nothing | Needs::Caller | Needs::Permissions(_) => {
            let certificate = extensions.get::<ClientCertificate>().map(|ClientCertificate(it)| it);
            match certificate.filter(|_| !headers.contains_key(AUTHORIZATION)) {
                // Whoever sends a token means the token.
                Some(certificate) => (Door::Certificate, app.authenticate_trusted(certificate).await),
                None => {
                    let bearer = bearer(headers)?;
                    // Tokens of ours have no dot.
                    let door = if bearer.contains('.') { Door::Jwt } else { Door::Token };
                    (door, app.authenticate_with(bearer, certificate).await)
                }
            }
        }
    };
    let caller = caller.map_err(|error| {
        let id = extensions.get::<RequestId>().map_or("", |id| &*id.0);
        turned_away(&api.inner.app, fitting(Problem::from(error)), (peer(extensions), id, door))
    })?;
    api.inner.caller_rates.take(caller.id(), api.inner.app.now())?;
    let place = api.inner.callers.enter(caller.id()).ok_or_else(|| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            format!("You have {} requests in flight, more are not taken.", api.inner.settings.max_per_caller),
            "Wait for answers, then repeat the request after the time in `Retry-After`.",
        )
        .retry_after(1)
    })?;
    let request_id = extensions.get::<RequestId>().map_or_else(|| Arc::from(""), |id| Arc::clone(&id.0));
    Ok((Access { caller: Arc::new(caller), request_id, operation, address: peer(extensions) }, place))
}

/// What to do about a 401 where something else than an API token is asked for: the same whatever was wrong with it.
fn fitting(problem: Problem, needs: Needs) -> Problem {
    if problem.status() != StatusCode::UNAUTHORIZED {
        return problem;
    }
    match needs {
        Needs::Enrollment => problem.hinting(
            "Send `Authorization: Bearer <token>` with an enrolment token (`cwe_…`) that has uses and time left; whoever \
             sets up the machine makes one with `POST /v1/enrollment-tokens`.",
        ),
        Needs::Certificate => problem.hinting(
            "Connect with the certificate that is to be renewed and its key (`curl --cert … --key …`), and leave the header \
             `Authorization` out.",
        ),
        Needs::Nothing | Needs::Caller | Needs::Permissions(_) => problem,
    }
}

/// The answer to credentials that let nobody in, noted for the audit trail; any other problem stays as it is.
fn turned_away(app: &App, problem: Problem, (address, request_id, door): (Option<IpAddr>, &str, Door)) -> Problem {
    if problem.status() != StatusCode::UNAUTHORIZED {
        return problem;
    }
    app.note_failed_login(address, request_id, door.as_str());
    let told = HeaderValue::from_static("Bearer realm=\"certwright\", error=\"invalid_token\"");
    problem.replace_header(WWW_AUTHENTICATE, told)
}

/// The same from within a use case: to the caller it is all one where its credentials failed.
pub(crate) fn not_let_in(app: &App, problem: Problem, call: &Call) -> Problem {
    let needs = call.operation.map_or(Needs::Nothing, |operation| operation.needs);
    turned_away(app, fitting(problem, needs), (call.address, &call.request_id, call.caller.door()))
}

/// The address that the connection came from, as the listener says.
pub(crate) fn peer(extensions: &axum::http::Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical())
}

/// The certificate that the connection has proven. Whoever sends a token means the token: that does not renew certificates.
fn shown<'e>(headers: &HeaderMap, extensions: &'e axum::http::Extensions) -> Result<&'e Sha256, Problem> {
    let refuse = |detail: &str| Problem::from(certwright_app::Error::Unauthenticated { detail: detail.to_owned() });
    if headers.contains_key(AUTHORIZATION) {
        return Err(refuse("This is asked for with a client certificate alone; leave the header `Authorization` out."));
    }
    let certificate = extensions.get::<ClientCertificate>();
    certificate.map(|ClientCertificate(it)| it).ok_or_else(|| refuse("The connection shows no client certificate."))
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = |detail: &str| Problem::from(certwright_app::Error::Unauthenticated { detail: detail.to_owned() });
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(missing("The request carries no token."));
    };
    let text = value.to_str().map_err(|_| missing("The header `Authorization` cannot be read."))?;
    match text.split_once(' ') {
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case("bearer") && (1..=MAX_TOKEN).contains(&token.trim().len()) =>
        {
            Ok(token.trim())
        }
        _ => Err(missing("The header `Authorization` is not `Bearer <token>`.")),
    }
}

/// The idempotency key of a POST that is no trial.
fn key_of(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY).filter(|_| request.method() == Method::POST) else {
        return Ok(None);
    };
    let trial = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "dryRun=true"));
    if trial {
        return Ok(None);
    }
    match value.to_str() {
        Ok(text) if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_idempotency_key",
            "The header `Idempotency-Key` is empty, too long or has blanks.",
            "Use 1 to 255 visible ASCII characters, for example a UUID.",
        )),
    }
}

/// Runs the request unless its key has an answer already. It runs on a task of its own: a caller who goes away in the
/// middle finds the answer under the key.
async fn once(
    app: &App,
    access: Access,
    key: String,
    place: Place<String>,
    request: Request,
    next: Next,
) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_body(body).await?;
    let accept = parts.headers.get(ACCEPT).map_or(&b""[..], HeaderValue::as_bytes);
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let hash = request_hash(&[parts.method.as_str().as_bytes(), path.as_bytes(), accept, &body]);
    let call = access.call(false);
    match app.begin_idempotent(&call, &key, hash).await? {
        IdempotencyStart::Replay(stored) => Ok(replay(stored)),
        IdempotencyStart::Run(taken) => {
            let request = Request::from_parts(parts, Body::from(body));
            let task = run_and_keep(app.clone(), call.clone(), taken.clone(), request, next);
            let running = async move {
                let response = task.await;
                drop(place);
                response
            };
            match tokio::spawn(running.in_current_span()).await {
                Ok(response) => Ok(response),
                Err(panic) => {
                    app.abandon_idempotent(&taken).await?;
                    Err(Problem::internal(format!("panic under an idempotency key: {panic}")))
                }
            }
        }
    }
}

/// Keeps an answer of success before it leaves; sets the key free otherwise.
async fn run_and_keep(app: App, call: Call, taken: TakenKey, request: Request, next: Next) -> Response<Body> {
    let response = next.run(request).await;
    if !response.status().is_success() {
        if let Err(error) = app.abandon_idempotent(&taken).await {
            tracing::warn!(request_id = %call.request_id, %error, "an idempotency key could not be set free");
        }
        return response;
    }
    let (parts, body) = response.into_parts();
    let body: Bytes = match axum::body::to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => return Problem::internal(format!("reading our own answer: {error}")).into_response(),
    };
    let headers = KEPT
        .iter()
        .filter_map(|name| Some((name.as_str().to_owned(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
        .collect();
    let stored = StoredResponse { status: parts.status.as_u16(), headers, body: SecretBytes::new(body.to_vec()) };
    // The work is done and recorded: the caller gets its answer even if it cannot be kept for a repetition.
    if let Err(error) = app.finish_idempotent(&taken, &stored).await {
        tracing::warn!(request_id = %call.request_id, %error, "an answer could not be kept under its idempotency key");
    }
    Response::from_parts(parts, Body::from(body))
}

fn replay(stored: StoredResponse) -> Response<Body> {
    let mut response = Response::new(Body::from(stored.body.expose().clone()));
    *response.status_mut() = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    for (name, value) in &stored.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Hash of a request: each part with its length before it, so that no two lists of parts look alike.
fn request_hash(parts: &[&[u8]]) -> Sha256 {
    let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
    let pieces: Vec<&[u8]> = lengths.iter().zip(parts).flat_map(|(length, part)| [&length[..], part]).collect();
    sha256(&pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_knows_where_parts_end() {
        assert_ne!(request_hash(&[b"ab", b"c"]), request_hash(&[b"a", b"bc"]));
        assert_eq!(request_hash(&[b"ab", b"c"]), request_hash(&[b"ab", b"c"]));
    }

    #[test]
    fn bearer_tokens_are_read_strictly() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            });
            bearer(&headers).map(str::to_owned).map_err(|problem| problem.document().status)
        };
        assert_eq!(with(&["Bearer abc"]), Ok("abc".into()));
        assert_eq!(with(&["bearer abc"]), Ok("abc".into()));
        for wrong in [&[][..], &["Basic abc"], &["Bearer "], &["Bearer"], &["Bearer a", "Bearer b"]] {
            assert_eq!(with(wrong), Err(401), "{wrong:?}");
        }
    }
}
