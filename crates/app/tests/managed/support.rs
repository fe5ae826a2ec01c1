//! Short words for the tests of this folder.

use crate::kit::*;
use certwright_app::{
    CertificateRequest, CertificateView, Content, EnsureOutcome, Ensured, Error, NewRules, RenewalRequest, WishRequest,
};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::san::San;
use certwright_domain::time::Span;

/// A node with the CAs `root` and `issuing`.
pub(crate) async fn ready(app: &TestApp) {
    root(app, NewRules::default()).await;
    subordinate(app, NewRules::default()).await;
}

/// A wish for these names from `issuing`, ninety days long.
pub(crate) fn wish(names: &[&str]) -> WishRequest {
    WishRequest {
        ca: to("issuing"),
        profile: None,
        subject: None,
        names: Some(names.iter().map(|one| San::parse(one).unwrap()).collect()),
        key_algorithm: Some(KeyAlgorithm::Ed25519),
        validity: lasting(90),
        csr: None,
    }
}

pub(crate) fn request(certificate: &str, wish: WishRequest) -> CertificateRequest {
    CertificateRequest {
        name: name(certificate),
        content: Content::Wished(wish),
        renewal: RenewalRequest::default(),
        exportable: false,
        version_name: None,
        pending: false,
    }
}

pub(crate) async fn ensure(app: &TestApp, request: CertificateRequest) -> Ensured {
    app.app.ensure_certificate(&call(), request).await.unwrap()
}

pub(crate) async fn web(app: &TestApp) -> CertificateView {
    let made = ensure(app, request("web", wish(&["web.example.com"]))).await;
    assert_eq!(made.outcome, EnsureOutcome::Created);
    made.view
}

pub(crate) async fn view(app: &TestApp, certificate: &str) -> CertificateView {
    app.app.certificate(&call(), &to(certificate)).await.unwrap()
}

pub(crate) fn number(view: &CertificateView) -> u32 {
    view.version.as_ref().unwrap().version.number
}

/// Moves the clock and lets the jobs run.
pub(crate) async fn later(app: &TestApp, span: Span) {
    app.clock.advance(span);
    app.app.run_jobs().await.unwrap();
}

/// The code of the first fault of a request that cannot be read.
pub(crate) fn invalid<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::Invalid(faults)) => faults[0].invalid.code,
        Err(other) => panic!("not invalid: {other:?}"),
        Ok(_) => panic!("was not refused"),
    }
}

/// Kinds of the events, those of CAs left out, in the order of the alphabet: while the clock stands still, they have no other.
pub(crate) async fn told(app: &TestApp) -> Vec<String> {
    let page = certwright_store::PageRequest { limit: 500, after: None };
    let found = app.store.read().await.unwrap().events(&Default::default(), &page).await.unwrap();
    let mut kinds: Vec<String> = found.items.iter().map(|event| event.kind.to_string()).collect();
    kinds.sort();
    kinds.retain(|kind| !kind.starts_with("ca."));
    kinds
}
