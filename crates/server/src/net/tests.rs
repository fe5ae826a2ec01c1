//! Real sockets against a small router: draining, HTTP/2, bounds. Nothing waits for time to pass.

use super::*;
use crate::tls::{self, HotCertificate};
use axum::Router;
use axum::routing::{get, post};
use certwright_app::ClientCertificate;
use certwright_app::sha256;
use http::{Request, StatusCode, Version};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

const MINUTE: Duration = Duration::from_secs(60);
const BOUNDS: Bounds = Bounds {
    connections: 8,
    own: 0,
    per_address: 4,
    head_bytes: 8 << 10,
    head_time: MINUTE,
    handshake_time: MINUTE,
    idle_time: MINUTE,
};

/// A listener with a handler that waits until it is let go.
struct Rig {
    address: SocketAddr,
    entered: Arc<Notify>,
    leave: Arc<Notify>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Rig {
    fn new(tls: bool, bounds: Bounds) -> Self {
        let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (inside, outside) = (Arc::clone(&entered), Arc::clone(&leave));
        let wait = move || async move {
            inside.notify_one();
            outside.notified().await;
            "done"
        };
        let router = Router::new()
            .route("/fast", get(|request: Request<axum::body::Body>| async move { format!("{:?}", request.version()) }))
            .route("/slow", get(wait))
            .route("/shown", get(shown))
            .route("/echo", post(|body: String| async move { body }));
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let tls = tls.then(|| {
            let data = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
            let home = tempfile::tempdir().unwrap();
            let key = home.path().join("key");
            crate::folder::write_file(&key, &std::fs::read(data("one.key")).unwrap(), 0o600).unwrap();
            let certificate = tls::from_files(&data("one.pem"), &key).unwrap();
            TlsAcceptor::from(tls::server_config(HotCertificate::new(certificate)).unwrap())
        });
        let running = tokio::spawn(Listener { name: "test", socket, tls, door: router, bounds }.run(stopped));
        Self { address, entered, leave, stop, running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn http1(&self) -> (http1::SendRequest<String>, JoinHandle<hyper::Result<()>>) {
        let (send, connection) = http1::handshake(TokioIo::new(self.connect().await)).await.unwrap();
        (send, tokio::spawn(connection))
    }
}

/// The client certificate that the connection has proven.
async fn shown(request: Request<axum::body::Body>) -> String {
    request.extensions().get::<ClientCertificate>().map_or_else(String::new, |shown| shown.0.to_string())
}

fn ask(path: &str) -> Request<String> {
    Request::get(format!("http://localhost{path}")).header("host", "localhost").body(String::new()).unwrap()
}

#[tokio::test]
async fn draining_refuses_new_callers_ends_idle_ones_and_lets_busy_ones_finish() {
    let rig = Rig::new(false, BOUNDS);
    let (mut idle, idle_connection) = rig.http1().await;
    assert_eq!(idle.send_request(ask("/fast")).await.unwrap().status(), StatusCode::OK);
    let (mut busy, _connection) = rig.http1().await;
    let answer = tokio::spawn(async move { busy.send_request(ask("/slow")).await });
    rig.entered.notified().await;

    rig.stop.send_replace(true);
    idle_connection.await.unwrap().unwrap();
    // The idle connection was ended by the drain, so the socket is closed by now.
    assert!(TcpStream::connect(rig.address).await.is_err());
    assert!(!rig.running.is_finished(), "a request is in flight");

    rig.leave.notify_one();
    assert_eq!(answer.await.unwrap().unwrap().status(), StatusCode::OK);
    rig.running.await.unwrap();
}

#[tokio::test]
async fn http2_is_spoken_with_those_who_ask_for_it_in_tls() {
    let rig = Rig::new(true, BOUNDS);
    for (protocol, version) in [(&b"h2"[..], Version::HTTP_2), (b"http/1.1", Version::HTTP_11)] {
        let mut roots = RootCertStore::empty();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/root.pem");
        roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, rig.connect().await).await.unwrap();
        let answer = if version == Version::HTTP_2 {
            let (mut send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            send.send_request(ask("/fast")).await.unwrap()
        } else {
            let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            send.send_request(ask("/fast")).await.unwrap()
        };
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, version));
    }
    rig.stop.send_replace(true);
    rig.running.await.unwrap();
}

#[tokio::test]
async fn one_address_has_its_share_of_connections() {
    let rig = Rig::new(false, BOUNDS);
    let mut seated = Vec::new();
    for _ in 0..BOUNDS.per_address {
        let (mut send, connection) = rig.http1().await;
        // The answer proves that the connection has its seat.
        send.send_request(ask("/fast")).await.unwrap();
        seated.push((send, connection));
    }
    let mut refused = rig.connect().await;
    assert_eq!(refused.read(&mut [0]).await.unwrap_or(0), 0, "closed without a word");
    let (send, connection) = seated.pop().unwrap();
    drop(send);
    connection.await.unwrap().unwrap();
    // The seat is given back when the server's side has seen the end; asking again until then is all one can do.
    loop {
        let (mut send, _connection) = rig.http1().await;
        if send.send_request(ask("/fast")).await.is_ok() {
            break;
        }
    }
    rig.stop.send_replace(true);
    drop(seated);
    rig.running.await.unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let rig = Rig::new(false, BOUNDS);
    let mut stream = rig.connect().await;
    let head = format!("GET /fast HTTP/1.1\r\nHost: x\r\nX-Padding: {}\r\n\r\n", "x".repeat(BOUNDS.head_bytes));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

/// What the listener says of a client that shows the certificate of `shown` and signs with the key of `signer`; `None`: the
/// handshake failed.
async fn seen(
    rig: &Rig,
    version: &'static rustls::SupportedProtocolVersion,
    client: Option<(&str, &str)>,
) -> Option<String> {
    let data = |name: String| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data("root.pem".to_owned())).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[version]).unwrap();
    let config = config.with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some((shown, signer)) => {
            let certificate = CertificateDer::from_pem_file(data(format!("{shown}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(data(format!("{signer}.key"))).unwrap();
            let key = provider.key_provider.load_private_key(key).unwrap();
            let pair = CertifiedKey::new(vec![certificate], key);
            config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair)))
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, rig.connect().await).await.ok()?;
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let answer = send.send_request(ask("/shown")).await.ok()?;
    let body = axum::body::to_bytes(axum::body::Body::new(answer.into_body()), 1 << 10).await.ok()?;
    Some(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_client_certificate_counts_when_its_key_signs_the_handshake() {
    let rig = Rig::new(true, BOUNDS);
    let one = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/one.pem");
    let one = sha256(&[CertificateDer::from_pem_file(one).unwrap().as_ref()]).to_string();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        assert_eq!(seen(&rig, version, Some(("one", "one"))).await, Some(one.clone()));
        assert_eq!(seen(&rig, version, None).await, Some(String::new()), "nobody has to show one");
        assert_eq!(seen(&rig, version, Some(("one", "two"))).await, None, "somebody else's certificate");
    }
    rig.stop.send_replace(true);
    rig.running.await.unwrap();
}
