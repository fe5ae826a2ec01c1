//! The whole application behind its router, in process: a real store and key store, a clock moved by hand.

#[path = "../../../app/tests/common/proofs.rs"]
mod proofs;

use crate::signing::{CountingKeys, Signatures, Troubles};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::IntoResponse;
use axum::{Extension, Router};
use certwright_api::{ApiSettings, PlainDoor, plain_door, router_beside};
use certwright_app::{
    AcmeSettings, App, Dependencies, EventSettings, Fetched, OcspSettings, Outbound, OutboundAnswer, OutboundError,
    Problem, Settings, Target, TargetError, TargetObject, Targets,
};
use certwright_domain::ambient::Clock;
use certwright_domain::egress::EgressRules;
use certwright_domain::http_url::{Host, HttpUrl};
use certwright_domain::name::ResourceName;
use certwright_domain::rules::ServiceLimits;
use certwright_domain::time::Span;
use certwright_keystore::{RootKeySource, SoftwareKeyStore};
use certwright_store::{Location, Store};
use certwright_testkit::ambient::{ManualClock, SeededEntropy};
use certwright_testkit::faults::Faults;
use certwright_testkit::postgres::{DatabaseGuard, fresh_database};
use http_body::{Frame, SizeHint};
use proofs::KnownProofs;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use tempfile::TempDir;
use tower::ServiceExt;

/// One server.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faults: Arc<Faults>,
    /// What the validator sees.
    #[expect(dead_code, reason = "tests of the ACME door tell it what to see; they come next")]
    pub(crate) proofs: Arc<KnownProofs>,
    pub(crate) token: String,
    /// How often a key of the store has signed.
    pub(crate) signatures: Signatures,
    /// What goes wrong with signers.
    pub(crate) troubles: Troubles,
    router: Router,
    plain: PlainDoor,
    _folder: TempDir,
    _postgres: Option<DatabaseGuard>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    asked: String,
}

/// A body that never comes.
struct Never {
    announced: Option<u64>,
}

impl HttpBody for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    app: &'a TestApp,
    request: axum::http::request::Builder,
    body: Vec<u8>,
    authorization: Option<String>,
    plain: bool,
    never: Option<Never>,
    asked: String,
}

impl TestApp {
    /// On SQLite.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// On SQLite with other settings of the door.
    pub(crate) async fn with(tune: impl FnOnce(&mut ApiSettings)) -> Self {
        let folder = TempDir::new().unwrap();
        let location = Location::Sqlite(folder.path().join("certwright.db"));
        Self::start(location, folder, None, tune).await
    }

    /// On PostgreSQL under this URL.
    pub(crate) async fn postgres(url: String, guard: DatabaseGuard) -> Self {
        Self::start(Location::Postgres(url), TempDir::new().unwrap(), Some(guard), |_| {}).await
    }

    /// One on each database.
    pub(crate) async fn on_every_database() -> Vec<Self> {
        let (url, guard) = tokio::task::spawn_blocking(fresh_database).await.unwrap();
        vec![Self::new().await, Self::postgres(url, guard).await]
    }

    async fn start(
        location: Location,
        folder: TempDir,
        postgres: Option<DatabaseGuard>,
        tune: impl FnOnce(&mut ApiSettings),
    ) -> Self {
        let (clock, faults) = (Arc::new(ManualClock::default()), Arc::new(Faults::default()));
        let store = Store::open(&location, faults.clone()).await.unwrap();
        store.migrate().await.unwrap();
        let source = RootKeySource::File { path: folder.path().join("root.key"), create: true };
        let (proofs, signatures) = (Arc::new(KnownProofs::default()), Signatures::default());
        let troubles = Troubles::default();
        let app = App::new(Dependencies {
            store,
            keys: Arc::new(CountingKeys {
                inner: SoftwareKeyStore::open(&source).unwrap(),
                signatures: Arc::clone(&signatures),
                troubles: Arc::clone(&troubles),
            }),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(7)),
            outbound: Arc::new(EveryReceiver),
            targets: Targets::new([("cdn", Ok(())), ("away", Err(TargetError::Unreachable))].map(|(name, outcome)| {
                (ResourceName::parse(name).unwrap(), Arc::new(EveryObject(outcome)) as Arc<dyn Target>)
            })),
            sinks: Default::default(),
            validator: proofs.clone(),
            settings: Settings {
                pki_url: "http://pki.example.com".to_owned(),
                limits: ServiceLimits::default(),
                name_rate: None,
                node: "test".to_owned(),
                idempotency_lifetime: Span::from_hours(24),
                retention: None,
                events: EventSettings::default(),
                ocsp: OcspSettings::default(),
                acme: AcmeSettings::default(),
                checkpoint_interval: None,
            },
        });
        let token = app.first_admin_token().await.unwrap().unwrap().expose().clone();
        let number = AtomicU32::new(0);
        let mut settings =
            ApiSettings::new(Arc::new(move || format!("made-{}", number.fetch_add(1, Ordering::Relaxed))));
        tune(&mut settings);
        // Where the ACME door stands; what it says is its own tests' business. It gives away what it was told to refuse.
        let told = async |verdict: Option<Extension<Problem>>| match verdict {
            Some(Extension(Problem { status, detail, retry_after_s, .. })) => {
                let status = StatusCode::from_u16(status).unwrap();
                (status, [("retry-after", retry_after_s.unwrap_or_default().to_string())], detail).into_response()
            }
            None => "beside".into_response(),
        };
        let beside = axum::Router::new().route("/acme/{directory}/directory", axum::routing::get(told));
        let router = router_beside(app.clone(), settings.clone(), beside).unwrap();
        let plain = plain_door(app.clone(), settings, Router::new()).unwrap();
        Self {
            app,
            clock,
            faults,
            proofs,
            token,
            signatures,
            troubles,
            router,
            plain,
            _folder: folder,
            _postgres: postgres,
        }
    }

    /// A request with the administrator's token.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        Ask {
            app: self,
            request: Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path),
            body: Vec::new(),
            authorization: Some(format!("Bearer {}", self.token)),
            plain: false,
            never: None,
            asked: format!("{method} {path}"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).send().await
    }

    /// The same for a path made on the spot.
    pub(crate) async fn get_owned(&self, path: String) -> Reply {
        self.get(&path).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path).json(&body).send().await
    }

    /// A vault `default`, keys and a root CA `root` with these rules.
    pub(crate) async fn root_with(&self, rules: Value) -> Value {
        if self.get("/v1/vaults/default").await.status == StatusCode::NOT_FOUND {
            self.post("/v1/vaults", json!({"name": "default"})).await.is(201);
        }
        self.ca("root", json!({"type": "ROOT", "rules": rules, "validity": {"duration": "P3650D"}}))
            .await
            .is(201)
            .json()
    }

    /// A root CA `root`.
    pub(crate) async fn root(&self) -> Value {
        self.root_with(json!({})).await
    }

    /// A CA with a key of its own; `more` is laid over the request.
    pub(crate) async fn ca(&self, name: &str, more: Value) -> Reply {
        let key = json!({"name": format!("{name}-key"), "algorithm": "ECDSA"});
        self.post("/v1/vaults/default/keys", key).await.is(201);
        let mut body = json!({"name": name, "vault": "default", "key": format!("{name}-key"),
            "subject": {"organization": "DDIM", "commonName": name}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/v1/certificate-authorities", body).await
    }

    /// A certificate of `root`.
    pub(crate) async fn issue(&self, name: &str) -> Value {
        self.post(ISSUE, wish(name)).await.is(201).json()
    }

    /// A user, made when missing, with a token of its own: the value of `Authorization`.
    pub(crate) async fn bearer_of(&self, user: &str) -> String {
        self.post("/v1/users", json!({"name": user})).await;
        let token = self.post("/v1/tokens", json!({"name": format!("of-{user}"), "user": user})).await.is(201).json();
        format!("Bearer {}", token["token"].as_str().unwrap())
    }

    /// How many certificates there are.
    pub(crate) async fn count(&self) -> usize {
        self.get("/v1/issued-certificates?limit=500").await.is(200).json()["items"].as_array().unwrap().len()
    }
}

/// Path of `issue`.
pub(crate) const ISSUE: &str = "/v1/certificate-authorities/root/issue";
/// Path of `sign`.
pub(crate) const SIGN: &str = "/v1/certificate-authorities/root/sign";
/// A CSR of openssl: P-256, full subject, one DNS name.
pub(crate) const CSR: &str = include_str!("../data/service-a.csr.pem");

/// What to ask of `issue`.
pub(crate) fn wish(name: &str) -> Value {
    json!({"subject": {"commonName": name}, "names": [name]})
}

/// The same with more fields.
pub(crate) fn wish_with(name: &str, more: Value) -> Value {
    let mut body = wish(name);
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

impl Ask<'_> {
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Without a token, or with this value of `Authorization`.
    pub(crate) fn authorization(mut self, value: Option<&str>) -> Self {
        self.authorization = value.map(str::to_owned);
        self
    }

    /// From this address.
    pub(crate) fn from(mut self, address: &str) -> Self {
        let peer: std::net::SocketAddr = format!("{address}:4711").parse().unwrap();
        self.request = self.request.extension(axum::extract::ConnectInfo(peer));
        self
    }

    /// Over a connection that has proven the key of this certificate (SHA-256 of its DER in hex), and without a token.
    pub(crate) fn showing(mut self, fingerprint: &str) -> Self {
        let fingerprint = certwright_domain::serial::Sha256::parse(fingerprint).unwrap();
        self.request = self.request.extension(certwright_app::ClientCertificate(fingerprint));
        self.authorization(None)
    }

    /// Of the plain listener.
    pub(crate) fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// With a body of unknown length that never comes.
    pub(crate) fn endless(mut self) -> Self {
        self.never = Some(Never { announced: None });
        self
    }

    /// With a body of so many bytes, of which none comes.
    pub(crate) fn announcing(mut self, bytes: u64) -> Self {
        self.never = Some(Never { announced: Some(bytes) });
        self
    }

    pub(crate) async fn send(self) -> Reply {
        let mut request = self.request;
        if let Some(value) = &self.authorization {
            request = request.header("authorization", value);
        }
        let body = self.never.map_or_else(|| Body::from(self.body), Body::new);
        let request = request.body(body).unwrap();
        let answer = match self.plain {
            true => self.app.plain.clone().oneshot(request).await,
            false => self.app.router.clone().oneshot(request).await,
        };
        let response = answer.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let reply = Reply { status: parts.status, headers: parts.headers, body, asked: self.asked };
        reply.keep_conventions();
        reply
    }
}

impl Reply {
    /// What every answer has.
    fn keep_conventions(&self) {
        // ACME has conventions of its own.
        if self.asked.contains(" /acme/") {
            return;
        }
        assert!(self.headers.contains_key("x-request-id"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        if self.status.is_client_error() || self.status.is_server_error() {
            assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
            let document = self.json();
            assert_eq!(document["status"], self.status.as_u16());
            assert_eq!(document["requestId"], self.header("x-request-id"));
            for name in ["type", "title", "detail", "code", "hint"] {
                assert!(document[name].as_str().is_some_and(|text| !text.is_empty()), "{name} of {document}");
            }
        }
    }

    /// The status must be this one.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        let shown = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{}: {shown}", self.asked);
        self
    }

    /// It must be a problem with this status and code; gives back the document.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        let document = self.is(status).json();
        assert_eq!(document["code"], code, "{document}");
        document
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestApp {
    /// Moves the clock on.
    pub(crate) fn wait(&self, span: Span) {
        self.clock.advance(span);
    }

    /// A time after now, as text.
    pub(crate) fn at(&self, span: Span) -> String {
        self.clock.now().plus(span).to_string()
    }
}

/// Takes every event.
struct EveryReceiver;

#[async_trait::async_trait]
impl Outbound for EveryReceiver {
    fn check(&self, url: &HttpUrl) -> Result<(), OutboundError> {
        match url.host() {
            Host::Ip(address) => Ok(EgressRules::default().check(*address)?),
            Host::Name(_) => Ok(()),
        }
    }

    async fn post(
        &self,
        _: &HttpUrl,
        _: &[(&'static str, String)],
        _: Vec<u8>,
    ) -> Result<OutboundAnswer, OutboundError> {
        Ok(OutboundAnswer { status: 204, retry_after: None })
    }

    async fn get(&self, _: &HttpUrl, _: usize) -> Result<Fetched, OutboundError> {
        Err(OutboundError::Unreachable)
    }
}

/// Takes every object, or none.
struct EveryObject(Result<(), TargetError>);

#[async_trait::async_trait]
impl Target for EveryObject {
    async fn put(&self, _: &TargetObject) -> Result<(), TargetError> {
        self.0.clone()
    }
}
