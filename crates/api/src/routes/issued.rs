//! The inventory.

use super::cas::ca_id;
use crate::Api;
use crate::answer::{self, Answer, file, largest_page, list, negotiated, set, with_etag};
use crate::content::csv_rows;
use crate::extract::{Path, Query, Read};
use crate::negotiate::{CERTIFICATE, Format, INVENTORY, choose};
use crate::openapi::Binary;
use crate::parse::{Faults, page};
use crate::problem::Problem;
use crate::view;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use certwright_app::{App, Call, IssuedFilter, IssuedSort, Page, to_pem};
use certwright_domain::issued::{IssuedCertificate, IssuedKind, IssuedStatus};
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::time::Timestamp;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use futures_util::stream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all)).routes(routes!(one))
}

/// Search issued certificates
///
/// Every certificate that a CA of ours ever signed, by whichever door. As CSV (`Accept: text/csv` or `?format=csv`) all
/// rows that match, without paging; cells that a spreadsheet would run as a formula begin with an apostrophe.
#[utoipa::path(get, path = "/v1/issued-certificates", operation_id = "listIssuedCertificates", tag = "inventory",
    params(wire::IssuedQuery), responses((status = 200, description = "A page of certificates, or all of them as CSV",
    content((wire::List<wire::IssuedCertificate> = "application/json"), (String = "text/csv")))))]
async fn all(
    State(app): State<App>,
    Read(call): Read,
    Query(q): Query<wire::IssuedQuery>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), INVENTORY)?;
    let csv = offer.format == Format::Csv;
    if csv && (q.limit.is_some() || q.cursor.is_some()) {
        return Err(not_with_csv());
    }
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let now = app.now();
    let filter = filter(&app, &call, q, now).await?;
    if csv {
        return export(app, call, filter, now).await.map(negotiated);
    }
    let found = app.issued_certificates(&call, &filter, &page).await?;
    list(&app, &uri, found, |row| view::inventory(row, now)).map(negotiated)
}

/// Read an issued certificate
///
/// By serial in any spelling, by SHA-256 fingerprint or by id. JSON, PEM or DER.
#[utoipa::path(get, path = "/v1/issued-certificates/{certificate}", operation_id = "getIssuedCertificate", tag = "inventory",
    params(("certificate" = String, Path, description = "Serial, fingerprint or id"), wire::FormatQuery),
    responses((status = 200, description = "The certificate", content((wire::IssuedCertificate = "application/json"),
    (String = "application/pem-certificate-chain"), (Binary = "application/pkix-cert")))))]
async fn one(
    State(app): State<App>,
    Read(call): Read,
    Path(reference): Path<String>,
    Query(q): Query<wire::FormatQuery>,
    headers: HeaderMap,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), CERTIFICATE)?;
    let row = app.issued_certificate(&call, &reference).await?;
    let now = app.now();
    let name = row.serial.to_string();
    let tag = format!("\"{}-{}\"", row.fingerprint, offer.format.name());
    let response = match offer.format {
        Format::Pem => file(StatusCode::OK, offer, &name, to_pem("CERTIFICATE", &row.certificate).into_bytes())?,
        Format::Der => file(StatusCode::OK, offer, &name, row.certificate)?,
        // Its revocation, and when it is due, are not the certificate's own.
        _ => return answer::document(&headers, &view::inventory(row, now)).map(negotiated),
    };
    with_etag(&headers, &tag, response).map(negotiated)
}

async fn filter(app: &App, call: &Call, q: wire::IssuedQuery, now: Timestamp) -> Result<IssuedFilter, Problem> {
    let mut faults = Faults::default();
    let serial = faults.optional("/serial", q.serial.as_deref(), Serial::parse);
    let san = faults.optional("/san", q.san.as_deref(), San::parse);
    let status = faults.optional("/status", q.status.as_deref(), IssuedStatus::parse);
    let expires_before = faults.optional("/expiresBefore", q.expires_before.as_deref(), Timestamp::parse);
    let expires_after = faults.optional("/expiresAfter", q.expires_after.as_deref(), Timestamp::parse);
    let renew_before = faults.optional("/renewBefore", q.renew_before.as_deref(), Timestamp::parse);
    let fingerprint = faults.optional("/fingerprint", q.fingerprint.as_deref(), Sha256::parse);
    let kind = faults.optional("/kind", q.kind.as_deref(), IssuedKind::parse);
    let sort = faults.optional("/sort", q.sort.as_deref(), sort);
    let filter = faults.finish((|| {
        Some(IssuedFilter {
            q: q.q,
            serial: serial?,
            name: q.name,
            san: san?.map(|san| san.to_string()),
            ca_id: None,
            profile: q.profile,
            requester: q.requester,
            status: status?.map(|status| (status, now)),
            expires_before: expires_before?,
            expires_after: expires_after?,
            renew_before: renew_before?,
            fingerprint: fingerprint?,
            kind: kind?,
            sort: sort?.unwrap_or_default(),
            include_system: q.include_system.unwrap_or(false),
        })
    })())?;
    Ok(IssuedFilter { ca_id: ca_id(app, call, q.ca.as_deref()).await?, ..filter })
}

fn sort(text: &str) -> Result<IssuedSort, Invalid> {
    match text {
        "-issuedAt" => Ok(IssuedSort::NewestFirst),
        "issuedAt" => Ok(IssuedSort::OldestFirst),
        "notAfter" => Ok(IssuedSort::ExpiresFirst),
        "renewAt" => Ok(IssuedSort::RenewsFirst),
        other => Err(Invalid::new(
            "invalid_sort",
            format!("`{}` is not an order of this list.", other.escape_debug()),
            "Choose one of: -issuedAt issuedAt notAfter renewAt",
        )),
    }
}

fn not_with_csv() -> Problem {
    Problem::invalid(
        "/limit",
        Invalid::new(
            "not_with_csv",
            "CSV has every row that matches, in one answer.",
            "Leave `limit` and `cursor` out.",
        ),
    )
}

/// Every matching row as CSV, read page by page while it is sent. The first page is read before the answer begins, so
/// that what is wrong with the request or the database is still a problem document.
async fn export(app: App, call: Call, filter: IssuedFilter, now: Timestamp) -> Answer {
    let Page { items, next } = app.issued_certificates(&call, &filter, &largest_page(None)).await?;
    let first = csv_rows(&items, true, now)?;
    let rest = stream::try_unfold(next, move |after| {
        let (app, call, filter) = (app.clone(), call.clone(), filter.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            next_rows(&app, &call, &filter, after, now).await.map(Some)
        }
    });
    let lines = futures_util::StreamExt::chain(stream::iter([Ok::<_, std::io::Error>(first)]), rest);
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    set(&mut response, CONTENT_DISPOSITION, "attachment; filename=\"issued-certificates.csv\"")?;
    Ok(response)
}

/// A fault in the middle breaks the answer off: a short file must not look whole.
async fn next_rows(
    app: &App,
    call: &Call,
    filter: &IssuedFilter,
    after: String,
    now: Timestamp,
) -> Result<(Vec<u8>, Option<String>), std::io::Error> {
    let broken = |error: String| {
        tracing::error!(request_id = %call.request_id, error, "a CSV export broke off");
        std::io::Error::other("the export broke off")
    };
    let page = app.issued_certificates(call, filter, &largest_page(Some(after))).await;
    let Page { items, next }: Page<IssuedCertificate> = page.map_err(|error| broken(error.to_string()))?;
    let rows =
        csv_rows(&items, false, now).map_err(|problem| broken(problem.cause().unwrap_or_default().to_owned()))?;
    Ok((rows, next))
}
