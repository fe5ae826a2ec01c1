//! An ACME client that can do everything wrong.

use crate::server::{PUBLIC, Server};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_app::{ClientCertificate, sha256};
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Mutex;
use tower::ServiceExt;

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs requests.
pub(crate) enum Signer {
    Ec(&'static str, EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub(crate) fn es256() -> Self {
        Self::Ec("ES256", EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// One of each kind that is taken.
    pub(crate) fn every() -> Vec<Self> {
        vec![
            Self::es256(),
            Self::Ec("ES384", EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            Self::Ec("ES512", EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap()),
            Self::Ed(Ed25519KeyPair::generate().unwrap()),
            Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        ]
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Ec(alg, _) => alg,
            Self::Ed(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Ec(alg, key) => {
                let curve = match *alg {
                    "ES256" => "P-256",
                    "ES384" => "P-384",
                    _ => "P-521",
                };
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
            }
            Self::Ed(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().as_ref())}),
            Self::Rsa(key) => {
                let public = key.public_key();
                let (n, e) = (public.modulus().big_endian_without_leading_zero(), public.exponent());
                json!({"kty": "RSA", "n": b64(n), "e": b64(e.big_endian_without_leading_zero())})
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ec(_, key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// The JWS of this header and payload.
    pub(crate) fn jws(&self, protected: &Value, payload: &[u8]) -> Value {
        let (protected, payload) = (b64(protected.to_string()), b64(payload));
        let signature = self.sign(format!("{protected}.{payload}").as_bytes());
        json!({"protected": protected, "payload": payload, "signature": b64(signature)})
    }

    /// RFC 7638: `serde_json` writes members in the order of the alphabet.
    pub(crate) fn thumbprint(&self) -> String {
        b64(sha256(&[self.jwk().to_string().as_bytes()]).0)
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    asked: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn links(&self) -> Vec<&str> {
        self.headers.get_all("link").iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub(crate) fn location(&self) -> String {
        self.header("location").unwrap_or_else(|| panic!("{self:?} has no Location")).to_owned()
    }

    /// It must be this.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.asked, String::from_utf8_lossy(&self.body));
        self
    }

    /// It must be this problem, and a whole one.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, kind: &str) -> Self {
        let reply = self.is(status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let problem = reply.json();
        assert_eq!(problem["type"], format!("urn:ietf:params:acme:error:{kind}"), "{}: {problem}", reply.asked);
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        assert!(problem.get("subproblems").is_none_or(|them| !them.as_array().unwrap().is_empty()), "T17: {problem}");
        reply
    }
}

/// A client of one directory.
pub(crate) struct Client<'s> {
    pub(crate) server: &'s Server,
    pub(crate) directory: String,
    pub(crate) key: Signer,
    /// URL of the account.
    pub(crate) kid: String,
    pub(crate) nonces: Mutex<Vec<(String, Timestamp)>>,
    /// SHA-256 of the client certificate that its connection has proven.
    pub(crate) shown: Mutex<Option<Sha256>>,
}

impl<'s> Client<'s> {
    /// With a key and no account.
    pub(crate) fn stranger(server: &'s Server, directory: &str, key: Signer) -> Self {
        Self {
            server,
            directory: directory.to_owned(),
            key,
            kid: String::new(),
            nonces: Mutex::default(),
            shown: Mutex::default(),
        }
    }

    /// With an account in `default`.
    pub(crate) async fn new(server: &'s Server) -> Self {
        Self::within(server, "default").await
    }

    /// With an account in a directory.
    pub(crate) async fn within(server: &'s Server, directory: &str) -> Self {
        let mut client = Self::stranger(server, directory, Signer::es256());
        let made = client.new_account(json!({"termsOfServiceAgreed": true})).await.is(201);
        client.kid = made.location();
        client
    }

    /// From now on its connections show this certificate.
    pub(crate) fn show(&self, certificate: Option<Sha256>) {
        *self.shown.lock().unwrap() = certificate;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{PUBLIC}/acme/{}/{path}", self.directory)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let asked = format!("{} {}", request.method(), request.uri());
        let mut request = request;
        let peer: SocketAddr = "192.0.2.1:50000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(shown) = *self.shown.lock().unwrap() {
            request.extensions_mut().insert(ClientCertificate(shown));
        }
        let answer = self.server.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        if let Some(nonce) = head.headers.get("replay-nonce") {
            let nonce = nonce.to_str().unwrap().to_owned();
            self.nonces.lock().unwrap().push((nonce, self.server.app.now()));
        }
        Reply { status: head.status, headers: head.headers, body, asked }
    }

    pub(crate) async fn get(&self, url: &str) -> Reply {
        self.send(Request::get(path_of(url)).body(Body::empty()).unwrap()).await
    }

    /// A nonce that is not used.
    pub(crate) async fn nonce(&self) -> String {
        let now = self.server.app.now();
        let fresh = |known: &mut Vec<(String, Timestamp)>| {
            known.retain(|(_, given)| *given == now);
            known.pop().map(|(nonce, _)| nonce)
        };
        let known = fresh(&mut self.nonces.lock().unwrap());
        if let Some(known) = known {
            return known;
        }
        self.get(&self.url("new-nonce")).await;
        fresh(&mut self.nonces.lock().unwrap()).unwrap()
    }

    /// Posts a body as it is.
    pub(crate) async fn post_raw(&self, url: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post(path_of(url)).header("content-type", "application/jose+json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The header of a request that is right.
    pub(crate) async fn header(&self, url: &str) -> Value {
        json!({"alg": self.key.alg(), "kid": self.kid, "nonce": self.nonce().await, "url": url})
    }

    /// Posts a payload as the account.
    pub(crate) async fn post(&self, url: &str, payload: Value) -> Reply {
        let header = self.header(url).await;
        self.post_raw(url, self.key.jws(&header, payload.to_string().as_bytes()).to_string()).await
    }

    /// POST-as-GET.
    pub(crate) async fn fetch(&self, url: &str) -> Reply {
        let header = self.header(url).await;
        self.post_raw(url, self.key.jws(&header, b"").to_string()).await
    }

    /// Posts a payload, signed by the key itself.
    pub(crate) async fn post_by_key(&self, url: &str, payload: Value) -> Reply {
        let header = json!({"alg": self.key.alg(), "jwk": self.key.jwk(), "nonce": self.nonce().await, "url": url});
        self.post_raw(url, self.key.jws(&header, payload.to_string().as_bytes()).to_string()).await
    }

    pub(crate) async fn new_account(&self, payload: Value) -> Reply {
        self.post_by_key(&self.url("new-account"), payload).await
    }

    pub(crate) async fn new_order(&self, names: &[&str]) -> Reply {
        self.order_with(names, json!({})).await
    }

    pub(crate) async fn order_with(&self, names: &[&str], more: Value) -> Reply {
        let identifier = |name: &&str| {
            let kind = if name.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "dns" };
            json!({"type": kind, "value": name})
        };
        let mut payload = json!({"identifiers": names.iter().map(identifier).collect::<Vec<_>>()});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post(&self.url("new-order"), payload).await
    }

    /// Shows what a challenge asks for, and says so.
    pub(crate) async fn answer(&self, authorization: &str) -> Value {
        let object = self.fetch(authorization).await.is(200).json();
        let challenge = &object["challenges"][0];
        let name = object["identifier"]["value"].as_str().unwrap();
        let shown = format!("{}.{}", challenge["token"].as_str().unwrap(), self.key.thumbprint());
        self.server.world.show(name, &shown);
        self.post(challenge["url"].as_str().unwrap(), json!({})).await.is(200).json()
    }

    /// An order whose names are all proven; its URL.
    pub(crate) async fn ready(&self, names: &[&str]) -> String {
        self.ready_with(names, json!({})).await
    }

    pub(crate) async fn ready_with(&self, names: &[&str], more: Value) -> String {
        let order = self.order_with(names, more).await.is(201);
        let url = order.location();
        for authorization in order.json()["authorizations"].as_array().unwrap() {
            let authorization = authorization.as_str().unwrap();
            if self.fetch(authorization).await.json()["status"] == "pending" {
                self.answer(authorization).await;
                self.server.look().await;
            }
        }
        assert_eq!(self.fetch(&url).await.is(200).json()["status"], "ready");
        url
    }

    pub(crate) async fn finalize(&self, order: &str, csr: &[u8]) -> Reply {
        self.post(&format!("{order}/finalize"), json!({"csr": b64(csr)})).await
    }

    /// A certificate: its URL and PEM chain.
    pub(crate) async fn certificate(&self, names: &[&str]) -> (String, String) {
        self.certificate_with(names, json!({}), &crate::csr::Csr::new(names)).await
    }

    pub(crate) async fn certificate_with(
        &self,
        names: &[&str],
        more: Value,
        csr: &crate::csr::Csr,
    ) -> (String, String) {
        let order = self.ready_with(names, more).await;
        let done = self.finalize(&order, &csr.der()).await.is(200).json();
        assert_eq!(done["status"], "valid");
        let url = done["certificate"].as_str().unwrap().to_owned();
        let pem = self.fetch(&url).await.is(200).text();
        (url, pem)
    }
}

/// What a router sees of a URL.
pub(crate) fn path_of(url: &str) -> String {
    url.strip_prefix(PUBLIC).unwrap_or(url).to_owned()
}

/// DER of the first certificate of a PEM text.
pub(crate) fn leaf(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().skip(1).take_while(|line| !line.starts_with("-----END")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

/// An external account binding.
pub(crate) fn binding(key_id: &str, mac_key: &str, jwk: &Value, url: &str) -> Value {
    binding_with(&json!({"alg": "HS256", "kid": key_id, "url": url}), mac_key, jwk)
}

pub(crate) fn binding_with(header: &Value, mac_key: &str, payload: &Value) -> Value {
    let algorithm = match header["alg"].as_str() {
        Some("HS384") => hmac::HMAC_SHA384,
        Some("HS512") => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let key = hmac::Key::new(algorithm, &URL_SAFE_NO_PAD.decode(mac_key).unwrap());
    let (protected, payload) = (b64(header.to_string()), b64(payload.to_string()));
    let mac = hmac::sign(&key, format!("{protected}.{payload}").as_bytes());
    json!({"protected": protected, "payload": payload, "signature": b64(mac.as_ref())})
}
