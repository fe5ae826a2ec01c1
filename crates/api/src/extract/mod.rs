//! Extractors whose refusals are problem documents.

mod json;

pub(crate) use json::{CrlBody, Json, OptionalJson, SignBody, StrangersJson, media_type};

use crate::answer::Tag;
use crate::guard::Access;
use crate::problem::Problem;
use crate::room::Seat;
use crate::size::BodyLimit;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use certwright_app::Call;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use std::error::Error as _;
use std::sync::Arc;

/// Path parameters.
pub(crate) struct Path<T>(pub(crate) T);

/// Query parameters; unknown and repeated ones are refused.
pub(crate) struct Query<T>(pub(crate) T);

/// A call that reads.
pub(crate) struct Read(pub(crate) Call);

/// A call that changes something, for real or with `?dryRun=true` as a trial; no other query parameter is known.
pub(crate) struct Write(pub(crate) Call);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        AxumPath::<T>::from_request_parts(parts, state).await.map(|AxumPath(value)| Self(value)).map_err(|rejection| {
            let detail = format!("The path cannot be read: {}", rejection.body_text());
            let hint = "Write names and ids as they are, escaped as UTF-8 where needed.";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_path", detail, hint)
        })
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        AxumQuery::<T>::try_from_uri(&parts.uri)
            .map(|AxumQuery(value)| Self(value))
            .map_err(|rejection| malformed_query(&rejection.body_text()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The guard puts it there; a route that forgot the guard answers nobody.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal("a route without its guard"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Read {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Access::from_request_parts(parts, state).await?.call(false)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Write {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let access = Access::from_request_parts(parts, state).await?;
        let Query(query) = Query::<wire::WriteQuery>::from_request_parts(parts, state).await?;
        Ok(Self(access.call(query.dry_run.unwrap_or(false))))
    }
}

/// What `If-Match` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing.
    Missing,
    /// `*`: whatever is there.
    Any,
    /// This revision; −1 for a tag that none of our revisions has.
    Revision(i64),
    /// Another tag, with its quotes; a document may have it.
    Document(String),
}

impl IfMatch {
    /// Reads the header. Comparison is strong (RFC 9110 section 13.1.1): a weak tag matches nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(axum::http::header::IF_MATCH) else { return Ok(Self::Missing) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let wrong = || {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_if_match",
                "The header `If-Match` is not one ETag.",
                "Send the ETag of the resource with its quotes, for example `If-Match: \"3\"`, or `*`.",
            )
        };
        let (weak, tag) = match text.strip_prefix("W/") {
            Some(tag) => (true, tag),
            None => (false, text),
        };
        let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).ok_or_else(wrong)?;
        if inner.contains('"') {
            return Err(wrong());
        }
        Ok(match inner.parse() {
            Ok(revision) if !weak && revision >= 0 => Self::Revision(revision),
            Err(_) if !weak => Self::Document(tag.to_owned()),
            _ => Self::Revision(-1),
        })
    }

    /// The revision to compare with; `*` asks `current` for the one that is there.
    pub(crate) async fn revision<E>(self, current: impl Future<Output = Result<i64, E>>) -> Result<Option<i64>, E> {
        match self {
            Self::Missing => Ok(None),
            Self::Any => current.await.map(Some),
            Self::Revision(revision) => Ok(Some(revision)),
            Self::Document(_) => Ok(Some(-1)),
        }
    }

    /// The same for a resource whose tag is made of its document ([`Tag::of_document`]): `current` gives the revision that is there and
    /// the tag that it has now. A revision alone, as such a resource had it once, stands for whatever is shown of it.
    pub(crate) async fn document<E>(
        self,
        current: impl Future<Output = Result<(i64, Tag), E>>,
    ) -> Result<Option<i64>, E> {
        match self {
            Self::Document(seen) => {
                let (revision, tag) = current.await?;
                Ok(Some(if tag.as_str() == seen { revision } else { -1 }))
            }
            other => other.revision(async { current.await.map(|(revision, _)| revision) }).await,
        }
    }
}

/// The body of somebody who has not said who it is, not read yet.
pub(crate) struct StrangersBody {
    body: Body,
    seat: Arc<Seat>,
}

impl<S: Send + Sync> FromRequest<S> for StrangersBody {
    type Rejection = Problem;
    async fn from_request(mut request: Request, _: &S) -> Result<Self, Problem> {
        // The edge puts it there.
        let seat = request.extensions_mut().remove::<Arc<Seat>>();
        let seat = seat.ok_or_else(|| Problem::internal("a request without its place"))?;
        Ok(Self { body: request.into_body(), seat })
    }
}

impl StrangersBody {
    /// Reads it within a limit and a short time.
    pub(crate) async fn read(self, most: usize) -> Result<Bytes, Problem> {
        self.seat.read(self.body, most).await
    }
}

/// Reads a body to its end; the size limit stands around it.
pub(crate) async fn read_body(body: Body) -> Result<Bytes, Problem> {
    read_body_within(body, usize::MAX).await
}

/// The same within a limit of its own.
pub(crate) async fn read_body_within(body: Body, most: usize) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, most).await.map_err(|error| {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if inner.is::<LengthLimitError>() {
                return match most {
                    // The limit around it knows what to say.
                    usize::MAX => Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE),
                    most => BodyLimit::fixed(most).refusal(None),
                };
            }
            cause = inner.source();
        }
        Problem::new(
            StatusCode::BAD_REQUEST,
            "body_unreadable",
            "The body ended before its time or cannot be read.",
            "Send the whole body.",
        )
    })
}

/// A problem for what the query deserializer says.
fn malformed_query(text: &str) -> Problem {
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    // With a path in front: `limit: invalid digit found in string`.
    let (name, said) = match text.split_once(": ") {
        Some((name, said)) if !name.contains(' ') => (name, said),
        _ => ("", text),
    };
    let quoted = said.split('`').nth(1).unwrap_or(name);
    let (code, pointer, detail, hint) = if said.starts_with("unknown field") {
        let known = said.split_once("expected ").map_or("none", |(_, known)| known);
        let hint = format!("Known here: {}.", known.trim_start_matches("one of ").replace('`', ""));
        ("unknown_parameter", quoted, format!("The query parameter `{quoted}` is not known here."), hint)
    } else if said.starts_with("duplicate field") {
        let detail = format!("The query parameter `{quoted}` stands there twice.");
        ("duplicate_parameter", quoted, detail, "Give it once.".to_owned())
    } else {
        let (what, example) = if said.contains("`true` or `false`") {
            ("is neither `true` nor `false`".to_owned(), "true")
        } else if said.contains("digit") || said.contains("number") || said.contains("integer") {
            ("is not a whole number in range".to_owned(), "100")
        } else {
            (format!("cannot be read: {said}"), "…")
        };
        let hint = format!("Write `{name}={example}`, or leave it out; /openapi.yaml lists the parameters.");
        ("invalid_parameter", name, format!("The query parameter `{name}` {what}."), hint)
    };
    let pointer = if pointer.is_empty() { String::new() } else { format!("/{pointer}") };
    Problem::invalid(pointer, Invalid::new(code, detail, hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, Request};

    fn query<T: DeserializeOwned>(uri: &str) -> Result<T, Problem> {
        let (mut parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        futures_util::FutureExt::now_or_never(Query::<T>::from_request_parts(&mut parts, &()))
            .unwrap()
            .map(|Query(value)| value)
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        let read: wire::PageQuery = query("/v1/vaults?limit=7&cursor=abc").unwrap();
        assert_eq!((read.limit, read.cursor.as_deref()), (Some(7), Some("abc")));
        let table = [
            ("/x?dryrun=true", "unknown_parameter", "/dryrun"),
            ("/x?dryRun=maybe", "invalid_parameter", "/dryRun"),
            ("/x?dryRun", "invalid_parameter", "/dryRun"),
            ("/x?dryRun=true&dryRun=false", "duplicate_parameter", "/dryRun"),
        ];
        for (uri, code, pointer) in table {
            let problem = query::<wire::WriteQuery>(uri).unwrap_err();
            let document = problem.document();
            assert_eq!((document.status, document.code.as_str()), (400, code), "{uri}: {document:?}");
            assert_eq!(document.errors[0].pointer, pointer, "{uri}");
        }
        for (uri, detail, hint) in [
            ("/x?dryRun=yes", "The query parameter `dryRun` is neither `true` nor `false`.", "Write `dryRun=true`"),
            ("/x?dryRun", "The query parameter `dryRun` is neither `true` nor `false`.", "Write `dryRun=true`"),
        ] {
            let problem = query::<wire::WriteQuery>(uri).unwrap_err();
            assert_eq!(problem.document().detail, detail);
            assert!(problem.document().hint.starts_with(hint), "{}", problem.document().hint);
        }
        for uri in ["/x?limit=many", "/x?limit=-1", "/x?limit=", "/x?limit=99999999999"] {
            let problem = query::<wire::PageQuery>(uri).unwrap_err();
            assert_eq!(
                problem.document().detail,
                "The query parameter `limit` is not a whole number in range.",
                "{uri}"
            );
        }
        let problem = query::<wire::WriteQuery>("/x?dryrun=true").unwrap_err();
        assert!(problem.document().hint.contains("dryRun"), "{}", problem.document().hint);
    }

    #[test]
    fn if_match_is_strong() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(axum::http::header::IF_MATCH, HeaderValue::from_str(text).unwrap());
            IfMatch::of(&headers).map_err(|problem| problem.document().code.clone())
        };
        assert_eq!(IfMatch::of(&HeaderMap::new()).unwrap(), IfMatch::Missing);
        assert_eq!(of("*"), Ok(IfMatch::Any));
        assert_eq!(of("\"3\""), Ok(IfMatch::Revision(3)));
        assert_eq!(of("W/\"3\""), Ok(IfMatch::Revision(-1)));
        assert_eq!(of("\"abc\""), Ok(IfMatch::Document("\"abc\"".into())));
        assert_eq!(of("W/\"abc\""), Ok(IfMatch::Revision(-1)));
        assert_eq!(of("\"-4\""), Ok(IfMatch::Revision(-1)));
        assert_eq!(of("3"), Err("invalid_if_match".into()));
        assert_eq!(of("\"1\", \"2\""), Err("invalid_if_match".into()));
    }
}
