//! What relying parties may trust; open to all.

use crate::Api;
use crate::answer::{self, Answer, document, file, negotiated, with_etag};
use crate::content::{pem_chain, pkcs7};
use crate::extract::Query;
use crate::negotiate::{Format, TRUST, choose};
use crate::openapi::Binary;
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use certwright_app::App;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(trust))
}

/// Read the roots
///
/// The certificates that relying parties need to trust. DER exists only where there is exactly one root.
#[utoipa::path(get, path = "/v1/trust", operation_id = "getTrust", tag = "open", params(wire::FormatQuery),
    responses((status = 200, description = "The roots", content((wire::Trust = "application/json"),
    (String = "application/x-pem-file"), (Binary = "application/pkix-cert"), (Binary = "application/pkcs7-mime")))))]
async fn trust(State(app): State<App>, Query(q): Query<wire::FormatQuery>, headers: HeaderMap) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), TRUST)?;
    let roots = app.trusted_roots().await?;
    let certificates = || roots.iter().map(|root| root.certificate.der.clone()).collect::<Vec<_>>();
    let body = match offer.format {
        Format::Pem => pem_chain(certificates()).into_bytes(),
        Format::P7 => pkcs7(&certificates())?,
        Format::Der => single(certificates())?,
        _ => {
            let trust = wire::Trust { items: roots.iter().map(view::trusted_root).collect() };
            return document(&headers, &trust).map(negotiated);
        }
    };
    let tag = answer::content_etag(&body);
    with_etag(&headers, &tag, file(StatusCode::OK, offer, "trust", body)?).map(negotiated)
}

fn single(mut certificates: Vec<Vec<u8>>) -> Result<Vec<u8>, Problem> {
    match (certificates.pop(), certificates.len()) {
        (Some(only), 0) => Ok(only),
        (_, others) => {
            let count = if others == 0 { 0 } else { others.saturating_add(1) };
            Err(Problem::new(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                format!("DER holds exactly one certificate; there are {count} roots."),
                "Ask for `?format=pem` or `?format=p7`, or fetch `/pki/{ca}/ca.crt` of one CA.",
            )
            .allowing("application/json, application/x-pem-file, application/pkcs7-mime"))
        }
    }
}
