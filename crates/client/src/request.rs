//! Requests with options, and their answers.

use crate::connection::request_path;
use crate::{Client, Error};
use bytes::Bytes;
use certwright_wire::Problem;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Write as _;

/// A path from its parts, each percent-encoded (RFC 3986 section 2.1): `path(["v1", "vaults", name])`.
pub fn path<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> String {
    let mut path = String::new();
    for part in parts {
        path.push('/');
        encode(part.as_ref(), &mut path);
    }
    path
}

/// A request to be sent.
pub struct Request<'a> {
    client: &'a Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl<'a> Request<'a> {
    pub(crate) fn new(client: &'a Client, method: Method, path: String) -> Self {
        Self { client, method, path, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Query parameters from a flat structure; fields that are `null` or missing are left out.
    ///
    /// # Errors
    /// [`Error::Config`] where a field is a list or an object.
    pub fn query(mut self, query: &impl Serialize) -> Result<Self, Error> {
        use serde_json::Value;
        let refused = || Error::Config("A query has flat fields only.".to_owned());
        let Ok(Value::Object(fields)) = serde_json::to_value(query) else { return Err(refused()) };
        for (name, value) in fields {
            let value = match value {
                Value::Null => continue,
                Value::Bool(value) => value.to_string(),
                Value::Number(value) => value.to_string(),
                Value::String(value) => value,
                Value::Array(_) | Value::Object(_) => return Err(refused()),
            };
            self.path.push(if self.path.contains('?') { '&' } else { '?' });
            encode(&name, &mut self.path);
            self.path.push('=');
            encode(&value, &mut self.path);
        }
        Ok(self)
    }

    /// A header, for example `If-Match` or `Idempotency-Key`.
    ///
    /// # Errors
    /// [`Error::Config`] where it cannot be a header.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let refused = || Error::Config(format!("`{}` is not a header or cannot have this value.", name.escape_debug()));
        let name: HeaderName = name.parse().map_err(|_| refused())?;
        self.headers.insert(name, value.parse().map_err(|_| refused())?);
        Ok(self)
    }

    /// The format of the answer, instead of JSON.
    ///
    /// # Errors
    /// As [`Request::header`].
    pub fn accept(self, media_type: &str) -> Result<Self, Error> {
        self.header(ACCEPT.as_str(), media_type)
    }

    /// A body of JSON.
    ///
    /// # Errors
    /// [`Error::Config`] where it cannot be written as JSON.
    pub fn json(self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::Config(format!("The body is no JSON: {error}.")))?;
        self.body("application/json", body)
    }

    /// A body of another type, for example a CSR as `application/pkcs10`.
    ///
    /// # Errors
    /// As [`Request::header`].
    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Result<Self, Error> {
        self.body = body.into();
        self.header(CONTENT_TYPE.as_str(), media_type)
    }

    /// Sends it. A status of 400 and above is an error.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn send(self) -> Result<Answer, Error> {
        let connector = &self.client.0.connector;
        let mut request = http::Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = request_path(connector.prefix(), &self.path)?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("certwright/", env!("CARGO_PKG_VERSION"))));
        let host = HeaderValue::from_str(connector.authority());
        headers.insert(HOST, host.map_err(|_| Error::Config("The URL's host is no host name.".to_owned()))?);
        if let Some(authorization) = &self.client.0.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        headers.extend(self.headers);
        self.client.send(request).await
    }
}

/// An answer, read to its end.
pub struct Answer {
    head: response::Parts,
    body: Bytes,
}

impl Answer {
    pub(crate) fn new(head: response::Parts, body: Bytes) -> Self {
        Self { head, body }
    }

    /// Status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The `ETag`, to be given back in `If-Match`.
    pub fn etag(&self) -> Option<&str> {
        self.header(ETAG.as_str())
    }

    /// The id of the call, as the server's log and audit trail have it.
    pub fn request_id(&self) -> Option<&str> {
        self.header("x-request-id")
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, kept.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// The body as JSON. Without a body: JSON's `null`.
    ///
    /// # Errors
    /// [`Error::Answer`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let body: &[u8] = if self.body.is_empty() { b"null" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| Error::Answer(error.to_string()))
    }

    /// The answer, unless it is a refusal (or a redirect, which is not followed: the token is for this server alone).
    pub(crate) fn accepted(self) -> Result<Self, Error> {
        if self.head.status.is_success() {
            return Ok(self);
        }
        let is_problem = self.header(CONTENT_TYPE.as_str()).is_some_and(|media_type| {
            media_type.split(';').next().is_some_and(|essence| essence.trim() == "application/problem+json")
        });
        match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) if is_problem => Err(Error::Problem(Box::new(problem))),
            _ => Err(Error::Status {
                status: self.head.status.as_u16(),
                text: String::from_utf8_lossy(&self.body)
                    .chars()
                    .take(200)
                    .map(|letter| if letter.is_control() { ' ' } else { letter })
                    .collect(),
            }),
        }
    }
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_encoded() {
        assert_eq!(path(["v1", "vaults", "a/b ?ü"]), "/v1/vaults/a%2Fb%20%3F%C3%BC");
        let client = Client::builder("http://127.0.0.1:1").build().unwrap();
        let query = serde_json::json!({"q": "a&b=c", "limit": 7, "dryRun": true, "cursor": null});
        let request = client.request(Method::GET, "/v1/issued-certificates").query(&query).unwrap();
        let mut parameters: Vec<&str> = request.path.split_once('?').unwrap().1.split('&').collect();
        parameters.sort_unstable();
        assert_eq!(parameters, ["dryRun=true", "limit=7", "q=a%26b%3Dc"]);
        let nested = client.request(Method::GET, "/").query(&serde_json::json!({"a": []}));
        assert!(matches!(nested, Err(Error::Config(_))));
    }
}
