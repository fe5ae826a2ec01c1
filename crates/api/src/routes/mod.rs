//! One file per resource; every route is registered together with its OpenAPI description.

mod acme_accounts;
mod acme_directories;
mod audit;
mod ca_bundles;
mod cas;
mod certificate_trusts;
mod certificates;
mod compartments;
mod dynamic_groups;
mod enrollment;
mod events;
mod groups;
mod health;
mod identity_providers;
mod issue;
mod issued;
mod keys;
pub(crate) mod ocsp;
mod pki;
mod policies;
mod policy_test;
mod profiles;
mod revocation;
mod root_key;
mod tokens;
mod trust;
mod users;
mod vaults;
mod webhooks;

use crate::Api;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use utoipa_axum::router::OpenApiRouter;

/// Routes that need a token.
pub(crate) fn guarded() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(vaults::routes())
        .merge(keys::routes())
        .merge(cas::routes())
        .merge(certificates::routes())
        .merge(issue::routes())
        .merge(issued::routes())
        .merge(revocation::routes())
        .merge(profiles::routes())
        .merge(ca_bundles::routes())
        .merge(tokens::routes())
        .merge(enrollment::routes())
        .merge(compartments::routes())
        .merge(users::routes())
        .merge(groups::routes())
        .merge(dynamic_groups::routes())
        .merge(policies::routes())
        .merge(policy_test::routes())
        .merge(identity_providers::routes())
        .merge(certificate_trusts::routes())
        .merge(acme_directories::routes())
        .merge(acme_accounts::routes())
        .merge(audit::routes())
        .merge(events::routes())
        .merge(webhooks::routes())
        .merge(root_key::routes())
}

/// Routes open to all.
pub(crate) fn open() -> OpenApiRouter<Api> {
    plain().merge(trust::routes()).merge(identity_providers::open_routes()).merge(health::openapi_route())
}

/// Routes open to all that also stand on the plain listener.
pub(crate) fn plain() -> OpenApiRouter<Api> {
    health::routes().merge(pki::routes()).merge(ocsp::routes())
}

/// Everything else.
pub(crate) async fn unknown(uri: Uri) -> Problem {
    let path = uri.path();
    if path.len() > 1 && path.ends_with('/') {
        let hint = "Leave the trailing slash away.";
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.", hint);
    }
    if path == "/metrics" {
        let hint = "Metrics stand on the plain listener (`http_listen`), with `metrics.enabled = true`.";
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "There are no metrics here.", hint);
    }
    Problem::of_status(StatusCode::NOT_FOUND)
}

/// The same on the plain listener, which has health, `/pki/…` and metrics alone.
pub(crate) async fn unknown_on_plain(State(api): State<Api>, uri: Uri) -> Problem {
    let url = &api.inner.settings.public_url;
    let path = uri.path();
    let begins = |door: &str| path.strip_prefix(door).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let (detail, hint) = if path == "/metrics" {
        // With metrics, the path is there.
        let hint = "Set `metrics.enabled = true` and start the server anew; they stand here then.";
        ("Metrics are switched off.", hint.to_owned())
    } else if ["/v1", "/acme", "/openapi.yaml"].into_iter().any(begins) {
        ("The API is not on this listener.", format!("It is at {url}{path}."))
    } else {
        let hint =
            format!("Here are /healthz, /readyz and /pki/…; the API is at {url}, where /openapi.yaml lists its paths.");
        ("There is nothing here.", hint)
    };
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail, hint)
}
