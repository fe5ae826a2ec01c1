//! Root keys.

use crate::Api;
use crate::answer::{Answer, document, done};
use crate::extract::{OptionalJson, Read, Write};
use crate::view;
use axum::extract::State;
use axum::http::HeaderMap;
use certwright_app::App;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(status)).routes(routes!(rotate))
}

/// Read the root keys' status
///
/// Which root keys are loaded, and how many vaults' keys are still sealed under each.
#[utoipa::path(get, path = "/v1/root-key", operation_id = "getRootKey", tag = "root-key",
    responses((status = 200, description = "The status", body = wire::RootKeys)))]
async fn status(State(app): State<App>, Read(call): Read, headers: HeaderMap) -> Answer {
    document(&headers, &view::root_keys(app.root_keys(&call).await?))
}

/// Rotate the root key
///
/// Makes a new one where its source is a file of ours; vaults' keys are re-wrapped in the background.
#[utoipa::path(post, path = "/v1/root-key/rotate", operation_id = "rotateRootKey", tag = "root-key",
    params(wire::WriteQuery), responses((status = 200, description = "The status, or a trial", body = wire::RootKeys)))]
async fn rotate(
    State(app): State<App>,
    Write(call): Write,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let status = app.rotate_root_key(&call).await?;
    done(&call, view::root_keys(status))
}
