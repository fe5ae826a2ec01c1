//! JSON bodies, and the CSR in either form.

use super::{StrangersBody, read_body};
use crate::problem::Problem;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

/// Deepest nesting of arrays and objects in a body.
const MAX_DEPTH: usize = 32;

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body of somebody who has not said who it is.
pub(crate) struct StrangersJson<T>(pub(crate) T);

/// A JSON body that may be missing altogether.
pub(crate) struct OptionalJson<T>(pub(crate) T);

/// The body of `sign`: JSON, or the CSR alone as `application/pkcs10`.
pub(crate) enum SignBody {
    /// JSON.
    Json(Box<wire::Sign>),
    /// The CSR, PEM or DER.
    Pkcs10(Bytes),
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if media_type(request.headers()).as_deref() != Some("application/json") {
            return Err(not_json());
        }
        parse(&read_body(request.into_body()).await?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for StrangersJson<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if media_type(request.headers()).as_deref() != Some("application/json") {
            return Err(not_json());
        }
        // The size limit stands around it.
        let body = StrangersBody::from_request(request, state).await?.read(usize::MAX).await?;
        parse(&body).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = media_type(request.headers()).as_deref() == Some("application/json");
        let body = read_body(request.into_body()).await?;
        match (body.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => parse(&body).map(Self),
            (false, false) => Err(not_json()),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for SignBody {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        match media_type(request.headers()).as_deref() {
            Some("application/json") => {
                parse(&read_body(request.into_body()).await?).map(|body| Self::Json(Box::new(body)))
            }
            Some("application/pkcs10") => read_body(request.into_body()).await.map(Self::Pkcs10),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body is neither `application/json` nor `application/pkcs10`.",
                "Send a CSR with `-H 'Content-Type: application/pkcs10' --data-binary @request.pem` (PEM or DER), or JSON \
                 with `curl --json`.",
            )
            .allowing("application/json, application/pkcs10")),
        }
    }
}

/// The body of a CA's lists: nothing (or an empty JSON object), or a list.
pub(crate) enum CrlBody {
    /// Make them now.
    Nothing,
    /// A list, PEM or DER.
    List(Bytes),
}

impl<S: Send + Sync> FromRequest<S> for CrlBody {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let media = media_type(request.headers());
        let body = read_body(request.into_body()).await?;
        match media.as_deref() {
            _ if body.is_empty() => Ok(Self::Nothing),
            Some("application/pkix-crl" | "application/x-pem-file") => Ok(Self::List(body)),
            Some("application/json") => parse(&body).map(|wire::Empty {}| Self::Nothing),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body is not `application/pkix-crl`.",
                "Send a list with `-H 'Content-Type: application/pkix-crl' --data-binary @ca.crl` (PEM or DER), or no body \
                 at all to have the lists made now.",
            )
            .allowing("application/pkix-crl, application/x-pem-file, application/json")),
        }
    }
}

/// A problem for a body that is not what `T` wants; `body` is read once more to find the place.
fn malformed_json<T: DeserializeOwned>(body: &[u8], plain: &serde_json::Error) -> Problem {
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => describe(String::new(), plain),
        Err(error) => describe(pointer(error.path()), error.inner()),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if deeper_than(body, MAX_DEPTH) {
        let detail = format!("The JSON is nested deeper than {MAX_DEPTH} levels.");
        return Err(Problem::invalid("", Invalid::new("json_too_deep", detail, "No request of ours needs that.")));
    }
    // Every request of ours is an object; the reader would also take an array of the fields' values.
    if body.trim_ascii_start().first() == Some(&b'[') {
        let invalid = Invalid::new("invalid_type", "The body is an array.", "Send a JSON object.");
        return Err(Problem::invalid("", invalid));
    }
    serde_json::from_slice(body).map_err(|error| malformed_json::<T>(body, &error))
}

/// Are arrays and objects nested deeper than `limit`? Looks at brackets outside of strings only.
fn deeper_than(body: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth = depth.saturating_add(1);
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The media type, lower case, without parameters; a character set other than UTF-8 makes it unknown.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next()?.to_ascii_lowercase();
    let foreign = parts.any(|parameter| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("charset") && !value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    });
    (!foreign).then_some(kind)
}

fn not_json() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "The body is not declared as `application/json`.",
        "add -H 'Content-Type: application/json' or use curl --json",
    )
    .allowing("application/json")
}

/// A problem for what the JSON reader says.
fn describe(pointer: String, error: &serde_json::Error) -> Problem {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let said = text.strip_suffix(place.as_str()).unwrap_or(&text);
    let field = said.split('`').nth(1).unwrap_or_default();
    let at_field = || {
        let last = format!("/{}", escape(field));
        if pointer.ends_with(&last) { pointer.clone() } else { format!("{pointer}{last}") }
    };
    let (pointer, code, detail, hint) = if !error.is_data() {
        let detail = format!("The body is not JSON: {said} (line {}, column {}).", error.line(), error.column());
        (String::new(), "malformed_json", detail, "Check quotes, commas and brackets.".to_owned())
    } else if said.starts_with("unknown field") {
        let known = said.split_once("expected ").map_or("none", |(_, known)| known);
        let hint = format!("Known here: {}.", known.trim_start_matches("one of ").replace('`', ""));
        (at_field(), "unknown_field", format!("The field `{field}` is not known here."), hint)
    } else if said.starts_with("missing field") {
        let hint = "Add the field; /openapi.yaml shows the whole request.".to_owned();
        (at_field(), "missing_field", format!("The field `{field}` is missing."), hint)
    } else if said.starts_with("duplicate field") {
        let hint = "Give each field once; repeat a subject attribute by giving an array of values.".to_owned();
        (at_field(), "duplicate_field", format!("The field `{field}` stands there twice."), hint)
    } else {
        let (detail, hint) = unfit(said);
        (pointer, "invalid_type", detail, hint)
    };
    Problem::invalid(pointer, Invalid::new(code, detail, hint))
}

/// What does not fit, and what to write: `invalid type: string "a", expected a sequence`.
fn unfit(said: &str) -> (String, String) {
    let parts = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "));
    let Some((given, wanted)) = parts.and_then(|parts| parts.rsplit_once(", expected ")) else {
        return (format!("The value does not fit: {said}."), "The types stand in /openapi.yaml.".to_owned());
    };
    let given = match given.split([' ', '`']).next().unwrap_or_default() {
        "string" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "`true` or `false`",
        "null" => "`null`",
        "sequence" => "a list",
        "map" => "an object",
        _ => "something else",
    };
    let number = ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "integer"];
    let (wanted, hint) = match wanted {
        "a string" | "string" => ("a text", "Write it in quotes: `\"…\"`.".to_owned()),
        "a sequence" | "an array" => ("a list", "Write a list, also for one: `[\"a.internal\"]`.".to_owned()),
        "a boolean" => ("`true` or `false`", "Write `true` or `false`, without quotes.".to_owned()),
        wanted if number.contains(&wanted) => {
            ("a whole number in range", "Write a whole number, 0 or more, without quotes.".to_owned())
        }
        wanted if wanted.starts_with("struct ") || wanted == "a map" => {
            ("an object", "Write an object, `{…}`; its fields stand in /openapi.yaml.".to_owned())
        }
        // Readers of ours say it in words.
        wanted => (wanted, format!("Write {wanted}; the types stand in /openapi.yaml.")),
    };
    (format!("The value is {given}, and {wanted} is wanted here."), hint)
}

/// JSON pointer (RFC 6901) of a path.
fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |mut pointer, segment| {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
        pointer
    })
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use futures_util::FutureExt;

    fn json<T: DeserializeOwned>(content_type: &str, body: &str) -> Result<T, Problem> {
        let mut request = Request::builder();
        if !content_type.is_empty() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        Json::<T>::from_request(request, &()).now_or_never().unwrap().map(|Json(value)| value)
    }

    #[test]
    fn faults_of_a_body_point_at_their_place() {
        let table = [
            (r#"{"name":"a","size":1}"#, "unknown_field", "/size"),
            (r#"{"algorithm":"RSA"}"#, "missing_field", "/name"),
            (r#"{"name":"a","name":"b","algorithm":"RSA"}"#, "duplicate_field", "/name"),
            (r#"{"name":7,"algorithm":"RSA"}"#, "invalid_type", "/name"),
            (r#"{"name":"a","algorithm":"RSA","length":-1}"#, "invalid_type", "/length"),
            (r#"{"name":"a""#, "malformed_json", ""),
            (r#"{"name":"a"} x"#, "missing_field", "/algorithm"),
            ("", "malformed_json", ""),
            (r#"["a","RSA",2048,null]"#, "invalid_type", ""),
        ];
        for (body, code, place) in table {
            let problem = json::<wire::NewKey>("application/json", body).unwrap_err();
            let document = problem.document();
            assert_eq!((document.status, document.code.as_str()), (400, code), "{body}: {document:?}");
            assert_eq!(document.errors[0].pointer, place, "{body}: {document:?}");
        }
    }

    #[test]
    fn nested_places_are_found() {
        let table = [
            (r#"{"names":["a.example.com",7]}"#, "invalid_type", "/names/1"),
            (r#"{"subject":{"commonName":"a","commonName":"b"}}"#, "duplicate_field", "/subject/commonName"),
            (r#"{"validity":{"until":"x"}}"#, "unknown_field", "/validity/until"),
            (r#"{"subject":{"commonName":[1]}}"#, "invalid_type", "/subject/commonName"),
        ];
        for (body, code, place) in table {
            let problem = json::<wire::Issue>("application/json", body).unwrap_err();
            let document = problem.document();
            assert_eq!((document.code.as_str(), document.errors[0].pointer.as_str()), (code, place), "{document:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said_in_words() {
        let issue = |body: &str| json::<wire::Issue>("application/json", body).unwrap_err().document().clone();
        for (body, detail, hint) in [
            (r#"{"names":"a.internal"}"#, "The value is a text, and a list is wanted here.", "`[\"a.internal\"]`"),
            (r#"{"profile":7}"#, "The value is a number, and a text is wanted here.", "in quotes"),
            (r#"{"profile":["a"]}"#, "The value is a list, and a text is wanted here.", "in quotes"),
            (r#"{"validity":"P90D"}"#, "The value is a text, and an object is wanted here.", "`{…}`"),
        ] {
            let document = issue(body);
            assert_eq!(document.detail, detail, "{body}");
            assert!(document.hint.contains(hint), "{body}: {}", document.hint);
        }
        let key = |body: &str| json::<wire::NewKey>("application/json", body).unwrap_err().document().detail.clone();
        for length in ["\"2048\"", "-1", "2048.5", "true"] {
            let said = key(&format!(r#"{{"name":"a","algorithm":"RSA","length":{length}}}"#));
            assert!(said.ends_with("a whole number in range is wanted here."), "{length}: {said}");
        }
    }

    #[test]
    fn trailing_text_is_refused() {
        let problem = json::<wire::NewVault>("application/json", r#"{"name":"a"} x"#).unwrap_err();
        assert_eq!(problem.document().code, "malformed_json");
    }

    #[test]
    fn depth_is_bounded_outside_of_strings() {
        let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
        assert_eq!(json::<wire::NewVault>("application/json", &deep).unwrap_err().document().code, "json_too_deep");
        assert!(!deeper_than(br#"{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[["}"#, 32));
        assert!(!deeper_than(format!("{}{}", "[]".repeat(99), "").as_bytes(), 32));
    }

    #[test]
    fn the_content_type_must_be_json() {
        let body = r#"{"name":"a"}"#;
        for fine in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;charset=\"UTF-8\""] {
            assert!(json::<wire::NewVault>(fine, body).is_ok(), "{fine}");
        }
        for wrong in ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
            let problem = json::<wire::NewVault>(wrong, body).unwrap_err();
            assert_eq!(problem.document().status, 415);
            let hint = "add -H 'Content-Type: application/json' or use curl --json";
            assert_eq!(problem.document().hint, hint);
        }
    }

    #[test]
    fn a_csr_comes_as_json_or_alone() {
        let body = |content_type: &str, body: &str| {
            let request =
                Request::builder().header(CONTENT_TYPE, content_type).body(Body::from(body.to_owned())).unwrap();
            SignBody::from_request(request, &()).now_or_never().unwrap()
        };
        assert!(matches!(body("application/pkcs10", "x"), Ok(SignBody::Pkcs10(bytes)) if &bytes[..] == b"x"));
        assert!(matches!(body("application/json", r#"{"csr":"x"}"#), Ok(SignBody::Json(sign)) if sign.csr == "x"));
        for wrong in ["text/plain", "application/x-pem-file"] {
            let problem = body(wrong, "x").err().unwrap();
            assert_eq!(problem.document().status, 415);
            assert!(problem.document().hint.contains("application/pkcs10"));
        }
    }
}
