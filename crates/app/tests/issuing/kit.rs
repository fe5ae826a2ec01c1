//! Short words for the tests of this folder.

pub(crate) use crate::common::{TestApp, call, conflict, name, to, trial};
use certwright_app::{CaView, Error, IssueRequest, NewCa, NewCaKind, NewKey, NewRules, OwnKey, Subject};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::RevocationSettings;
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::key::Protection;
use certwright_domain::san::San;
use certwright_domain::time::Span;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_domain::violation::Violation;

pub(crate) fn subject(common_name: &str) -> DistinguishedName {
    DistinguishedName::new(vec![Attribute::parse(AttributeType::CommonName, common_name).unwrap()]).unwrap()
}
pub(crate) fn lasting(days: i64) -> RequestedValidity {
    RequestedValidity { not_before: None, end: RequestedEnd::Duration(Span::from_days(days)) }
}
pub(crate) fn leaf(names: &[&str], validity: RequestedValidity) -> IssueRequest {
    IssueRequest {
        subject: Subject { subject: None, names: Some(names.iter().map(|one| San::parse(one).unwrap()).collect()) },
        profile: None,
        key_algorithm: None,
        validity,
    }
}
pub(crate) fn violations<T>(result: Result<T, Error>) -> Vec<Violation> {
    match result {
        Err(Error::Rejected(violations)) => violations,
        Err(other) => panic!("not a refusal by rules: {other:?}"),
        Ok(_) => panic!("was not refused"),
    }
}

pub(crate) async fn key(app: &TestApp, key: &str, algorithm: KeyAlgorithm) {
    let new = NewKey { name: name(key), algorithm, protection: Protection::Software };
    app.app.create_key(&call(), &to("v"), new).await.unwrap();
}
pub(crate) fn own(key: &str, common_name: &str) -> OwnKey {
    OwnKey { vault: to("v"), key: to(key), subject: subject(common_name), signature_algorithm: None }
}
pub(crate) fn ca(ca_name: &str, kind: NewCaKind, rules: NewRules) -> NewCa {
    NewCa {
        name: name(ca_name),
        kind,
        rules,
        revocation: RevocationSettings::default(),
        publication: None,
        exportable: false,
    }
}
pub(crate) async fn root(app: &TestApp, rules: NewRules) -> CaView {
    app.app.create_vault(&call(), name("v")).await.unwrap();
    key(app, "root-key", KeyAlgorithm::EcdsaP384).await;
    let kind = NewCaKind::Root(own("root-key", "Root"), lasting(3650));
    app.app.create_ca(&call(), ca("root", kind, rules)).await.unwrap()
}
pub(crate) async fn subordinate(app: &TestApp, rules: NewRules) -> CaView {
    key(app, "sub-key", KeyAlgorithm::EcdsaP256).await;
    let kind = NewCaKind::Subordinate(own("sub-key", "Issuing"), lasting(1800), to("root"));
    app.app.create_ca(&call(), ca("issuing", kind, rules)).await.unwrap()
}

/// Runs openssl in `folder`; its standard output.
pub(crate) fn openssl(folder: &std::path::Path, arguments: &str) -> Vec<u8> {
    let done = std::process::Command::new("openssl")
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("the tests need the openssl command");
    assert!(done.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}
