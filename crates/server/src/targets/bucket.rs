//! An S3-compatible bucket as a target. The library makes and signs requests; they leave through our own way out.
//!
//! The address is the operator's choice, so the egress guard of webhooks does not judge it: a bucket may well stand on a
//! private network. Everything else of the way out holds: no proxy, no redirects, TLS with the operator's trust, bounded
//! answers.

use crate::config::BucketSettings;
use crate::outbound::{Resolve, Trust, exchange};
use crate::{Error, folder};
use async_trait::async_trait;
use certwright_app::{OutboundError, Target, TargetError, TargetObject};
use certwright_domain::http_url::HttpUrl;
use http::StatusCode;
use http_body_util::BodyExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, ClientOptions, CredentialProvider, ObjectStore as _, PutOptions, PutPayload, RetryConfig,
};
use std::path::PathBuf;
use std::sync::Arc;

/// Largest secret key; those of AWS have 40 characters.
const MAX_SECRET: usize = 1024;

/// A bucket.
pub(super) struct Bucket {
    store: AmazonS3,
    prefix: Option<String>,
}

impl Bucket {
    /// Reads the secret once, so that a wrong path is told at start.
    pub(super) fn new(settings: &BucketSettings, resolver: Arc<dyn Resolve>, trust: Arc<Trust>) -> Result<Self, Error> {
        let secret = SecretFile { id: settings.access_key_id.clone(), path: settings.secret_key_file.clone() };
        secret.read()?;
        let store = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_endpoint(settings.endpoint.to_string().trim_end_matches('/'))
            .with_allow_http(!settings.endpoint.is_https())
            .with_credentials(Arc::new(secret))
            // Tries are ours: what failed is a row, and comes again.
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(WayOut { resolver, trust })
            .build()
            .map_err(|error| Error::System { doing: "set up a bucket", why: error.to_string() })?;
        Ok(Self { store, prefix: settings.prefix.clone() })
    }
}

#[async_trait]
impl Target for Bucket {
    async fn put(&self, object: &TargetObject) -> Result<(), TargetError> {
        let name = match &self.prefix {
            Some(prefix) => format!("{prefix}/{}", object.name),
            None => object.name.to_string(),
        };
        let path = ObjectPath::parse(name).map_err(|_| TargetError::Malformed)?;
        let seconds = object.keep_for.s();
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, object.content_type.to_owned()),
            (Attribute::CacheControl, format!("public, max-age={seconds}, must-revalidate")),
        ]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        let payload = PutPayload::from_bytes(object.bytes.clone());
        self.store.put_opts(&path, payload, options).await.map(drop).map_err(|error| why(&error))
    }
}

/// The secret key, read from its file for each request, so that it can be replaced while we run.
struct SecretFile {
    id: String,
    path: PathBuf,
}

impl SecretFile {
    fn read(&self) -> Result<AwsCredential, Error> {
        let missing = || Error::file("read", &self.path, std::io::Error::from(std::io::ErrorKind::NotFound));
        let text = folder::read_secret(&self.path)?.ok_or_else(missing)?;
        let secret = text.trim();
        if secret.is_empty() || secret.len() > MAX_SECRET || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let wrong = std::io::Error::new(std::io::ErrorKind::InvalidData, "it holds no secret key");
            return Err(Error::file("use", &self.path, wrong));
        }
        Ok(AwsCredential { key_id: self.id.clone(), secret_key: secret.to_owned(), token: None })
    }
}

impl std::fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretFile(..)")
    }
}

#[async_trait]
impl CredentialProvider for SecretFile {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.read().map(Arc::new).map_err(|error| {
            tracing::error!(%error, "the secret key of a bucket cannot be read");
            object_store::Error::Generic { store: "S3", source: Box::new(TargetError::Refused) }
        })
    }
}

/// Our own way out, as the library wants it.
#[derive(Clone)]
struct WayOut {
    resolver: Arc<dyn Resolve>,
    trust: Arc<Trust>,
}

impl std::fmt::Debug for WayOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WayOut")
    }
}

impl HttpConnector for WayOut {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for WayOut {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let failed = |error: TargetError| HttpError::new(HttpErrorKind::Unknown, error);
        let url = HttpUrl::parse(&request.uri().to_string()).map_err(|_| failed(TargetError::Malformed))?;
        let (mut parts, body) = request.into_parts();
        parts.uri = url.target().parse().map_err(|_| failed(TargetError::Malformed))?;
        let body = body.map_err(Box::new);
        let request = http::Request::from_parts(parts, body);
        let (head, answer) =
            exchange(&*self.resolver, &self.trust, &url, request).await.map_err(|error| failed(unsent(&error)))?;
        // The answer's text is the other side's; its status is enough.
        match head.status {
            status if status.is_success() => Ok(HttpResponse::from_parts(head, answer.into())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(failed(TargetError::Refused)),
            StatusCode::NOT_FOUND => Err(failed(TargetError::Missing)),
            status => Err(failed(TargetError::Status(status.as_u16()))),
        }
    }
}

fn unsent(error: &OutboundError) -> TargetError {
    match error {
        OutboundError::Denied(_) | OutboundError::Unresolvable | OutboundError::Unreachable => TargetError::Unreachable,
        OutboundError::Tls(why) => TargetError::Tls(why),
        OutboundError::Malformed => TargetError::Malformed,
        OutboundError::Timeout => TargetError::Timeout,
    }
}

/// Our own error, wherever the library put it.
fn why(error: &object_store::Error) -> TargetError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(ours) = one.downcast_ref::<TargetError>() {
            return ours.clone();
        }
        cause = one.source();
    }
    TargetError::Malformed
}
