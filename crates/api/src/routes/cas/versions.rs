//! Versions of CAs, their chains and CSRs.

use super::shown;
use crate::Api;
use crate::answer::{self, Answer, document, file, negotiated, with_etag};
use crate::content::{pem_chain, pkcs7};
use crate::extract::{OptionalJson, Path, Query, Read, Write};
use crate::negotiate::{CHAIN, CSR, Format, choose};
use crate::openapi::Binary;
use crate::parse::{Faults, reference, version};
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use certwright_app::{App, to_pem};
use certwright_domain::revocation::RevocationReason;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(versions))
        .routes(routes!(one))
        .routes(routes!(chain))
        .routes(routes!(csr))
        .routes(routes!(make_current))
        .routes(routes!(revoke))
}

/// List a CA's versions
///
/// Newest first.
#[utoipa::path(get, path = "/v1/certificate-authorities/{ca}/versions", operation_id = "listCertificateAuthorityVersions",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "All versions", body = wire::CaVersions)))]
async fn versions(State(app): State<App>, Read(call): Read, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    let (_, versions) = app.ca_versions(&call, &reference(&ca)?).await?;
    document(&headers, &wire::CaVersions { items: versions.iter().map(view::ca_version).collect() })
}

/// Read a CA's version
#[utoipa::path(get, path = "/v1/certificate-authorities/{ca}/versions/{version}",
    operation_id = "getCertificateAuthorityVersion", tag = "certificate-authorities",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Number")),
    responses((status = 200, description = "The version", body = wire::CaVersion)))]
async fn one(
    State(app): State<App>,
    Read(call): Read,
    Path((ca, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let (_, found) = app.ca_version(&call, &reference(&ca)?, version(&number)?).await?;
    document(&headers, &view::ca_version(&found))
}

/// Read a CA's chain
///
/// The CA first, the root last where it is known.
#[utoipa::path(get, path = "/v1/certificate-authorities/{ca}/chain", operation_id = "getCertificateAuthorityChain",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::ChainQuery),
    responses((status = 200, description = "The chain", content((wire::CaChain = "application/json"),
    (String = "application/pem-certificate-chain"), (Binary = "application/pkcs7-mime")))))]
async fn chain(
    State(app): State<App>,
    Read(call): Read,
    Path(ca): Path<String>,
    Query(q): Query<wire::ChainQuery>,
    headers: HeaderMap,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), CHAIN)?;
    let chain = app.ca_chain(&call, &reference(&ca)?, q.version).await?;
    let body = match offer.format {
        Format::Pem => pem_chain(&chain).into_bytes(),
        Format::P7 => pkcs7(&chain)?,
        _ => {
            let json = wire::CaChain { certificate: pem_chain(chain.iter().take(1)), chain: pem_chain(&chain) };
            return document(&headers, &json).map(negotiated);
        }
    };
    let tag = answer::content_etag(&body);
    with_etag(&headers, &tag, file(StatusCode::OK, offer, "chain", body)?).map(negotiated)
}

/// Read a CA's CSR
///
/// Of a CA that is signed elsewhere. JSON, PEM (`application/x-pem-file`) or DER (`application/pkcs10`).
#[utoipa::path(get, path = "/v1/certificate-authorities/{ca}/csr", operation_id = "getCertificateAuthorityCsr",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::FormatQuery),
    responses((status = 200, description = "The CSR", content((wire::CaCsr = "application/json"),
    (String = "application/x-pem-file"), (Binary = "application/pkcs10")))))]
async fn csr(
    State(app): State<App>,
    Read(call): Read,
    Path(ca): Path<String>,
    Query(q): Query<wire::FormatQuery>,
    headers: HeaderMap,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), CSR)?;
    let der = app.ca_csr(&call, &reference(&ca)?).await?;
    let pem = || to_pem("CERTIFICATE REQUEST", &der);
    let body = match offer.format {
        Format::Json => return document(&headers, &wire::CaCsr { csr: pem() }).map(negotiated),
        Format::Pem => pem().into_bytes(),
        _ => der,
    };
    let tag = answer::content_etag(&body);
    with_etag(&headers, &tag, file(StatusCode::OK, offer, "request", body)?).map(negotiated)
}

/// Take a CA's version into use
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/versions/{version}/make-current",
    operation_id = "makeCertificateAuthorityVersionCurrent", tag = "certificate-authorities",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Number"), wire::WriteQuery),
    responses((status = 200, description = "The CA, or a trial", body = wire::Ca)))]
async fn make_current(
    State(app): State<App>,
    Write(call): Write,
    Path((ca, number)): Path<(String, String)>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let view = app.make_ca_version_current(&call, &reference(&ca)?, version(&number)?).await?;
    shown(&call, &view)
}

/// Revoke a CA's version
///
/// It is on its issuer's next revocation list. `cACompromise` and `keyCompromise` block its key for ever. Roots and
/// certificates that we did not sign are refused.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/versions/{version}/revoke",
    operation_id = "revokeCertificateAuthorityVersion", tag = "certificate-authorities",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Number"), wire::WriteQuery),
    request_body = wire::Revoke, responses((status = 200, description = "The CA, or a trial", body = wire::Ca)))]
async fn revoke(
    State(app): State<App>,
    Write(call): Write,
    Path((ca, number)): Path<(String, String)>,
    OptionalJson(body): OptionalJson<wire::Revoke>,
) -> Answer {
    let mut faults = Faults::default();
    let reason = faults.reason(body.reason.as_deref());
    let (ca, number): (_, u32) = (reference(&ca)?, version(&number)?);
    let reason: RevocationReason = faults.finish(reason)?;
    let view = app.revoke_ca_version(&call, &ca, number, reason).await?;
    shown(&call, &view)
}
