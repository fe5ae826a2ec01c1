//! Revocation lists of CAs, for those who run them.

use crate::Api;
use crate::answer::{Answer, done, json, list, trial};
use crate::extract::{CrlBody, Path, Query, Read, Write};
use crate::parse::{page, reference};
use crate::view;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use certwright_app::App;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, make))
}

/// List a CA's revocation lists
///
/// One for each version of the CA, full or delta, whole or cut into shards: the list that is served, when the next one is
/// made, and what failed.
#[utoipa::path(get, path = "/v1/certificate-authorities/{ca}/crl", operation_id = "listRevocationLists",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::PageQuery),
    responses((status = 200, description = "A page of lists", body = wire::List<wire::RevocationList>)))]
async fn all(
    State(app): State<App>,
    Read(call): Read,
    Path(ca): Path<String>,
    Query(q): Query<wire::PageQuery>,
    uri: Uri,
) -> Answer {
    let now = app.now();
    let found = app.crls(&call, &reference(&ca)?, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |one| view::revocation_list(&one, now))
}

/// Make a CA's revocation lists now, or upload one
///
/// Without a body: makes the next list of each kind at once; nobody has to, lists are made by themselves. With a list as
/// body (`application/pkix-crl`, DER or PEM): for a CA without a key of ours, verifies and serves it; for a CA of ours,
/// takes its entries and its number back after an old backup was restored.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/crl", operation_id = "makeRevocationLists",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body(content((wire::Empty = "application/json"), (String = "application/pkix-crl"))),
    responses((status = 200, description = "The lists as they stand now", body = wire::List<wire::RevocationList>),
    (status = 201, description = "What became of the uploaded list", body = wire::UploadedList)))]
async fn make(State(app): State<App>, Write(call): Write, Path(ca): Path<String>, uri: Uri, body: CrlBody) -> Answer {
    let ca = reference(&ca)?;
    match body {
        CrlBody::Nothing => {
            let now = app.now();
            let made = app.make_crls(&call, &ca).await?;
            if call.dry_run {
                let items: Vec<_> = made.items.iter().map(|one| view::revocation_list(one, now)).collect();
                return trial(items, Vec::new());
            }
            list(&app, &uri, made, |one| view::revocation_list(&one, now))
        }
        CrlBody::List(bytes) => {
            let uploaded = app.upload_crl(&call, &ca, &bytes).await?;
            let answer =
                wire::UploadedList { entries: uploaded.entries, restored: uploaded.restored, served: uploaded.served };
            if call.dry_run { done(&call, answer) } else { json(StatusCode::CREATED, &answer) }
        }
    }
}
