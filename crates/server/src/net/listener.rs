//! The accept loop: one task per connection, each with a seat, a handshake in time, and HTTP by what TLS agreed on.

use super::admission::{Admission, Seat};
use super::guard::{Activity, Guarded, Patience};
use crate::config::Limits;
use axum::body::Body;
use axum::extract::ConnectInfo;
use certwright_app::ClientCertificate;
use certwright_app::sha256;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt};

/// Streams that one HTTP/2 connection may have open at once.
const STREAMS: u32 = 128;

/// Connections that may wait in the kernel: hundreds of services start at once after a power cut.
const BACKLOG: u32 = 4096;

/// Opens a listening socket.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The bounds of a listener's connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) connections: usize,
    /// Further ones from this machine.
    pub(crate) own: usize,
    pub(crate) per_address: usize,
    pub(crate) head_bytes: usize,
    pub(crate) head_time: Duration,
    pub(crate) handshake_time: Duration,
    pub(crate) idle_time: Duration,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            connections: limits.connections,
            own: 0,
            per_address: limits.connections_per_address,
            head_bytes: limits.headers,
            head_time: limits.header_timeout,
            handshake_time: limits.handshake_timeout,
            idle_time: limits.idle_timeout,
        }
    }
}

/// What answers on a listener: it always has an answer.
pub(crate) trait Door:
    Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<D> Door for D where
    D: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// A socket with what answers on it.
pub(crate) struct Listener<D> {
    /// For logs and metrics: `api` or `plain`.
    pub(crate) name: &'static str,
    /// The socket.
    pub(crate) socket: TcpListener,
    /// TLS, if any.
    pub(crate) tls: Option<TlsAcceptor>,
    /// What answers.
    pub(crate) door: D,
    /// Bounds.
    pub(crate) bounds: Bounds,
}

impl<D: Door> Listener<D> {
    /// Accepts until `stop` says so, then closes the socket and waits for the connections: idle ones end at once, busy
    /// ones after their answer. The caller bounds the wait.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { name, socket, tls, door, bounds } = self;
        let admission = Admission::new(bounds.connections, bounds.own, bounds.per_address);
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = accept(&socket, &admission) => accepted,
            };
            let (stream, peer, seat) = match accepted {
                Ok(Some(accepted)) => accepted,
                Ok(None) => continue,
                Err(error) => {
                    // Out of descriptors, most likely: connections that end free some.
                    tracing::warn!(listener = name, error = %error, "a connection could not be accepted");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let connection = Connection { name, peer, bounds, door: door.clone(), _seat: seat };
            tokio::spawn(connection.serve(stream, tls.clone(), connections.watcher()));
        }
        drop(socket);
        connections.shutdown().await;
    }
}

/// One more connection, once there is room for it; `None`: its address has too many already, or there is room for this machine
/// alone.
async fn accept(socket: &TcpListener, admission: &Arc<Admission>) -> io::Result<Option<(TcpStream, SocketAddr, Seat)>> {
    let Some(room) = admission.room().await else { return Err(io::ErrorKind::ConnectionAborted.into()) };
    let (stream, peer) = socket.accept().await?;
    stream.set_nodelay(true)?;
    let seat = admission.seat(room, peer.ip());
    if seat.is_none() {
        metrics::counter!("certwright_connections_refused_total").increment(1);
    }
    Ok(seat.map(|seat| (stream, peer, seat)))
}

struct Connection<D> {
    name: &'static str,
    peer: SocketAddr,
    bounds: Bounds,
    door: D,
    _seat: Seat,
}

/// Counts an open connection for the metrics.
struct Counted(&'static str);

impl Counted {
    fn new(name: &'static str) -> Self {
        metrics::gauge!("certwright_connections", "listener" => name).increment(1.0);
        Self(name)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("certwright_connections", "listener" => self.0).decrement(1.0);
    }
}

impl<D: Door> Connection<D> {
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>, watcher: Watcher) {
        let _counted = Counted::new(self.name);
        let Some(tls) = tls else { return self.http(stream, (false, None), watcher).await };
        let refused = |why: &'static str| {
            metrics::counter!("certwright_tls_handshakes_failed_total", "why" => why).increment(1);
        };
        match timeout(self.bounds.handshake_time, tls.accept(stream)).await {
            Err(_) => {
                refused("timeout");
                tracing::debug!(peer = %self.peer, "the TLS handshake took too long");
            }
            Ok(Err(error)) => {
                refused("error");
                tracing::debug!(peer = %self.peer, error = %error, "the TLS handshake failed");
            }
            Ok(Ok(stream)) => {
                let session = &stream.get_ref().1;
                let http2 = session.alpn_protocol() == Some(b"h2");
                let shown = session.peer_certificates().and_then(|chain| chain.first());
                let shown = shown.map(|certificate| ClientCertificate(sha256(&[certificate.as_ref()])));
                self.http(stream, (http2, shown), watcher).await;
            }
        }
    }

    async fn http<S>(self, stream: S, (http2, shown): (bool, Option<ClientCertificate>), watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { name, peer, bounds, door, _seat } = self;
        let activity = Arc::<Activity>::default();
        let patience = Patience { head: bounds.head_time, idle: bounds.idle_time, one_at_a_time: !http2 };
        let io = TokioIo::new(Guarded::new(stream, Arc::clone(&activity), patience));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let in_work = activity.begin();
            let door = door.clone();
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(shown) = shown {
                request.extensions_mut().insert(shown);
            }
            async move {
                let answer = door.oneshot(request).await;
                drop(in_work);
                answer
            }
        });
        let outcome = if http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX));
            watcher.watch(builder.serve_connection(io, service)).await
        } else {
            let mut builder = http1::Builder::new();
            // `Guarded` keeps the time of heads: the timer in here would also end kept-alive connections.
            builder.timer(TokioTimer::new()).header_read_timeout(None).max_header_size(bounds.head_bytes);
            watcher.watch(builder.serve_connection(io, service)).await
        };
        if let Err(error) = outcome {
            tracing::debug!(listener = name, peer = %peer, error = %error, "a connection ended early");
        }
    }
}
