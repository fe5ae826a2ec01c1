//! Answers: JSON with ETag, pages with `Link`, trials, files.

use crate::negotiate::Offer;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, LOCATION,
    VARY,
};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use certwright_app::{App, Call, Page, PageRequest, sha256};
use certwright_wire as wire;
use serde::Serialize;

/// What handlers answer.
pub(crate) type Answer = Result<Response<Body>, Problem>;

/// A JSON document.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    Ok(bytes(status, "application/json", written(value)?))
}

/// What most documents with a chain of certificates fit into.
const USUAL: usize = 8192;

fn written(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut body, value).map_err(|error| Problem::internal(format!("writing JSON: {error}")))?;
    Ok(body)
}

/// A body of a media type.
pub(crate) fn bytes(status: StatusCode, media: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// A negotiated body that is no JSON, with a file name.
pub(crate) fn file(status: StatusCode, offer: Offer, name: &str, body: Vec<u8>) -> Answer {
    let mut response = bytes(status, offer.media, body);
    let disposition = format!("attachment; filename=\"{name}.{}\"", offer.format.name());
    set(&mut response, CONTENT_DISPOSITION, &disposition)?;
    Ok(response)
}

/// Marks an answer as negotiated.
pub(crate) fn negotiated(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// ETag of a single resource.
pub(crate) struct Tag(String);

impl Tag {
    /// Where a document shows more than its own row: what stands in other rows, or follows from the time. The revision is in front,
    /// because what is not shown may have changed as well.
    pub(crate) fn of_document(revision: i64, value: &impl Serialize) -> Result<Self, Problem> {
        let hash = sha256(&[&written(value)?]).to_string();
        Ok(Self(format!("\"{revision}-{}\"", hash.get(..16).unwrap_or(&hash))))
    }

    /// With its quotes.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<i64> for Tag {
    /// Where the revision grows with everything that the document shows.
    fn from(revision: i64) -> Self {
        Self(format!("\"{revision}\""))
    }
}

/// A single resource with its revision as ETag; 304 where the caller has it already.
pub(crate) fn resource(headers: &HeaderMap, tag: impl Into<Tag>, value: &impl Serialize) -> Answer {
    revised(headers, tag, json(StatusCode::OK, value)?)
}

/// The same for a single resource in another format.
pub(crate) fn revised(headers: &HeaderMap, tag: impl Into<Tag>, response: Response<Body>) -> Answer {
    with_etag(headers, tag.into().as_str(), response)
}

/// A JSON document whose ETag is made from its content.
pub(crate) fn document(headers: &HeaderMap, value: &impl Serialize) -> Answer {
    let body = written(value)?;
    let tag = content_etag(&body);
    with_etag(headers, &tag, bytes(StatusCode::OK, "application/json", body))
}

/// A response with an ETag, or 304 where `If-None-Match` names it (weak comparison, RFC 9110 section 13.1.2).
pub(crate) fn with_etag(headers: &HeaderMap, etag: &str, mut response: Response<Body>) -> Answer {
    set(&mut response, ETAG, etag)?;
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|list| list.trim() == "*" || list.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_DISPOSITION);
    }
    Ok(response)
}

/// ETag of a content.
pub(crate) fn content_etag(body: &[u8]) -> String {
    let hash = sha256(&[body]).to_string();
    format!("\"{}\"", hash.get(..32).unwrap_or(&hash))
}

/// A resource that was made: 201 with `Location` and ETag, or the trial.
pub(crate) fn made(call: &Call, location: &str, revision: i64, value: impl Serialize) -> Answer {
    made_under_rules(call, location, Some(revision.into()), value, Vec::new())
}

/// The same with the verdicts of the rules that were asked, and perhaps without ETag.
pub(crate) fn made_under_rules(
    call: &Call,
    location: &str,
    tag: Option<Tag>,
    value: impl Serialize,
    rules: Vec<wire::RuleVerdict>,
) -> Answer {
    if call.dry_run {
        return trial(value, rules);
    }
    let mut response = json(StatusCode::CREATED, &value)?;
    set(&mut response, LOCATION, location)?;
    if let Some(tag) = tag {
        set(&mut response, ETAG, tag.as_str())?;
    }
    Ok(response)
}

/// A resource that was changed: 200 with its ETag, or the trial.
pub(crate) fn changed(call: &Call, revision: i64, value: impl Serialize) -> Answer {
    changed_under_rules(call, revision, value, Vec::new())
}

/// The same with the verdicts of the rules that were asked.
pub(crate) fn changed_under_rules(
    call: &Call,
    tag: impl Into<Tag>,
    value: impl Serialize,
    rules: Vec<wire::RuleVerdict>,
) -> Answer {
    if call.dry_run {
        return trial(value, rules);
    }
    let mut response = json(StatusCode::OK, &value)?;
    set(&mut response, ETAG, tag.into().as_str())?;
    Ok(response)
}

/// Something that has no revision was changed: 200, or the trial.
pub(crate) fn done(call: &Call, value: impl Serialize) -> Answer {
    if call.dry_run { trial(value, Vec::new()) } else { json(StatusCode::OK, &value) }
}

/// Something is gone: 204, or the trial.
pub(crate) fn gone(call: &Call, value: impl Serialize) -> Answer {
    if call.dry_run {
        return trial(value, Vec::new());
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// The answer of a trial that passed.
pub(crate) fn trial(would_be: impl Serialize, rules: Vec<wire::RuleVerdict>) -> Answer {
    json(StatusCode::OK, &wire::DryRun { dry_run: true, would_be, rules })
}

/// A page of a list, with `Link: rel="next"` where another one follows.
pub(crate) fn list<T, W: Serialize>(app: &App, uri: &Uri, page: Page<T>, view: impl FnMut(T) -> W) -> Answer {
    let next_cursor = page.next.as_deref().map(|next| app.seal_cursor(next)).transpose()?;
    let link = next_cursor.as_deref().map(|cursor| next_link(uri, cursor));
    let list = wire::List { items: page.items.into_iter().map(view).collect(), next_cursor };
    let mut response = json(StatusCode::OK, &list)?;
    if let Some(link) = link {
        set(&mut response, LINK, &link)?;
    }
    Ok(response)
}

/// A public answer that may be kept for a while.
pub(crate) fn public(mut response: Response<Body>, cache_control: &'static str) -> Response<Body> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    response
}

/// Sets a header whose value we made ourselves.
pub(crate) fn set(response: &mut Response<Body>, name: HeaderName, value: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(value)
        .map_err(|error| Problem::internal(format!("the value of {name} is no header value: {error}")))?;
    response.headers_mut().insert(name, value);
    Ok(())
}

/// Page of a list when the caller names none.
pub(crate) const DEFAULT_LIMIT: u32 = 50;

/// The largest page, from the beginning.
pub(crate) fn largest_page(after: Option<String>) -> PageRequest {
    PageRequest { limit: 500, after }
}

/// The same request with another cursor, as a relative reference.
fn next_link(uri: &Uri, cursor: &str) -> String {
    let others = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor=") && *pair != "cursor");
    let query: Vec<&str> = others.collect();
    let before = if query.is_empty() { String::new() } else { format!("{}&", query.join("&")) };
    format!("<{}?{before}cursor={cursor}>; rel=\"next\"", uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_keeps_the_filter() {
        let link = |uri: &str| next_link(&uri.parse().unwrap(), "abc");
        assert_eq!(link("/v1/vaults"), "</v1/vaults?cursor=abc>; rel=\"next\"");
        assert_eq!(link("/v1/x?limit=2&cursor=old&q=a%20b"), "</v1/x?limit=2&q=a%20b&cursor=abc>; rel=\"next\"");
    }

    #[test]
    fn a_known_etag_is_304_without_body() {
        let with = |tag: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap());
            resource(&headers, 3, &serde_json::json!({})).unwrap().status()
        };
        assert_eq!(with("\"3\""), StatusCode::NOT_MODIFIED);
        assert_eq!(with("W/\"3\""), StatusCode::NOT_MODIFIED);
        assert_eq!(with("\"1\", \"3\""), StatusCode::NOT_MODIFIED);
        assert_eq!(with("*"), StatusCode::NOT_MODIFIED);
        assert_eq!(with("\"4\""), StatusCode::OK);
    }

    #[test]
    fn a_trial_wraps_the_resource() {
        let mut call = Call::system("r");
        call.dry_run = true;
        let response = made(&call, "/v1/x", 1, serde_json::json!({"a": 1})).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers().get(LOCATION).is_none());
    }
}
