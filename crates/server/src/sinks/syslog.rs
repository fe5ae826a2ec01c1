//! Syslog (RFC 5424): datagrams to the socket of the system, and connections with octet counting (RFC 6587 section 3.4.1),
//! with or without TLS (RFC 5425).
//!
//! Receivers of syslog acknowledge nothing. A datagram counts as taken when the system has put it into the receiver's queue. Over
//! a connection every batch is one of its own: we send it, say that it was all, and wait for the receiver to close. It
//! does that when it has read to the end; a receiver that dies before, or never reads, has the batch sent again.

use crate::outbound::{self, Resolve, Trust};
use async_trait::async_trait;
use certwright_app::{AuditSink, OutboundError, SinkError, SinkEvent};
use certwright_domain::http_url::Host;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixDatagram;

/// Severities (RFC 5424 section 6.2.1).
const WARNING: u8 = 4;
const INFORMATIONAL: u8 = 6;

/// How messages look.
pub(super) struct Format {
    facility: u8,
    host: String,
}

impl Format {
    /// `facility`: its number, 0 to 23. `host`: the machine's name.
    pub(super) fn new(facility: u8, host: &str) -> Self {
        Self { facility, host: printable(host, 255) }
    }

    /// An event as a message, without structured data: everything stands in its line of JSON.
    fn message(&self, event: &SinkEvent, line: &str) -> String {
        let severity = if event.succeeded { INFORMATIONAL } else { WARNING };
        let priority = self.facility.saturating_mul(8).saturating_add(severity);
        let (at, host, process) = (event.at, &self.host, std::process::id());
        let action = printable(&event.action, 32);
        format!("<{priority}>1 {at} {host} certwright {process} {action} - {line}")
    }
}

/// A field of the header (PRINTUSASCII); `-` when nothing is left.
fn printable(text: &str, most: usize) -> String {
    let field: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if field.is_empty() { "-".to_owned() } else { field }
}

/// The socket of the system's own syslog.
pub(super) struct Datagrams {
    path: PathBuf,
    format: Format,
}

impl Datagrams {
    pub(super) fn new(path: PathBuf, format: Format) -> Self {
        Self { path, format }
    }
}

#[async_trait]
impl AuditSink for Datagrams {
    async fn ship(&self, events: &[SinkEvent]) -> Result<(), SinkError> {
        let away = |_| SinkError::Unreachable;
        let socket = UnixDatagram::unbound().map_err(away)?;
        socket.connect(&self.path).map_err(away)?;
        for event in events {
            let whole = socket.send(self.format.message(event, &event.line).as_bytes()).await;
            match whole {
                Err(error) if error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error()) => {
                    // Better without its details than never.
                    socket.send(self.format.message(event, &event.short).as_bytes()).await.map_err(away)?;
                }
                other => drop(other.map_err(away)?),
            }
        }
        Ok(())
    }
}

/// A receiver across the network.
pub(super) struct Stream {
    host: Host,
    port: u16,
    resolver: Arc<dyn Resolve>,
    /// With TLS: whom to trust.
    trust: Option<Arc<Trust>>,
    format: Format,
}

impl Stream {
    pub(super) fn new(
        host: Host,
        port: u16,
        resolver: Arc<dyn Resolve>,
        trust: Option<Arc<Trust>>,
        format: Format,
    ) -> Self {
        Self { host, port, resolver, trust, format }
    }
}

#[async_trait]
impl AuditSink for Stream {
    async fn ship(&self, events: &[SinkEvent]) -> Result<(), SinkError> {
        let mut frames = Vec::new();
        for event in events {
            let message = self.format.message(event, &event.line);
            frames.extend_from_slice(format!("{} ", message.len()).as_bytes());
            frames.extend_from_slice(message.as_bytes());
        }
        let stream = outbound::open(&*self.resolver, &self.host, self.port).await.map_err(away)?;
        match &self.trust {
            None => hand_over(stream, &frames).await,
            Some(trust) => {
                let stream = outbound::open_tls(trust, &self.host, stream).await.map_err(away)?;
                hand_over(stream, &frames).await
            }
        }
    }
}

fn away(error: OutboundError) -> SinkError {
    match error {
        OutboundError::Tls(why) => SinkError::Tls(why),
        _ => SinkError::Unreachable,
    }
}

async fn hand_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, frames: &[u8]) -> Result<(), SinkError> {
    let broken = |_| SinkError::Broken;
    stream.write_all(frames).await.map_err(broken)?;
    stream.shutdown().await.map_err(broken)?;
    match stream.read(&mut [0; 1]).await {
        Ok(0) => Ok(()),
        Ok(_) => Err(SinkError::Answered),
        // Many a receiver ends TLS without saying so; it has closed the connection in order all the same.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Err(_) => Err(SinkError::Broken),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::outbound::SystemResolver;
    use certwright_domain::time::Timestamp;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;
    use tokio::net::{TcpListener, TcpStream};

    pub(in super::super) fn event(line: &str) -> SinkEvent {
        SinkEvent {
            at: Timestamp::from_unix_ms(1_700_000_000_120),
            action: "certificate.issue".to_owned(),
            succeeded: true,
            line: line.to_owned(),
            short: "short".to_owned(),
        }
    }

    fn format() -> Format {
        Format::new(10, "ca one\u{e9}.example.com")
    }

    #[test]
    fn messages_are_those_of_rfc_5424() {
        let process = std::process::id();
        assert_eq!(
            format().message(&event("{\"a\":1}"), "{\"a\":1}"),
            format!(
                "<86>1 2023-11-14T22:13:20.120Z caone.example.com certwright {process} certificate.issue - {{\"a\":1}}"
            )
        );
        let refused = SinkEvent { succeeded: false, action: " \n".to_owned(), ..event("x") };
        let message = Format::new(23, "").message(&refused, "x");
        assert_eq!(message, format!("<188>1 2023-11-14T22:13:20.120Z - certwright {process} - - x"));
        let long = SinkEvent { action: "a".repeat(99), ..event("x") };
        assert!(format().message(&long, "x").contains(&format!(" {} - x", "a".repeat(32))));
    }

    #[tokio::test]
    async fn datagrams_come_one_an_event_and_shortened_when_they_do_not_fit() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let sink = Datagrams::new(path.clone(), format());
        assert_eq!(sink.ship(&[event("one")]).await, Err(SinkError::Unreachable));
        let receiver = UnixDatagram::bind(&path).unwrap();
        let huge = "x".repeat(8 << 20);
        sink.ship(&[event("one"), event(&huge), event("three")]).await.unwrap();
        let mut buffer = vec![0; 64 << 10];
        for expected in ["one", "short", "three"] {
            let length = receiver.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            assert!(text.starts_with("<86>1 ") && text.ends_with(&format!(" - {expected}")), "{text}");
        }
    }

    async fn receiver() -> (TcpListener, Stream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = Host::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        (listener, Stream::new(host, port, Arc::new(SystemResolver), None, format()))
    }

    async fn read_all(mut connection: TcpStream) -> String {
        let mut text = String::new();
        connection.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_connection_counts_octets_and_counts_as_taken_when_it_was_read_to_the_end() {
        let (listener, sink) = receiver().await;
        let events = [event("one\u{e9}"), event("two")];
        let (shipped, text) =
            tokio::join!(sink.ship(&events), async { read_all(listener.accept().await.unwrap().0).await });
        shipped.unwrap();
        let (first, second) = (format().message(&events[0], "one\u{e9}"), format().message(&events[1], "two"));
        assert_eq!(text, format!("{} {first}{} {second}", first.len(), second.len()));
        drop(listener);
        assert_eq!(sink.ship(&events).await, Err(SinkError::Unreachable));
    }

    #[tokio::test]
    async fn who_closes_before_the_end_or_answers_has_taken_nothing() {
        let (listener, sink) = receiver().await;
        let large = event(&"x".repeat(1 << 20));
        let (shipped, ()) = tokio::join!(sink.ship(std::slice::from_ref(&large)), async {
            drop(listener.accept().await.unwrap());
        });
        assert_eq!(shipped, Err(SinkError::Broken));
        let (shipped, ()) = tokio::join!(sink.ship(std::slice::from_ref(&large)), async {
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.read_to_end(&mut Vec::new()).await.unwrap();
            connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        assert_eq!(shipped, Err(SinkError::Answered));
    }

    #[tokio::test]
    async fn who_never_reads_has_taken_nothing() {
        let (listener, sink) = receiver().await;
        // Small enough for the buffers of both systems: everything is sent at once, and yet nobody has read it.
        let small = event("one");
        let mut shipping = Box::pin(sink.ship(std::slice::from_ref(&small)));
        let (connection, _) = tokio::select! {
            done = &mut shipping => panic!("{done:?}"),
            accepted = listener.accept() => accepted.unwrap(),
        };
        let early = tokio::time::timeout(Duration::from_millis(50), &mut shipping).await;
        assert!(early.is_err(), "{early:?}");
        let (shipped, _) = tokio::join!(shipping, read_all(connection));
        shipped.unwrap();
    }
}
