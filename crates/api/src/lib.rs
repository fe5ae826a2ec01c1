//! REST `/v1`: routes, extractors, problem documents, OpenAPI. A thin translation onto [`certwright_app`].
//!
//! The way of a request: [`edge`] (request id, bounds, problem documents) → [`guard`] (who calls, concurrency,
//! idempotency key) → a handler in [`routes`] (extract, parse, one call, render).
//!
//! **Invariants.** A caller is authenticated before a byte of the body is read. What went wrong is a [`problem::Problem`]
//! until the edge writes it out, so nothing ever answers plain text. `openapi.yaml` is generated from the handlers, and
//! every route stands in it because the router is built from the same list.

mod answer;
mod content;
mod edge;
mod extract;
mod guard;
mod leftover;
mod negotiate;
mod openapi;
mod parse;
mod pem_body;
mod places;
mod plain;
mod problem;
mod rates;
mod room;
mod routes;
mod settings;
mod size;
mod table;
mod view;

pub use openapi::openapi_yaml;
pub use plain::PlainDoor;
pub use settings::ApiSettings;
pub use table::UnlistedRoute;

use axum::Router;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::from_fn_with_state;
use certwright_app::App;
use std::net::IpAddr;
use std::sync::Arc;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

/// What handlers and layers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    inner: Arc<Shared>,
}

pub(crate) struct Shared {
    app: App,
    settings: ApiSettings,
    room: Arc<room::Room>,
    pki_room: Arc<room::Room>,
    callers: Arc<places::Places<String>>,
    addresses: Arc<places::Places<IpAddr>>,
    /// In the room of `/pki`.
    pki_addresses: Arc<places::Places<IpAddr>>,
    caller_rates: rates::Rates<String>,
    address_rates: rates::Rates<IpAddr>,
    table: table::Table,
}

impl FromRef<Api> for App {
    fn from_ref(api: &Api) -> Self {
        api.inner.app.clone()
    }
}

/// Everything: `/v1`, the routes open to all, `/pki/…`. Refused when a route is not in the table of operations.
pub fn router(app: App, settings: ApiSettings) -> Result<Router, UnlistedRoute> {
    router_beside(app, settings, Router::new())
}

/// The same with another door beside it (`/acme/…`): what is counted by address is counted for both together. Who is turned away
/// reaches that door with a [`certwright_app::Problem`] in the request's extensions, and is answered there.
pub fn router_beside(app: App, settings: ApiSettings, beside: Router) -> Result<Router, UnlistedRoute> {
    let api = Api::new(app, settings)?;
    let (guarded, _) = routes::guarded().split_for_parts();
    let (open, _) = routes::open().split_for_parts();
    let guarded = guarded.route_layer(from_fn_with_state(api.clone(), guard::guard));
    let all = guarded.merge(open).layer(from_fn_with_state(api.clone(), guard::by_address));
    let beside = beside.layer(from_fn_with_state(api.clone(), guard::by_address));
    Ok(bounded(all.fallback(routes::unknown), api).merge(beside))
}

/// What also stands on the plain listener: health and `/pki/…`, and whatever is put beside it.
pub fn plain_door(app: App, settings: ApiSettings, beside: Router) -> Result<PlainDoor, UnlistedRoute> {
    let (plain, _) = routes::plain().split_for_parts();
    let api = Api::new(app, settings)?;
    let plain = plain.layer(from_fn_with_state(api.clone(), guard::by_address));
    let plain = plain.fallback(routes::unknown_on_plain);
    Ok(PlainDoor::new(api.clone(), bounded(plain, api).merge(beside)))
}

impl Api {
    fn new(app: App, settings: ApiSettings) -> Result<Self, UnlistedRoute> {
        let (room, pki_room) = (room::Room::new(settings.max_in_flight), room::Room::new(settings.max_in_flight));
        let callers = places::Places::new(settings.max_per_caller);
        let addresses = places::Places::new(settings.max_per_address);
        let pki_addresses = places::Places::new(settings.max_per_address);
        let table = table::Table::of_routes()?;
        let caller_rates = rates::Rates::new("caller", "limits.rate_per_caller", settings.caller_rate);
        let address_rates = rates::Rates::new("address", "limits.rate_per_address", settings.address_rate);
        Ok(Self {
            inner: Arc::new(Shared {
                app,
                settings,
                room,
                pki_room,
                callers,
                addresses,
                pki_addresses,
                caller_rates,
                address_rates,
                table,
            }),
        })
    }
}

/// Puts the bounds and the edge around the routes. From the outside in: edge, span, panic, time, size.
fn bounded(routes: Router<Api>, api: Api) -> Router {
    let settings = &api.inner.settings;
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(api.clone(), edge::edge))
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(edge::span)
                .on_request(())
                .on_response(edge::log_response)
                .on_failure(()),
        )
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, settings.request_timeout))
        .layer(from_fn_with_state(size::BodyLimit::set_by("limits.body", settings.body_limit), size::within));
    routes.layer(layers).with_state(api)
}
