//! One HTTP/1.1 connection, plain or with TLS.

use crate::target::Target;
use crate::{Answer, Error};
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Opens connections to one server.
pub(crate) struct Connector {
    host: String,
    port: u16,
    authority: String,
    prefix: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// Checks URL and CA certificates.
    pub(crate) fn new(base_url: &str, ca_pem: Option<&str>) -> Result<Self, Error> {
        let target = Target::parse(base_url)?;
        let tls = if target.tls {
            let name = ServerName::try_from(target.host.clone())
                .map_err(|_| Error::Config(format!("`{}` is not a host name.", target.host.escape_debug())))?;
            Some((TlsConnector::from(Arc::new(tls_config(ca_pem)?)), name))
        } else {
            None
        };
        Ok(Self { host: target.host, port: target.port, authority: target.authority, prefix: target.prefix, tls })
    }

    /// `Host` header of the server.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Path in front of every request's path.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| {
            Error::Connect(format!("No server answers at {} port {}: {error}.", self.host, self.port))
        })?;
        // Requests are small and each waits for its answer.
        stream.set_nodelay(true).map_err(|error| Error::Connect(error.to_string()))?;
        match &self.tls {
            None => Connection::open(stream).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(|error| {
                    Error::Tls(format!("No TLS connection to {} port {}: {error}.", self.host, self.port))
                })?;
                Connection::open(stream).await
            }
        }
    }
}

/// Trust: the given certificates and nothing else.
fn tls_config(ca_pem: Option<&str>) -> Result<ClientConfig, Error> {
    let pem = ca_pem.ok_or_else(|| {
        Error::Config(
            "An `https://` URL needs the CA certificates to trust; the server keeps its own in `tls/ca.pem`."
                .to_owned(),
        )
    })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate =
            certificate.map_err(|error| Error::Config(format!("The CA certificates are not PEM: {error}.")))?;
        roots.add(certificate).map_err(|error| Error::Config(format!("A CA certificate cannot be used: {error}.")))?;
    }
    if roots.is_empty() {
        return Err(Error::Config("There is no certificate among the CA certificates.".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Config(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// One HTTP/1.1 connection: a request, its answer, the next request. It closes when dropped.
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    async fn open(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, Error> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // What breaks the connection is told to whoever waits for an answer on it. The task ends with the sender.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self(sender))
    }

    /// May another request be sent?
    pub fn is_usable(&self) -> bool {
        self.0.is_ready() && !self.0.is_closed()
    }

    /// Sends a complete request (absolute path, `Host`) and reads the whole answer of at most `max_answer` bytes. A status
    /// of 400 and above is an answer here, too.
    ///
    /// # Errors
    /// [`Error::NotSent`], [`Error::Broken`], [`Error::TooLong`].
    pub async fn exchange(&mut self, request: http::Request<Bytes>, max_answer: usize) -> Result<Answer, Error> {
        self.0.ready().await.map_err(|_| Error::NotSent)?;
        let response = self.0.try_send_request(request.map(Full::new)).await.map_err(|mut error| {
            // hyper gives the request back where no byte of it was sent.
            if error.take_message().is_some() { Error::NotSent } else { broken(error.into_error()) }
        })?;
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, max_answer).collect().await.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => broken(*error),
                Err(_) => Error::TooLong(max_answer),
            })?;
        Ok(Answer::new(head, body.to_bytes()))
    }

    /// As [`Connection::exchange`], but a refusal is an error.
    pub(crate) async fn send(&mut self, request: http::Request<Bytes>, max_answer: usize) -> Result<Answer, Error> {
        self.exchange(request, max_answer).await?.accepted()
    }
}

/// The absolute path that goes into the request line.
pub(crate) fn request_path(prefix: &str, path: &str) -> Result<Uri, Error> {
    let refused = || Error::Config(format!("`{}` is not the path of a request.", path.escape_debug()));
    if !path.starts_with('/') {
        return Err(refused());
    }
    format!("{prefix}{path}").parse().map_err(|_| refused())
}

fn broken(error: hyper::Error) -> Error {
    Error::Broken(error.to_string())
}
