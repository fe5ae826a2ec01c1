//! The client against a small server with real TLS, whose certificates `openssl` makes.
#![expect(clippy::unwrap_used, reason = "a test: what goes wrong here must stop it")]

use bytes::Bytes;
use certwright_client::{Client, Error, Method, StatusCode, health, path};
use certwright_wire::SecretText;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A CA and a server certificate for 127.0.0.1, in PEM.
struct Pki {
    ca: String,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = std::process::Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn pki(names: &str) -> Pki {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let ca = [&new[..], &["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA"]].concat();
    openssl(folder, &ca);
    let names = format!("subjectAltName={names}");
    let leaf = ["-keyout", "key.pem", "-out", "leaf.pem", "-subj", "/CN=server", "-CA", "ca.pem", "-CAkey", "ca.key"];
    let leaf = [&new[..], &leaf[..], &["-addext", &names, "-addext", "basicConstraints=critical,CA:false"]].concat();
    openssl(folder, &leaf);
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    Pki { ca: String::from_utf8(read("ca.pem")).unwrap(), certificate: read("leaf.pem"), key: read("key.pem") }
}

/// A server that answers by path, and counts its connections.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(pki: Option<&Pki>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = pki.map(|pki| {
            let chain = CertificateDer::pem_slice_iter(&pki.certificate).map(Result::unwrap).collect();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(chain, PrivateKeyDer::from_pem_slice(&pki.key).unwrap())
                .unwrap();
            TlsAcceptor::from(Arc::new(config))
        });
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    match acceptor {
                        None => drop(http.serve_connection(TokioIo::new(stream), service_fn(answer)).await),
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            drop(http.serve_connection(TokioIo::new(stream), service_fn(answer)).await);
                        }
                    }
                });
            }
        });
        Self { port, connections }
    }

    fn client(&self, pki: &Pki) -> Client {
        let url = format!("https://127.0.0.1:{}", self.port);
        Client::new(&url, SecretText::new("cw_token\n".to_owned()), &pki.ca).unwrap()
    }

    fn plain(&self) -> certwright_client::Builder {
        Client::builder(format!("http://127.0.0.1:{}", self.port))
    }
}

async fn answer(request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let response = http::Response::builder();
    let (response, body) = match head.uri.path() {
        "/echo" | "/under/echo" => {
            let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap());
            let seen = json!({
                "method": head.method.as_str(), "query": head.uri.query(), "path": head.uri.path(),
                "authorization": header("authorization"), "type": header("content-type"), "accept": header("accept"),
                "host": header("host"), "match": header("if-match"), "body": String::from_utf8_lossy(&body),
            });
            (response.header("etag", "\"7\"").header("x-request-id", "r1"), seen.to_string())
        }
        "/problem" => {
            let problem = json!({"type": "urn:certwright:problem:lifetime_too_long", "title": "t", "status": 422,
                "detail": "Too long.", "code": "lifetime_too_long", "hint": "Ask for less.", "requestId": "r2", "retryable": false,
                "errors": [{"pointer": "/validity", "code": "lifetime_too_long", "hint": "Ask for less.", "detail": "Too long."}]});
            (
                response.status(422).header("content-type", "application/problem+json; charset=utf-8"),
                problem.to_string(),
            )
        }
        "/gateway" => (response.status(502), "<h1>bad\u{1b}[31m gateway</h1>".repeat(30)),
        "/redirect" => (response.status(307).header("location", "/echo"), String::new()),
        "/nothing" => (response.status(204), String::new()),
        "/text" => (response, "not JSON".to_owned()),
        "/long" => (response, "x".repeat(100_000)),
        "/close" => (response.header("connection", "close"), "{}".to_owned()),
        "/readyz" => (response, "ok".to_owned()),
        "/never" => std::future::pending().await,
        _ => (response.status(404), "nothing here".to_owned()),
    };
    Ok(response.body(Full::from(body)).unwrap())
}

#[tokio::test]
async fn calls_carry_token_body_and_headers_over_one_connection() {
    let pki = pki("IP:127.0.0.1");
    let server = Server::start(Some(&pki)).await;
    let client = server.client(&pki);
    let seen: Value = client.get("/echo?a=b").await.unwrap();
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["query"], "a=b");
    assert_eq!(seen["authorization"], "Bearer cw_token");
    assert_eq!(seen["accept"], "application/json");
    assert_eq!(seen["host"], format!("127.0.0.1:{}", server.port));
    let body = json!({"name": "v"});
    let seen: Value = client.post("/echo", &body).await.unwrap();
    assert_eq!((&seen["method"], &seen["type"]), (&json!("POST"), &json!("application/json")));
    assert_eq!(seen["body"], body.to_string());
    let seen: Value = client.put("/echo", &body).await.unwrap();
    assert_eq!(seen["method"], "PUT");
    let seen: Value = client.patch("/echo", Some("\"7\""), &body).await.unwrap();
    assert_eq!((&seen["method"], &seen["match"]), (&json!("PATCH"), &json!("\"7\"")));
    client.delete("/nothing").await.unwrap();
    let csr = client.request(Method::POST, path(["echo"])).query(&json!({"profile": "tls-server"})).unwrap();
    let csr = csr.body("application/pkcs10", vec![b'x']).unwrap().accept("application/pem-certificate-chain").unwrap();
    let answer = csr.send().await.unwrap();
    assert_eq!((answer.status(), answer.etag(), answer.request_id()), (StatusCode::OK, Some("\"7\""), Some("r1")));
    let seen: Value = answer.json().unwrap();
    assert_eq!((&seen["type"], &seen["query"]), (&json!("application/pkcs10"), &json!("profile=tls-server")));
    assert_eq!(seen["accept"], "application/pem-certificate-chain");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn refusals_are_typed() {
    let server = Server::start(None).await;
    let client = server.plain().build().unwrap();
    let error = client.get::<Value>("/problem").await.unwrap_err();
    assert_eq!(
        (error.status(), error.code(), error.hint()),
        (Some(422), Some("lifetime_too_long"), Some("Ask for less."))
    );
    assert_eq!(error.to_string(), "Too long.\nAsk for less.\n(lifetime_too_long, HTTP status 422, request r2)");
    let Err(Error::Status { status: 502, text }) = client.get::<Value>("/gateway").await else { panic!() };
    assert!(text.starts_with("<h1>bad [31m gateway") && text.len() == 200, "{text}");
    assert!(matches!(client.get::<Value>("/redirect").await, Err(Error::Status { status: 307, .. })));
    assert!(matches!(client.get::<Value>("/else").await, Err(Error::Status { status: 404, .. })));
    assert!(matches!(client.get::<Value>("/text").await, Err(Error::Answer(_))));
    assert!(matches!(client.get::<Value>("no-slash").await, Err(Error::Config(_))));
    assert_eq!(client.get::<Value>("/nothing").await.unwrap(), Value::Null);
    let error = client.request(Method::GET, "/").header("bad name", "x");
    assert!(matches!(error, Err(Error::Config(_))));
}

#[tokio::test]
async fn a_base_path_stands_in_front() {
    let server = Server::start(None).await;
    let client = Client::builder(format!("http://localhost:{}/under/", server.port)).build().unwrap();
    let seen: Value = client.get("/echo").await.unwrap();
    assert_eq!((&seen["path"], &seen["authorization"]), (&json!("/under/echo"), &Value::Null));
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let server = Server::start(None).await;
    let client = server.plain().max_answer(99_999).timeout(Duration::from_millis(30)).build().unwrap();
    assert!(matches!(client.get::<Value>("/never").await, Err(Error::Timeout(_))));
    let client = server.plain().max_answer(99_999).build().unwrap();
    assert!(matches!(client.get::<Value>("/long").await, Err(Error::TooLong(99_999))));
    let client = server.plain().max_answer(100_000).build().unwrap();
    assert_eq!(client.request(Method::GET, "/long").send().await.unwrap().into_body().len(), 100_000);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let server = Server::start(None).await;
    let client = server.plain().build().unwrap();
    for expected in 1..=3 {
        let _: Value = client.post("/close", &json!({})).await.unwrap();
        assert_eq!(server.connections.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn calls_at_once_have_a_connection_each_and_share_them_later() {
    let server = Server::start(None).await;
    let client = server.plain().build().unwrap();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get::<Value>("/echo").await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let opened = server.connections.load(Ordering::SeqCst);
    assert!(opened <= 4);
    let _: Value = client.get("/echo").await.unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), opened);
    let mut single = client.connection().await.unwrap();
    for _ in 0..3 {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = "/problem".parse().unwrap();
        request.headers_mut().insert("host", "localhost".parse().unwrap());
        assert_eq!(single.exchange(request, 10_000).await.unwrap().status(), 422);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), opened + 1);
}

#[tokio::test]
async fn only_the_given_ca_and_the_right_name_are_trusted() {
    let (ours, other) = (pki("DNS:localhost"), pki("IP:127.0.0.1"));
    let server = Server::start(Some(&ours)).await;
    let client =
        |host: &str, pem: &str| Client::builder(format!("https://{host}:{}", server.port)).ca_pem(pem).build().unwrap();
    client("localhost", &ours.ca).get::<Value>("/echo").await.unwrap();
    client("localhost", &format!("{}{}", other.ca, ours.ca)).get::<Value>("/echo").await.unwrap();
    // The right CA but another name, then the right name but another CA.
    for (host, pem) in [("127.0.0.1", &ours.ca), ("localhost", &other.ca)] {
        assert!(matches!(client(host, pem).get::<Value>("/echo").await, Err(Error::Tls(_))));
    }
    let https = format!("https://localhost:{}", server.port);
    for pem in [None, Some(""), Some("no PEM"), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
    {
        let mut builder = Client::builder(https.as_str());
        if let Some(pem) = pem {
            builder = builder.ca_pem(pem);
        }
        assert!(matches!(builder.build(), Err(Error::Config(_))), "{pem:?}");
    }
    let token = SecretText::new("two\nlines".to_owned());
    assert!(matches!(Client::builder("http://127.0.0.1:1").token(token).build(), Err(Error::Config(_))));
}

#[tokio::test]
async fn health_asks_readyz_or_the_path_given() {
    let server = Server::start(None).await;
    let url = |rest: &str| format!("http://127.0.0.1:{}{rest}", server.port);
    health(&url("")).await.unwrap();
    health(&url("/")).await.unwrap();
    health(&url("/readyz")).await.unwrap();
    assert!(matches!(health(&url("/gateway")).await, Err(Error::Status { status: 502, .. })));
    assert!(matches!(health("http://ca.example.com").await, Err(Error::Config(_))));
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert!(matches!(health(&format!("http://127.0.0.1:{port}")).await, Err(Error::Connect(_))));
}
