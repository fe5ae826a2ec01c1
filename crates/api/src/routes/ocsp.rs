//! OCSP under the URL that stands in certificates (RFC 6960 appendix A, RFC 5019); open to all, also on the plain
//! listener.
//!
//! Whatever is a request gets an OCSP answer with status 200, unsigned errors included: clients do not read others. What
//! is none (another content type, a body that is too large) is a problem document.

use crate::Api;
use crate::answer::{self, Answer, bytes, public, set};
use crate::extract::{Path, StrangersBody, media_type};
use crate::openapi::Binary;
use crate::parse::{reference, version};
use crate::problem::Problem;
use axum::extract::{OriginalUri, State};
use axum::http::header::{CACHE_CONTROL, ETAG, EXPIRES, HeaderValue, LAST_MODIFIED, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use certwright_app::{App, MAX_OCSP_REQUEST_BYTES, OcspAnswer, OcspError, OcspGiven, OcspHold, OcspRefusal};
use certwright_domain::name::Reference;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Media type of a request.
pub(crate) const REQUEST: &str = "application/ocsp-request";
const RESPONSE: &str = "application/ocsp-response";

/// What a handler tells the door about an answer that it may give again: an extension of the response.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) answer: Arc<OcspAnswer>,
    pub(crate) hold: OcspHold,
    /// As it is counted in the metrics.
    pub(crate) route: &'static str,
}

impl Given {
    /// Counts one more answer of this kind.
    pub(crate) fn count(&self) {
        count(CACHEABLE);
    }
}

/// The kind of answer that is kept, in the metrics.
const CACHEABLE: &str = "cacheable";

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(post_current))
        .routes(routes!(get_current))
        .routes(routes!(post_of_version))
        .routes(routes!(get_of_version))
}

/// Ask for the status of certificates
///
/// The body is a DER OCSPRequest (RFC 6960) of at most 20 KiB about at most 32 certificates of the CA. SHA-1 and SHA-256
/// CertIDs are known, a nonce of 1 to 128 octets is echoed. Errors of OCSP have status 200.
#[utoipa::path(post, path = "/pki/{ca}/ocsp", operation_id = "ocsp", tag = "open",
    params(("ca" = String, Path, description = "Name or id")),
    request_body(content = Binary, content_type = "application/ocsp-request"),
    responses((status = 200, description = "DER OCSPResponse", body = Binary, content_type = "application/ocsp-response")))]
async fn post_current(
    State(app): State<App>,
    Path(ca): Path<String>,
    headers: HeaderMap,
    body: StrangersBody,
) -> Answer {
    posted(&app, &ca, None, &headers, body).await
}

/// Ask for the status of certificates, at the URL that stands in certificates
#[utoipa::path(post, path = "/pki/{ca}/{version}/ocsp", operation_id = "ocspVersion", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version")),
    request_body(content = Binary, content_type = "application/ocsp-request"),
    responses((status = 200, description = "DER OCSPResponse", body = Binary, content_type = "application/ocsp-response")))]
async fn post_of_version(
    State(app): State<App>,
    Path((ca, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: StrangersBody,
) -> Answer {
    posted(&app, &ca, Some(version(&number)?), &headers, body).await
}

/// Ask for the status of certificates by GET
///
/// `request` is the DER OCSPRequest in base64, URL-encoded (RFC 6960 appendix A.1); unescaped `/` and `+`, the alphabet for
/// URLs and missing padding are read as well.
#[utoipa::path(get, path = "/pki/{ca}/ocsp/{*request}", operation_id = "ocspByGet", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("request" = String, Path, description = "Base64")),
    responses((status = 200, description = "DER OCSPResponse", body = Binary, content_type = "application/ocsp-response")))]
async fn get_current(
    State(app): State<App>,
    Path((ca, _request)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Answer {
    got(&app, &ca, None, &headers, uri.path()).await
}

/// Ask for the status of certificates by GET, at the URL that stands in certificates
#[utoipa::path(get, path = "/pki/{ca}/{version}/ocsp/{*request}", operation_id = "ocspVersionByGet", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version"),
        ("request" = String, Path, description = "Base64")),
    responses((status = 200, description = "DER OCSPResponse", body = Binary, content_type = "application/ocsp-response")))]
async fn get_of_version(
    State(app): State<App>,
    Path((ca, number, _request)): Path<(String, String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Answer {
    got(&app, &ca, Some(version(&number)?), &headers, uri.path()).await
}

async fn posted(app: &App, ca: &str, version: Option<u32>, headers: &HeaderMap, body: StrangersBody) -> Answer {
    if media_type(headers).as_deref() != Some(REQUEST) {
        let problem = Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body is not declared as `application/ocsp-request`.",
            "add -H 'Content-Type: application/ocsp-request' --data-binary @request.der",
        );
        return Err(problem.allowing(REQUEST));
    }
    let request = body.read(MAX_OCSP_REQUEST_BYTES).await?;
    let asked = Asked { ca: reference(ca)?, version };
    answered(app, asked.answer(app, &request).await, asked.route())
}

/// Whom a POST asks.
pub(crate) struct Asked {
    ca: Reference,
    version: Option<u32>,
}

impl Asked {
    /// From a path in the form in which it stands in certificates; any other is for the router to make out.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let inner = path.strip_prefix("/pki/")?.strip_suffix("/ocsp")?;
        let (ca, number) = inner.split_once('/').map_or((inner, None), |(ca, number)| (ca, Some(number)));
        Some(Self { ca: reference(ca).ok()?, version: number.map(version).transpose().ok()? })
    }

    /// As it is counted in the metrics.
    pub(crate) fn route(&self) -> &'static str {
        if self.version.is_some() { "/pki/{ca}/{version}/ocsp" } else { "/pki/{ca}/ocsp" }
    }

    /// What the use case says to a DER OCSPRequest.
    pub(crate) async fn answer(&self, app: &App, request: &[u8]) -> Result<OcspGiven, OcspRefusal> {
        app.ocsp(&self.ca, self.version, request).await
    }
}

async fn got(app: &App, ca: &str, version: Option<u32>, headers: &HeaderMap, path: &str) -> Answer {
    let outcome = match decode(path_request(path).unwrap_or_default()) {
        Some(request) => app.ocsp(&reference(ca)?, version, &request).await,
        None => Err(OcspRefusal::Known(OcspError::MalformedRequest)),
    };
    let cacheable = outcome.as_ref().is_ok_and(|given| given.answer.cacheable);
    let route = if version.is_some() { "/pki/{ca}/{version}/ocsp/{*request}" } else { "/pki/{ca}/ocsp/{*request}" };
    let response = answered(app, outcome, route)?;
    match response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned) {
        Some(tag) if cacheable => answer::with_etag(headers, &tag, response),
        _ => Ok(response),
    }
}

/// What follows `/ocsp/` in `/pki/{ca}/ocsp/…` or `/pki/{ca}/{version}/ocsp/…`; the base64 in it may hold anything, also
/// what would be a trick elsewhere.
pub(crate) fn path_request(path: &str) -> Option<&str> {
    let (_, rest) = path.strip_prefix("/pki/")?.split_once('/')?;
    if let Some(request) = rest.strip_prefix("ocsp/") {
        return Some(request);
    }
    let (_, rest) = rest.split_once('/')?;
    rest.strip_prefix("ocsp/")
}

/// Base64 in a path: some clients escape it, some do not, some leave the padding away, some add a slash to the URL. (No
/// request begins with a slash: base64 of a SEQUENCE begins with `M`.)
fn decode(text: &str) -> Option<Vec<u8>> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        plain.push(match byte {
            b'%' => {
                let digit =
                    |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                (digit(rest.next())? << 4) | digit(rest.next())?
            }
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        });
    }
    let start = plain.iter().position(|byte| *byte != b'/')?;
    TOLERANT.decode(plain.get(start..)?).ok()
}

fn count(kind: &'static str) {
    metrics::counter!("certwright_ocsp_answers_total", "kind" => kind).increment(1);
}

/// RFC 5019 section 6.2.
pub(crate) fn cache_control(next_update: Timestamp, now: Timestamp) -> String {
    let left = next_update.ms_since(now).max(0) / 1000;
    format!("max-age={left}, public, no-transform, must-revalidate")
}

/// The response; what the asker is not told goes to the log.
pub(crate) fn answered(app: &App, outcome: Result<OcspGiven, OcspRefusal>, route: &'static str) -> Answer {
    match outcome {
        Ok(OcspGiven { answer, hold }) => {
            count(if answer.cacheable { CACHEABLE } else { "single" });
            let mut response = bytes(StatusCode::OK, RESPONSE, answer.der.clone());
            if !answer.cacheable {
                return Ok(public(response, "no-store"));
            }
            set(&mut response, CACHE_CONTROL, &cache_control(answer.next_update, app.now()))?;
            set(&mut response, LAST_MODIFIED, &http_date(answer.this_update))?;
            set(&mut response, EXPIRES, &http_date(answer.next_update))?;
            if let Some(digest) = &answer.digest {
                set(&mut response, ETAG, &tag(digest))?;
            }
            if let Some(hold) = hold {
                response.extensions_mut().insert(Given { answer, hold, route });
            }
            Ok(response)
        }
        Err(refusal) => {
            let error = refusal.report();
            count(error.as_str());
            let mut response = public(bytes(StatusCode::OK, RESPONSE, error.der().to_vec()), "no-store");
            if error == OcspError::TryLater {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Ok(response)
        }
    }
}

/// IMF-fixdate (RFC 9110 section 5.6.7).
fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = at.to_utc();
    let weekday = DAYS.get(usize::from(at.weekday().number_days_from_monday())).copied().unwrap_or_default();
    let month = MONTHS.get(usize::from(u8::from(at.month())).saturating_sub(1)).copied().unwrap_or_default();
    let (day, year, hour, minute, second) = (at.day(), at.year(), at.hour(), at.minute(), at.second());
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// An ETag from half of a content's hash.
fn tag(digest: &Sha256) -> String {
    let half = digest.0.iter().take(16).fold(0_u128, |number, octet| (number << 8) | u128::from(*octet));
    format!("\"{half:032x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_client_is_read() {
        // 30 fb ff fe: base64 with a plus and two slashes.
        let bytes = [0x30, 0xfb, 0xef, 0xff, 0xff, 0xff, 0xfe];
        for text in
            ["MPvv/////g==", "MPvv/////g", "MPvv%2F%2f%2F%2F/g%3D%3D", "MPvv_____g", "/MPvv/////g", "%2FMPvv/////g="]
        {
            assert_eq!(decode(text).as_deref(), Some(&bytes[..]), "{text}");
        }
        for wrong in ["", "/", "%", "%2", "%zz", "M*", "MP v"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_request_is_the_raw_rest_of_the_path() {
        for (path, request) in [
            ("/pki/a/ocsp/MA//x", Some("MA//x")),
            ("/pki/a/1/ocsp//MA%2F", Some("/MA%2F")),
            ("/pki/a/ocsp/ocsp/MA", Some("ocsp/MA")),
            ("/pki/a/ocsp", None),
            ("/pki/a/1/ocsp", None),
            ("/pki/a/ca.crt", None),
            ("/pki/a/b/c/ocsp/MA", None),
            ("/v1/a/ocsp/MA", None),
        ] {
            assert_eq!(path_request(path), request, "{path}");
        }
    }

    #[test]
    fn the_ca_is_read_from_plain_paths_alone() {
        let read = |path| Asked::of(path).map(|asked| (asked.ca.as_str().to_owned(), asked.version));
        assert_eq!(read("/pki/a.b/ocsp"), Some(("a.b".to_owned(), None)));
        assert_eq!(read("/pki/a/12/ocsp"), Some(("a".to_owned(), Some(12))));
        for path in [
            "/pki/ocsp",
            "/pki//ocsp",
            "/pki/../ocsp",
            "/pki/a/0/ocsp",
            "/pki/a/b/ocsp",
            "/pki/a//ocsp",
            "/pki/a/1/2/ocsp",
            "/pki/a%2e/ocsp",
            "/pki/a/ocsp/",
            "/v1/a/ocsp",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }

    #[test]
    fn dates_are_written_as_http_asks() {
        for (at, written) in [
            ("1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("2026-01-05T00:00:00.9Z", "Mon, 05 Jan 2026 00:00:00 GMT"),
            ("2026-12-31T23:59:59Z", "Thu, 31 Dec 2026 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(Timestamp::parse(at).unwrap()), written);
        }
    }
}
