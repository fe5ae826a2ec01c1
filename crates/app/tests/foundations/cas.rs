//! CAs and certificates to look at; how they are made has tests of its own.

use crate::common::{TestApp, call, name, to};
use certwright_app::{CaView, IssueRequest, NewCa, NewCaKind, NewKey, NewRules, OwnKey, Subject};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::RevocationSettings;
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::key::Protection;
use certwright_domain::san::San;
use certwright_domain::time::Span;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};

/// A root with a key of its own, in the vault `v` that must be there.
pub(crate) async fn root(app: &TestApp, ca: &str) -> CaView {
    let kind = NewCaKind::Root(own_key(app, ca).await, lasting(3650));
    app.app.create_ca(&call(), new_ca(ca, kind)).await.unwrap()
}

/// A CA below another.
pub(crate) async fn subordinate(app: &TestApp, ca: &str, issuer: &str) -> CaView {
    let kind = NewCaKind::Subordinate(own_key(app, ca).await, lasting(1800), to(issuer));
    app.app.create_ca(&call(), new_ca(ca, kind)).await.unwrap()
}

/// A CA without a key of ours.
pub(crate) async fn external_root(app: &TestApp, ca: &str, certificate: Vec<u8>) -> CaView {
    app.app.create_ca(&call(), new_ca(ca, NewCaKind::ExternalRoot(certificate))).await.unwrap()
}

/// A leaf for one DNS name that lives for so many days.
pub(crate) async fn leaf(app: &TestApp, ca: &str, dns: &str, days: i64) -> IssuedCertificate {
    let subject = Subject { subject: None, names: Some(vec![San::parse(dns).unwrap()]) };
    let request = IssueRequest { subject, profile: None, key_algorithm: None, validity: lasting(days) };
    app.app.issue(&call(), &to(ca), request).await.unwrap().row
}

async fn own_key(app: &TestApp, ca: &str) -> OwnKey {
    let key = format!("{ca}-key");
    let new = NewKey { name: name(&key), algorithm: KeyAlgorithm::EcdsaP256, protection: Protection::Software };
    app.app.create_key(&call(), &to("v"), new).await.unwrap();
    let common_name = Attribute::parse(AttributeType::CommonName, ca).unwrap();
    let subject = DistinguishedName::new(vec![common_name]).unwrap();
    OwnKey { vault: to("v"), key: to(&key), subject, signature_algorithm: None }
}

fn new_ca(ca: &str, kind: NewCaKind) -> NewCa {
    NewCa {
        name: name(ca),
        kind,
        rules: NewRules::default(),
        revocation: RevocationSettings::default(),
        publication: None,
        exportable: false,
    }
}

fn lasting(days: i64) -> RequestedValidity {
    RequestedValidity { not_before: None, end: RequestedEnd::Duration(Span::from_days(days)) }
}
