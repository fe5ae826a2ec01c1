//! Routes, by resource.

mod accounts;
mod certificates;
mod directory;
mod orders;
mod proofs;

use crate::Door;
use crate::answer::{no_such_method, no_such_resource};
use crate::render::Urls;
use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodRouter, any, get, post};

/// Methods of what is read by GET and by POST-as-GET (RFC 8555 section 6.3).
const READ_EITHER_WAY: &str = "GET, HEAD, POST, OPTIONS";

/// A resource that is posted to alone.
fn posted<H, T>(handler: H) -> MethodRouter<Door>
where
    H: axum::handler::Handler<T, Door>,
    T: 'static,
{
    only("POST, OPTIONS", post(handler))
}

/// A resource with these methods and no others.
fn only(allow: &'static str, methods: MethodRouter<Door>) -> MethodRouter<Door> {
    methods.fallback(async move |request: Request| no_such_method(&request, allow))
}

pub(crate) fn all() -> Router<Door> {
    Router::new()
        .route(
            "/acme/{directory}/directory",
            only(READ_EITHER_WAY, get(directory::directory).post(directory::directory_by_post)),
        )
        .route(
            "/acme/{directory}/new-nonce",
            only(READ_EITHER_WAY, get(directory::new_nonce).post(directory::new_nonce_by_post)),
        )
        .route("/acme/{directory}/renewal-info/{id}", only("GET, HEAD, OPTIONS", get(certificates::renewal_info)))
        .route("/acme/{directory}/new-account", posted(accounts::new_account))
        .route("/acme/{directory}/account/{id}", posted(accounts::account))
        .route("/acme/{directory}/account/{id}/orders", posted(accounts::orders))
        .route("/acme/{directory}/key-change", posted(accounts::key_change))
        .route("/acme/{directory}/new-order", posted(orders::new_order))
        .route("/acme/{directory}/order/{id}", posted(orders::order))
        .route("/acme/{directory}/order/{id}/finalize", posted(orders::finalize))
        .route("/acme/{directory}/new-authz", posted(proofs::new_authorization))
        .route("/acme/{directory}/authorization/{id}", posted(proofs::authorization))
        .route("/acme/{directory}/challenge/{id}/{method}", posted(proofs::challenge))
        .route("/acme/{directory}/certificate/{id}", posted(certificates::certificate))
        .route("/acme/{directory}/certificate/{id}/{chain}", posted(certificates::alternate))
        .route("/acme/{directory}/revoke-cert", posted(certificates::revoke))
        .route("/acme/{directory}/{*rest}", any(no_such_resource))
        // The rest is never empty there.
        .route("/acme/{directory}", any(no_such_resource))
        .route("/acme/{directory}/", any(no_such_resource))
}

impl Door {
    /// URLs of a directory.
    pub(crate) fn urls(&self, directory: &str) -> Urls {
        Urls(self.settings().acme.base(directory))
    }
}
