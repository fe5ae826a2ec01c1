//! Looks at proofs of control (RFC 8555 section 8, RFC 8737, RFC 8738) and at CAA records (RFC 8659, RFC 8657).
//!
//! Whoever orders a certificate names the place that is looked at, so everything here distrusts its other side: names are
//! looked up once and every address is judged ([`certwright_domain::egress`]) before a connection goes to that very
//! address; answers are bounded in size and time; and what comes back is never repeated, only what kind of thing it was.
//! No proxy is used, nothing is cached between attempts.
//!
//! Everything is looked at from where this node stands. Where several are to look, each node does (`certwright_app`).

mod caa;
mod connect;
pub mod dns;
mod dns01;
mod http01;
mod limits;
mod tls_alpn;
mod verifier;

pub use limits::Limits;

use async_trait::async_trait;
use certwright_app::{CaaCheck, ChallengeCheck, Validator};
use certwright_domain::acme::{Failure, FailureKind, Method};
use certwright_domain::ambient::Entropy;
use certwright_domain::egress::EgressRules;
use connect::Way;
use dns::Resolve;
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What the validator works with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Port of http-01; anything but 80 is for tests.
    pub http_port: u16,
    /// Port of tls-alpn-01 and of https redirects; anything but 443 is for tests.
    pub tls_port: u16,
    /// Where may we connect to, whatever the directory says?
    pub rules: EgressRules,
    /// Listeners of our own. Nobody makes us talk to them.
    pub own: Vec<SocketAddr>,
    /// Bounds of one attempt.
    pub limits: Limits,
    /// What we call ourselves in HTTP requests.
    pub user_agent: String,
}

/// The validator that really looks.
pub struct Validation {
    way: Way,
    settings: Settings,
    https: Arc<ClientConfig>,
    acme_tls: Arc<ClientConfig>,
    turns: Semaphore,
}

impl Validation {
    /// With the DNS servers that `servers` names.
    ///
    /// # Errors
    ///
    /// The TLS library offers no TLS 1.2 and 1.3 with our cryptography.
    pub fn new(settings: Settings, servers: dns::Servers, entropy: Arc<dyn Entropy>) -> Result<Self, rustls::Error> {
        let resolver = dns::Client::new(servers, settings.limits.dns_try, entropy);
        Self::with_resolver(settings, Arc::new(resolver))
    }

    /// With a resolver of the caller's own.
    ///
    /// # Errors
    ///
    /// As [`Validation::new`].
    pub fn with_resolver(settings: Settings, resolver: Arc<dyn Resolve>) -> Result<Self, rustls::Error> {
        Ok(Self {
            way: Way::new(resolver, settings.rules.clone(), settings.own.clone(), settings.limits),
            https: verifier::client_config(b"http/1.1")?,
            acme_tls: verifier::client_config(tls_alpn::PROTOCOL)?,
            turns: Semaphore::new(settings.limits.concurrent),
            settings,
        })
    }
}

#[async_trait]
impl Validator for Validation {
    async fn validate(&self, check: &ChallengeCheck<'_>) -> Result<(), Failure> {
        let look = async {
            // Never closed.
            let _turn = self.turns.acquire().await;
            match check.method {
                Method::Http01 => http01::look(&self.way, &self.settings, &self.https, check).await,
                Method::Dns01 => dns01::look(self.way.resolver(), check).await,
                Method::TlsAlpn01 => tls_alpn::look(&self.way, &self.settings, &self.acme_tls, check).await,
            }
        };
        let whole = self.settings.limits.attempt;
        let kind = if check.method == Method::Dns01 { FailureKind::Dns } else { FailureKind::Connection };
        timeout(whole, look).await.unwrap_or_else(|_| {
            let seconds = whole.as_secs();
            Err(Failure::new(kind, format!("{} for {} took longer than {seconds} s.", check.method, check.identifier)))
        })
    }

    async fn caa(&self, check: &CaaCheck<'_>) -> Result<(), Failure> {
        let look = async {
            let _turn = self.turns.acquire().await;
            caa::look(self.way.resolver(), check).await
        };
        let whole = self.settings.limits.attempt;
        timeout(whole, look).await.unwrap_or_else(|_| {
            let (name, seconds) = (check.name.as_str(), whole.as_secs());
            let detail = format!("The CAA records of {name} could not be looked up within {seconds} s.");
            Err(Failure::new(FailureKind::Caa, detail))
        })
    }
}
