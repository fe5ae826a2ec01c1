//! Routes, by resource.

mod accounts;
mod certificates;
mod directory;
mod orders;
mod proofs;

use crate::Door;
use crate::answer::no_such_method;
use crate::render::Urls;
use axum::Router;
use axum::routing::{MethodRouter, get, post};

/// A resource that is posted to alone.
fn posted<H, T>(handler: H) -> MethodRouter<Door>
where
    H: axum::handler::Handler<T, Door>,
    T: 'static,
{
    post(handler).fallback(no_such_method)
}

pub(crate) fn all() -> Router<Door> {
    Router::new()
        .route(
            "/acme/{directory}/directory",
            get(directory::directory).post(directory::directory_by_post).fallback(no_such_method),
        )
        .route("/acme/{directory}/new-nonce", get(directory::new_nonce).fallback(no_such_method))
        .route("/acme/{directory}/renewal-info/{id}", get(certificates::renewal_info).fallback(no_such_method))
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
}

impl Door {
    /// URLs of a directory.
    pub(crate) fn urls(&self, directory: &str) -> Urls {
        Urls(self.settings().acme.base(directory))
    }
}
