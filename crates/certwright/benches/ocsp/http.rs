//! HTTP/1.1 with as little work as possible: prepared bytes go out, an answer is read to the length it announces.

use anyhow::{Context, Result, bail, ensure};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request that only has to be written, and how its answer's body must begin.
pub(crate) struct Request {
    bytes: Vec<u8>,
    expected: &'static [u8],
}

impl Request {
    /// OCSP by POST; a successful response begins with the status 0.
    pub(crate) fn ocsp(path: &str, port: u16, body: &[u8]) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/ocsp-request\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        Self { bytes: [head.as_bytes(), body].concat(), expected: &[0x0a, 1, 0] }
    }

    /// A GET.
    pub(crate) fn get(path: &str, port: u16, expected: &'static [u8]) -> Self {
        Self { bytes: format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").into_bytes(), expected }
    }
}

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    /// Sends a request and reads its answer, which must be a 200 with what was expected; the body.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Result<&[u8]> {
        self.stream.write_all(&request.bytes).await?;
        let mut filled = 0_usize;
        let mut whole = None;
        loop {
            let read = self.stream.read(self.buffer.get_mut(filled..).unwrap_or_default()).await?;
            ensure!(read > 0, "the server closed the connection");
            filled = filled.saturating_add(read);
            let answer = self.buffer.get(..filled).unwrap_or_default();
            if whole.is_none() {
                whole = head(answer)?;
            }
            if let Some((start, end)) = whole
                && filled >= end
            {
                let body = self.buffer.get(start..end).context("no body")?;
                let beginning = body.get(..12.min(body.len())).unwrap_or_default();
                let fits = beginning.windows(request.expected.len()).any(|window| window == request.expected);
                if !fits || !self.buffer.starts_with(b"HTTP/1.1 200") {
                    bail!("{}", String::from_utf8_lossy(self.buffer.get(..end).unwrap_or_default()));
                }
                return Ok(body);
            }
        }
    }
}

/// Where the body begins and ends, once the head is complete.
fn head(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .with_context(|| format!("an answer without Content-Length: {text}"))?
        .1;
    let start = end.saturating_add(4);
    Ok(Some((start, start.saturating_add(length.trim().parse()?))))
}
