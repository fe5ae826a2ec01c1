//! The ACME door (RFC 8555, RFC 9773): JWS, routes, problem documents. A thin translation onto [`certwright_app`].
//!
//! The way of a request: bounds → [`guard`] (content type, JWS, account, signature, URL, nonce) → a handler in [`routes`]
//! (read the payload, one call, render) → [`answer`] (nonce, links, CORS).
//!
//! **Invariants.** Nothing of a payload is believed, and nonces are not touched, before the signature is verified. Every answer
//! to a POST, an error too, carries a fresh nonce. URLs are made from the public URL alone, never from what a request says.

mod answer;
mod guard;
mod jws;
mod payload;
mod render;
mod routes;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use certwright_app::{AcmeSettings, App};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

/// Bounds of the ACME door, and what its URLs begin with.
#[derive(Clone)]
pub struct DoorSettings {
    /// Settings that the use cases have, too.
    pub acme: AcmeSettings,
    /// Most bytes of a request body.
    pub body_limit: usize,
    /// Longest time from the request's head to the answer's head.
    pub request_timeout: Duration,
    /// Most requests at a time.
    pub max_in_flight: usize,
    /// Makes an id for a request.
    pub request_ids: Arc<dyn Fn() -> String + Send + Sync>,
}

impl DoorSettings {
    /// Defaults: 64 KiB, 30 seconds, 2048 requests at a time.
    pub fn new(acme: AcmeSettings, request_ids: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self { acme, body_limit: 64 << 10, request_timeout: Duration::from_secs(30), max_in_flight: 2_048, request_ids }
    }
}

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    inner: Arc<Shared>,
}

pub(crate) struct Shared {
    app: App,
    settings: DoorSettings,
    in_flight: Semaphore,
    /// Bodies that are waited for.
    bodies: Semaphore,
}

/// Everything under `/acme/{directory}/`. A [`certwright_app::Problem`] in a request's extensions is the verdict of who stands before
/// the door (limits by address): it is the answer, with all that answers of the door have.
pub fn router(app: App, settings: DoorSettings) -> Router {
    let places = || Semaphore::new(settings.max_in_flight.min(Semaphore::MAX_PERMITS));
    let (in_flight, bodies) = (places(), places());
    let limits = (settings.body_limit, settings.request_timeout);
    let door = Door { inner: Arc::new(Shared { app, settings, in_flight, bodies }) };
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(door.clone(), answer::edge))
        .layer(CatchPanicLayer::custom(|_| answer::bare(StatusCode::INTERNAL_SERVER_ERROR)))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, limits.1))
        .layer(DefaultBodyLimit::max(limits.0));
    routes::all().layer(layers).with_state(door)
}

impl Door {
    pub(crate) fn app(&self) -> &App {
        &self.inner.app
    }

    pub(crate) fn settings(&self) -> &DoorSettings {
        &self.inner.settings
    }
}
