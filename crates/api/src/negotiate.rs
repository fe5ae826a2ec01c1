//! Content negotiation (RFC 9110 section 12): `?format=` or `Accept`, decided before anything is done.

use crate::problem::Problem;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use certwright_domain::violation::Invalid;

/// Formats of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Pem,
    Der,
    P7,
    Tar,
    Csv,
    P12,
    Jks,
}

impl Format {
    const ALL: [Self; 8] = [Self::Json, Self::Pem, Self::Der, Self::P7, Self::Tar, Self::Csv, Self::P12, Self::Jks];

    /// Short name for `?format=`, also the extension of files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Pem => "pem",
            Self::Der => "der",
            Self::P7 => "p7",
            Self::Tar => "tar",
            Self::Csv => "csv",
            Self::P12 => "p12",
            Self::Jks => "jks",
        }
    }
}

/// A format on offer, under a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) format: Format,
    pub(crate) media: &'static str,
}

const fn offer(format: Format, media: &'static str) -> Offer {
    Offer { format, media }
}

const JSON: Offer = offer(Format::Json, "application/json");
const CHAIN_PEM: Offer = offer(Format::Pem, "application/pem-certificate-chain");
pub(crate) const FILE_PEM: Offer = offer(Format::Pem, "application/x-pem-file");
const CERTIFICATE_DER: Offer = offer(Format::Der, "application/pkix-cert");
const P7: Offer = offer(Format::P7, "application/pkcs7-mime");
pub(crate) const FILE_P12: Offer = offer(Format::P12, "application/pkcs12");
const TAR: Offer = offer(Format::Tar, "application/x-tar");

/// `issue`: the private key is inside, so formats that cannot hold it are not on offer.
pub(crate) const ISSUE: &[Offer] = &[JSON, CHAIN_PEM, FILE_PEM, TAR];
/// `sign`.
pub(crate) const SIGN: &[Offer] = &[JSON, CHAIN_PEM, FILE_PEM, CERTIFICATE_DER, P7, TAR];
/// One issued certificate.
pub(crate) const CERTIFICATE: &[Offer] = &[JSON, CHAIN_PEM, FILE_PEM, CERTIFICATE_DER];
/// A version of a managed certificate without its key.
pub(crate) const BUNDLE: &[Offer] = &[JSON, CHAIN_PEM, FILE_PEM, CERTIFICATE_DER, P7, TAR];
/// The same with its key: only formats that can hold it.
pub(crate) const BUNDLE_WITH_KEY: &[Offer] = &[JSON, CHAIN_PEM, FILE_PEM, TAR];
/// The same with a password, in a body.
pub(crate) const BUNDLE_POSTED: &[Offer] =
    &[JSON, CHAIN_PEM, FILE_PEM, CERTIFICATE_DER, P7, TAR, FILE_P12, offer(Format::Jks, "application/x-java-keystore")];
/// A CA bundle as a trust store, its password in a body.
pub(crate) const TRUST_STORE: &[Offer] = &[FILE_P12, offer(Format::Jks, "application/x-java-keystore")];
/// A CA's chain.
pub(crate) const CHAIN: &[Offer] = &[JSON, CHAIN_PEM, FILE_PEM, P7];
/// The roots.
pub(crate) const TRUST: &[Offer] = &[JSON, FILE_PEM, CHAIN_PEM, CERTIFICATE_DER, P7];
/// A CA bundle.
pub(crate) const CA_BUNDLE: &[Offer] = &[JSON, FILE_PEM, CHAIN_PEM, P7];
/// A CSR.
pub(crate) const CSR: &[Offer] = &[JSON, FILE_PEM, offer(Format::Der, "application/pkcs10")];
/// A public key.
pub(crate) const PUBLIC_KEY: &[Offer] = &[JSON, FILE_PEM, offer(Format::Der, "application/octet-stream")];
/// The inventory.
pub(crate) const INVENTORY: &[Offer] = &[JSON, offer(Format::Csv, "text/csv")];

/// The offer that the caller wants most; `format` goes before `Accept`, and the first offer is the default.
pub(crate) fn choose(headers: &HeaderMap, format: Option<&str>, offers: &'static [Offer]) -> Result<Offer, Problem> {
    if let Some(name) = format {
        let known = Format::ALL.iter().any(|format| format.name() == name);
        let refuse = || if known { not_acceptable(offers) } else { unknown_format(name, offers) };
        return offers.iter().find(|o| o.format.name() == name).copied().ok_or_else(refuse);
    }
    let accept: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if accept.is_empty() {
        return offers.first().copied().ok_or_else(|| not_acceptable(offers));
    }
    let ranges: Vec<Range> = accept.iter().flat_map(|text| text.split(',')).filter_map(Range::parse).collect();
    let mut best: Option<(u16, Offer)> = None;
    for candidate in offers {
        let quality = quality(&ranges, candidate.media);
        if quality > best.map_or(0, |(so_far, _)| so_far) {
            best = Some((quality, *candidate));
        }
    }
    best.map(|(_, offer)| offer).ok_or_else(|| not_acceptable(offers))
}

/// One range of `Accept`, its quality in thousandths.
struct Range {
    kind: String,
    subtype: String,
    quality: u16,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut quality = 1000;
        for parameter in parts {
            if let Some(value) = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")) {
                quality = thousandths(value)?;
            }
        }
        Some(Self { kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase(), quality })
    }
}

/// `0`, `1`, or one with up to three digits after the point (RFC 9110 section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

/// The quality that the most specific range gives to a media type; 0 without one.
fn quality(ranges: &[Range], media: &str) -> u16 {
    let Some((kind, subtype)) = media.split_once('/') else { return 0 };
    let specific = |range: &&Range| match (range.kind.as_str(), range.subtype.as_str()) {
        (k, s) if k == kind && s == subtype => 3,
        (k, "*") if k == kind => 2,
        ("*", "*") => 1,
        _ => 0_u8,
    };
    ranges.iter().filter(|range| specific(range) > 0).max_by_key(specific).map_or(0, |range| range.quality)
}

fn not_acceptable(offers: &[Offer]) -> Problem {
    let media: Vec<&str> = offers.iter().map(|offer| offer.media).collect();
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "not_acceptable",
        "This answer does not exist in the format asked for.",
        format!("Send `Accept` with one of {}, or `?format=` with one of {}.", media.join(", "), names(offers)),
    )
    .allowing(media.join(", "))
}

fn unknown_format(name: &str, offers: &[Offer]) -> Problem {
    let detail = format!("`{}` is not a format.", name.escape_debug());
    Problem::invalid("/format", Invalid::new("invalid_format", detail, format!("Choose one of: {}", names(offers))))
}

fn names(offers: &[Offer]) -> String {
    let mut names: Vec<&str> = offers.iter().map(|offer| offer.format.name()).collect();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn ask(accept: &str, format: Option<&str>, offers: &'static [Offer]) -> Result<Format, u16> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        choose(&headers, format, offers).map(|offer| offer.format).map_err(|problem| problem.document().status)
    }

    #[test]
    fn accept_and_format_choose() {
        assert_eq!(ask("", None, SIGN), Ok(Format::Json));
        assert_eq!(ask("*/*", None, SIGN), Ok(Format::Json));
        assert_eq!(ask("application/*", None, SIGN), Ok(Format::Json));
        assert_eq!(ask("application/x-tar", None, SIGN), Ok(Format::Tar));
        assert_eq!(ask("application/pkix-cert;q=0.5, application/pkcs7-mime", None, SIGN), Ok(Format::P7));
        assert_eq!(ask("application/json;q=0, */*", None, SIGN), Ok(Format::Pem));
        assert_eq!(ask("text/html, application/xhtml+xml, */*;q=0.8", None, SIGN), Ok(Format::Json));
        assert_eq!(ask("application/json", Some("pem"), SIGN), Ok(Format::Pem));
        assert_eq!(ask("text/csv", None, INVENTORY), Ok(Format::Csv));
        assert_eq!(ask("APPLICATION/PKIX-CERT", None, SIGN), Ok(Format::Der));
    }

    #[test]
    fn what_does_not_exist_is_refused_with_what_does() {
        assert_eq!(ask("text/html", None, SIGN), Err(406));
        assert_eq!(ask("", Some("xyz"), SIGN), Err(400));
        assert_eq!(ask("", Some("jks"), SIGN), Err(406));
        assert_eq!(ask("", Some("csv"), SIGN), Err(406));
        assert_eq!(ask("application/pkix-cert", None, ISSUE), Err(406));
        assert_eq!(ask("", Some("p7"), ISSUE), Err(406));
        assert_eq!(ask("nonsense", None, SIGN), Err(406));
        let problem = choose(&HeaderMap::new(), Some("csv"), SIGN).unwrap_err();
        assert!(problem.document().errors[0].allowed.as_deref().unwrap().contains("application/x-tar"));
        assert!(problem.document().hint.contains("json, pem, der, p7, tar"));
    }

    #[test]
    fn qualities_are_thousandths() {
        assert_eq!(thousandths("0.5"), Some(500));
        assert_eq!(thousandths("1"), Some(1000));
        assert_eq!(thousandths("0.123"), Some(123));
        assert_eq!(thousandths("1.1"), None);
        assert_eq!(thousandths("x"), None);
    }
}
