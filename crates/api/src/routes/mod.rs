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
    Problem::of_status(StatusCode::NOT_FOUND)
}
