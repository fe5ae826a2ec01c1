//! The plain door: OCSP answers that were given before and still hold leave as they are, short OCSP requests go straight
//! to the use case; everything else goes to the router.
//!
//! An answer is found by the exact bytes of its request: the path, and for POST the body. Nothing is parsed again, no
//! route looked for, no layer of the router passed. What is found was the answer to the same bytes before, and goes out
//! only while [`certwright_app::App::ocsp_holds`] says that it would be given again.
//!
//! A POST that is there as a whole, under a path as it stands in certificates, needs no router either: what the layers
//! would do for it (room, time, panics, problem documents, headers, figures) is done here, by the same functions.

use crate::Api;
use crate::edge::{self, TRACEPARENT};
use crate::guard::peer;
use crate::problem::{self, Problem};
use crate::routes::ocsp::{Asked, Given, REQUEST, answered, cache_control, path_request};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use certwright_app::may_have_ocsp_nonce;
use certwright_domain::rate::client_of;
use futures_util::FutureExt;
use http_body::Frame;
use moka::sync::Cache;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tower::{Service, ServiceExt};
use tracing::Span;

/// Longest path, and longest body, of a request whose answer is kept: one certificate takes about 80 bytes.
const MOST: usize = 512;
/// What an entry takes beside its key and its body: nine headers with their table, about.
const ENTRY_BYTES: usize = 1500;
/// How often a body may have nothing to give before the long way is taken. The HTTP library fetches it when it was asked for
/// the first time; what came together with the head is there the next time.
const LOOKS: u8 = 2;

/// What answers on the plain listener.
#[derive(Clone)]
pub struct PlainDoor {
    inner: Arc<Inner>,
}

struct Inner {
    api: Api,
    router: Router,
    ready: Cache<Arc<[u8]>, Arc<Ready>>,
}

/// An answer as the router gave it.
struct Ready {
    given: Given,
    headers: HeaderMap,
}

impl PlainDoor {
    pub(crate) fn new(api: Api, router: Router) -> Self {
        let weigh = |key: &Arc<[u8]>, ready: &Arc<Ready>| {
            let body = ready.given.answer.der.len();
            u32::try_from(key.len().saturating_add(body).saturating_add(ENTRY_BYTES)).unwrap_or(u32::MAX)
        };
        let ready = Cache::builder().max_capacity(api.inner.app.ocsp_ready_bytes()).weigher(weigh).build();
        Self { inner: Arc::new(Inner { api, router, ready }) }
    }
}

impl<B> Service<Request<B>> for PlainDoor
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<axum::BoxError> + Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        match Way::of(&request) {
            Way::Router => Box::pin(inner.router.clone().oneshot(request)),
            Way::Get => Box::pin(inner.get(request)),
            Way::Post => Box::pin(inner.post(request)),
        }
    }
}

/// How a request is to be answered.
enum Way {
    /// OCSP by GET: the path says all.
    Get,
    /// OCSP by POST.
    Post,
    /// Anything else.
    Router,
}

impl Way {
    fn of<B: HttpBody>(request: &Request<B>) -> Self {
        let path = request.uri().path();
        if path.len() > MOST || request.headers().contains_key(IF_NONE_MATCH) {
            return Self::Router;
        }
        let typed = || request.headers().get(CONTENT_TYPE).is_some_and(|media| media.as_bytes() == REQUEST.as_bytes());
        let short = || request.body().size_hint().exact().is_some_and(|bytes| bytes > 0 && bytes <= MOST as u64);
        match *request.method() {
            Method::GET if path_request(path).is_some() && request.body().is_end_stream() => Self::Get,
            Method::POST if path.starts_with("/pki/") && path.ends_with("/ocsp") && typed() && short() => Self::Post,
            _ => Self::Router,
        }
    }
}

impl Inner {
    async fn get<B>(self: Arc<Self>, request: Request<B>) -> Result<Response<Body>, Infallible>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError> + Send,
    {
        let key = request.uri().path().as_bytes();
        if let Some(response) = self.again("GET", key, request.headers()) {
            return Ok(response);
        }
        let key = key.into();
        let response = self.router.clone().oneshot(request).await?;
        Ok(self.keep(key, response))
    }

    async fn post<B>(self: Arc<Self>, request: Request<B>) -> Result<Response<Body>, Infallible>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError> + Send,
    {
        let (parts, mut body) = request.into_parts();
        let first = beginning(&mut body).await;
        let whole = first.as_ref().and_then(|first| first.as_ref().ok()?.data_ref()).filter(|_| body.is_end_stream());
        // Whoever sends a nonce wants an answer of their own. No path has a NUL.
        let key = whole
            .filter(|whole| !may_have_ocsp_nonce(whole))
            .map(|whole| [parts.uri.path().as_bytes(), b"\0", whole].concat());
        if let Some(response) = key.as_ref().and_then(|key| self.again("POST", key, &parts.headers)) {
            return Ok(response);
        }
        if let (Some(whole), Some(asked)) = (whole, Asked::of(parts.uri.path()))
            && let Some(response) = self.answer(&asked, whole, &parts).await
        {
            return Ok(match key {
                Some(key) => self.keep(key.into(), response),
                None => response,
            });
        }
        let request = Request::from_parts(parts, Resumed { first, rest: body });
        let response = self.router.clone().oneshot(request).await?;
        Ok(match key {
            Some(key) => self.keep(key.into(), response),
            None => response,
        })
    }

    /// The answer that was given to these bytes before, if it would be given again.
    fn again(&self, method: &'static str, key: &[u8], asked: &HeaderMap) -> Option<Response<Body>> {
        let started = Instant::now();
        let ready = self.ready.get(key)?;
        let (api, given) = (&self.api, &ready.given);
        if !api.inner.app.ocsp_holds(&given.hold) {
            return None;
        }
        // Without room the router says so.
        let _room = api.inner.pki_room.enter()?;
        let control = cache_control(given.answer.next_update, api.inner.app.now());
        let mut response = Response::new(Body::from(given.answer.der.clone()));
        *response.headers_mut() = ready.headers.clone();
        let headers = response.headers_mut();
        let id = edge::request_id(api, asked);
        edge::mark(headers, &id, edge::traceparent(asked));
        headers.insert(CACHE_CONTROL, HeaderValue::try_from(control).ok()?);
        given.count();
        tracing::debug!(request_id = &*id, method, route = given.route, "answered again");
        edge::count(method.into(), given.route.into(), StatusCode::OK, started.elapsed());
        Some(response)
    }

    /// The answer of the use case, as the router and its layers would give it; `None`: there is no room, or none for more from
    /// this address; the router says so.
    async fn answer(&self, asked: &Asked, request: &[u8], parts: &Parts) -> Option<Response<Body>> {
        let started = Instant::now();
        let api = &self.api;
        let _room = api.inner.pki_room.enter()?;
        let _place = match peer(&parts.extensions).map(client_of) {
            Some(address) => Some(api.inner.pki_addresses.enter(address)?),
            None => None,
        };
        let headers = &parts.headers;
        let id = edge::request_id(api, headers);
        let work = pin!(AssertUnwindSafe(asked.answer(&api.inner.app, request)).catch_unwind());
        let mut response = match tokio::time::timeout(api.inner.settings.request_timeout, work).await {
            Ok(Ok(outcome)) => {
                // A span costs more than all of the rest here, and only a refusal has something to log.
                let span = outcome.as_ref().err().map(|_| edge::span_of(&id, &Method::POST, asked.route(), headers));
                let _entered = span.map(Span::entered);
                answered(&api.inner.app, outcome, asked.route()).into_response()
            }
            Ok(Err(panic)) => problem::from_panic(panic),
            Err(_) => Problem::of_status(StatusCode::SERVICE_UNAVAILABLE).into_response(),
        };
        edge::write_problem(&mut response, &id);
        edge::mark(response.headers_mut(), &id, edge::traceparent(headers));
        edge::count("POST".into(), asked.route().into(), response.status(), started.elapsed());
        Some(response)
    }

    /// Keeps an answer that may be given again.
    fn keep(&self, key: Arc<[u8]>, mut response: Response<Body>) -> Response<Body> {
        if let Some(given) = response.extensions_mut().remove::<Given>() {
            let mut headers = response.headers().clone();
            headers.remove(TRACEPARENT);
            self.ready.insert(key, Arc::new(Ready { given, headers }));
        }
        response
    }
}

/// The first frame of a body, if it is there by now.
async fn beginning<B: HttpBody + Unpin>(body: &mut B) -> Option<Result<Frame<B::Data>, B::Error>> {
    let mut looks = 0;
    std::future::poll_fn(|context| match Pin::new(&mut *body).poll_frame(context) {
        Poll::Ready(frame) => Poll::Ready(frame),
        Poll::Pending if looks < LOOKS => {
            looks = looks.saturating_add(1);
            // Not to wait for the client: the router has a clock for that.
            context.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// A body of which the first frame was taken.
struct Resumed<B: HttpBody> {
    first: Option<Result<Frame<B::Data>, B::Error>>,
    rest: B,
}

impl<B: HttpBody + Unpin> Unpin for Resumed<B> {}

impl<B: HttpBody + Unpin> HttpBody for Resumed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        match this.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut this.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}
