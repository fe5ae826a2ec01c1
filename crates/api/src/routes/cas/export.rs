//! Taking a CA away with its key.

use crate::Api;
use crate::answer::{Answer, file, set};
use crate::extract::{Json, Path, Read};
use crate::negotiate::{FILE_P12, FILE_PEM};
use crate::openapi::Binary;
use crate::parse::reference;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use certwright_app::{App, CaExport, CaExportFormat};
use certwright_domain::secret::SecretText;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(export))
}

/// Export a CA with its key
///
/// Certificate, chain and the key of the version in use, under a password, as PKCS#12 or PEM. Only CAs that were made or
/// imported with `"exportable": true`; needs the permission `certificate-authorities:export`, and every export is in the
/// audit trail. Whoever has the file and its password is the CA.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/export", operation_id = "exportCertificateAuthority",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id")),
    request_body = wire::ExportCa, responses((status = 200, description = "The file", content(
    (Binary = "application/pkcs12"), (String = "application/x-pem-file")))))]
async fn export(
    State(app): State<App>,
    Read(call): Read,
    Path(ca): Path<String>,
    Json(body): Json<wire::ExportCa>,
) -> Answer {
    let format = format(&body)?;
    let offer = if format == CaExportFormat::Pem { FILE_PEM } else { FILE_P12 };
    let export = CaExport { format, password: SecretText::new(body.password.expose().to_owned()) };
    let exported = app.export_ca(&call, &reference(&ca)?, export).await?;
    let exported = exported.ok_or_else(|| Problem::internal("an export gave no file"))?;
    let mut response = file(StatusCode::OK, offer, exported.name.as_str(), exported.content.expose().clone())?;
    set(&mut response, CACHE_CONTROL, "no-store")?;
    Ok(response)
}

fn format(body: &wire::ExportCa) -> Result<CaExportFormat, Problem> {
    match (body.format.as_deref().unwrap_or("pkcs12"), body.compat.unwrap_or(false)) {
        ("pkcs12" | "p12", false) => Ok(CaExportFormat::Pkcs12),
        ("pkcs12" | "p12", true) => Ok(CaExportFormat::Pkcs12Compat),
        ("pem", _) => Ok(CaExportFormat::Pem),
        (other, _) => {
            let detail = format!("`{}` is no format that a CA is exported in.", other.escape_debug());
            Err(Problem::invalid("/format", Invalid::new("invalid_format", detail, "Choose one of: pkcs12 pem")))
        }
    }
}
