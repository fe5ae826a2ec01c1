//! What these tests look at: lists, read with the reader for lists made elsewhere.

pub(crate) use crate::common::{TestApp, call, conflict, to, trial};
pub(crate) use crate::kit::{lasting, root, subordinate};
use certwright_app::{CaView, CrlReport, Error, NewRules, ServedCrl, UpdateCa};
use certwright_domain::ca::RevocationSettings;
use certwright_domain::crl::{CrlKind, Shards};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::revocation::{CrlEntry, EntryKind, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_pki::{ForeignCrl, read_certificate, read_crl};

pub(crate) const WHOLE: (Shards, u16) = (Shards::ONE, 0);

/// A root named `root`, with its first list.
pub(crate) async fn with_root(app: &TestApp) -> CaView {
    let view = root(app, NewRules::default()).await;
    app.app.run_crls().await.unwrap();
    view
}

/// Lets the shortest pause between two lists pass and makes those that are due.
pub(crate) async fn publish(app: &TestApp) -> CrlReport {
    app.clock.advance(RevocationSettings::INTERVAL);
    app.app.run_crls().await.unwrap()
}

/// Changes how a CA offers revocation.
pub(crate) async fn offer(app: &TestApp, ca: &str, change: impl FnOnce(&mut RevocationSettings)) {
    let view = app.app.ca(&call(), &to(ca)).await.unwrap();
    let mut revocation = view.ca.revocation;
    change(&mut revocation);
    let update = UpdateCa { revocation: Some(revocation), ..UpdateCa::default() };
    app.app.update_ca(&call(), &to(ca), update, Some(view.ca.revision)).await.unwrap();
}

pub(crate) async fn leaf(app: &TestApp, ca: &str, dns: &str) -> IssuedCertificate {
    app.app.issue(&call(), &to(ca), crate::kit::leaf(&[dns], lasting(30))).await.unwrap().row
}

/// The list as it is served: of the current version.
pub(crate) async fn served(app: &TestApp, ca: &str, kind: CrlKind, shard: (Shards, u16)) -> Result<ServedCrl, Error> {
    app.app.crl(&to(ca), None, kind, shard.0, shard.1).await
}

/// The list, verified with the CA's certificate by the reader for foreign lists.
pub(crate) async fn read(app: &TestApp, ca: &str, kind: CrlKind, shard: (Shards, u16)) -> ForeignCrl {
    let served = served(app, ca, kind, shard).await.unwrap();
    let issuer = read_certificate(&app.app.ca_certificate(&to(ca), None).await.unwrap()).unwrap();
    let crl = read_crl(&served.der, &issuer).unwrap();
    assert_eq!(crl.sha256(), served.crl.sha256);
    assert_eq!(crl.this_update(), served.crl.this_update);
    assert_eq!(crl.next_update(), served.crl.next_update);
    assert_eq!(crl.entry_count() as u64, served.crl.entries);
    crl
}

/// The full list's entries.
pub(crate) async fn listed(app: &TestApp, ca: &str) -> Vec<CrlEntry> {
    read(app, ca, CrlKind::Full, WHOLE).await.entries().collect()
}

/// What the full list says of a serial.
pub(crate) async fn listed_for(app: &TestApp, ca: &str, serial: &Serial) -> Option<EntryKind> {
    listed(app, ca).await.into_iter().find(|entry| entry.serial == *serial).map(|entry| entry.kind)
}

pub(crate) async fn number(app: &TestApp, ca: &str, kind: CrlKind) -> i64 {
    served(app, ca, kind, WHOLE).await.unwrap().crl.number.unwrap()
}

pub(crate) async fn revoke(app: &TestApp, row: &IssuedCertificate, reason: RevocationReason) -> IssuedCertificate {
    app.revoke(&call(), row.id.as_str(), reason).await.unwrap()
}

/// The URIs that a certificate names, in the order in which they stand there (GeneralName's tag 6, RFC 5280 section 4.2.1.6).
pub(crate) fn uris(der: &[u8]) -> Vec<String> {
    let at = |start: usize| {
        let &[0x86, length, ..] = &der[start..] else { return None };
        let text = der.get(start..)?.get(2..)?.get(..usize::from(length))?;
        text.starts_with(b"http").then(|| String::from_utf8(text.to_vec()).unwrap())
    };
    (0..der.len()).filter_map(at).collect()
}
