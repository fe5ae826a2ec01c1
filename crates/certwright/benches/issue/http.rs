//! HTTP/1.1 over TLS with as little work as possible: prepared bytes go out, an answer is read to the length it announces.

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Trust in the server's own CA.
pub(crate) fn connector(ca_pem: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A request that only has to be written.
pub(crate) fn request(path: &str, port: u16, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(connector: &TlsConnector, port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).ip());
        Ok(Self { stream: connector.connect(name, stream).await?, buffer: vec![0; 64 * 1024] })
    }

    /// Sends a request and reads its answer, which must be `201`; the body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let mut filled = 0_usize;
        let mut whole = None;
        loop {
            let read = self.stream.read(self.buffer.get_mut(filled..).unwrap_or_default()).await?;
            ensure!(
                read > 0,
                "the server closed the connection, or the answer is longer than {} bytes",
                self.buffer.len()
            );
            filled = filled.saturating_add(read);
            let answer = self.buffer.get(..filled).unwrap_or_default();
            if whole.is_none() {
                whole = head(answer)?;
            }
            if let Some((start, end)) = whole
                && filled >= end
            {
                let answer = self.buffer.get(..end).unwrap_or_default();
                if !answer.starts_with(b"HTTP/1.1 201") {
                    bail!("{}", String::from_utf8_lossy(answer));
                }
                return answer.get(start..).context("no body");
            }
        }
    }
}

/// Where the body begins and ends, once the head is complete.
fn head(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
    let length: usize = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .with_context(|| format!("an answer without Content-Length: {text}"))?
        .1
        .trim()
        .parse()?;
    let start = end.saturating_add(4);
    Ok(Some((start, start.saturating_add(length))))
}
