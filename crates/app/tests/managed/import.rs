//! Certificates brought along with their keys.

use crate::kit::*;
use crate::support::*;
use certwright_app::{
    CertificateRequest, Content, EnsureOutcome, ImportedCertificate, RenewalRequest, Revoke, VersionSelector,
};
use certwright_domain::managed::{CertificateKind, RenewalOutlook};
use certwright_domain::secret::SecretBytes;
use certwright_domain::time::Span;
use std::path::Path;
use tempfile::TempDir;

/// A foreign hierarchy made by openssl: root, intermediate, leaf. Files `root`, `sub`, `leaf` with `.key` and `.der`.
fn hierarchy() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ca.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
        .unwrap();
    std::fs::write(folder.path().join("leaf.ext"), "subjectAltName=DNS:brought.example.com\n").unwrap();
    let run = |line: &str| drop(openssl(folder.path(), line));
    for who in ["root", "sub", "leaf", "other"] {
        run(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -outform DER -out {who}.key"));
        run(&format!("req -new -keyform DER -key {who}.key -subj /CN={who} -out {who}.csr"));
    }
    run("x509 -req -in root.csr -signkey root.key -keyform DER -extfile ca.ext -days 4000 -outform DER -out root.der");
    run("x509 -inform DER -in root.der -out root.pem");
    run("pkey -inform DER -in root.key -out root.key.pem");
    run("pkey -inform DER -in sub.key -out sub.key.pem");
    run(
        "x509 -req -in sub.csr -CA root.pem -CAkey root.key.pem -extfile ca.ext -days 3000 -outform DER -out sub.der -CAcreateserial",
    );
    run("x509 -inform DER -in sub.der -out sub.pem");
    run(
        "x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key.pem -extfile leaf.ext -days 90 -outform DER -out leaf.der -CAcreateserial",
    );
    folder
}

fn read(folder: &Path, file: &str) -> Vec<u8> {
    std::fs::read(folder.join(file)).unwrap()
}

fn brought(folder: &Path, certificates: &[&str], key: &str) -> CertificateRequest {
    CertificateRequest {
        content: Content::Imported(ImportedCertificate {
            certificates: certificates.iter().map(|file| read(folder, file)).collect(),
            private_key: SecretBytes::new(read(folder, key)),
        }),
        exportable: true,
        renewal: RenewalRequest::default(),
        ..request("brought", wish(&[]))
    }
}

/// The clock of the tests stands elsewhere than openssl's.
async fn today(app: &TestApp, folder: &Path) {
    let leaf = certwright_app::read_certificate(&read(folder, "leaf.der")).unwrap();
    app.clock.set(leaf.validity.not_before().plus(Span::from_hours(1)));
}

#[tokio::test]
async fn in_any_order_with_and_without_the_root() {
    for app in TestApp::on_every_database().await {
        let folder = hierarchy();
        today(&app, folder.path()).await;
        let made = ensure(&app, brought(folder.path(), &["root.der", "leaf.der", "sub.der"], "leaf.key")).await;
        assert_eq!((made.outcome, made.view.certificate.kind), (EnsureOutcome::Created, CertificateKind::Imported));
        assert!(matches!(made.view.outlook, RenewalOutlook::Never(_)));
        let version = made.view.version.unwrap().version;
        assert_eq!(version.names[0].to_string(), "brought.example.com");
        assert_eq!(version.chain, [read(folder.path(), "sub.der"), read(folder.path(), "root.der")]);
        let bundle = app.app.certificate_bundle(&call(), &to("brought"), &VersionSelector::Current).await.unwrap();
        assert_eq!(bundle.chain(), [read(folder.path(), "leaf.der"), read(folder.path(), "sub.der")]);
        let key = app.app.certificate_key(&call(), &bundle).await.unwrap();
        let public = certwright_keystore::KeyStore::public_key_of(&*app.keys, &key).unwrap();
        assert_eq!(certwright_app::sha256(&[&public]), version.spki_sha256);
        let again = ensure(&app, brought(folder.path(), &["sub.der", "leaf.der"], "leaf.key")).await;
        assert_eq!(again.outcome, EnsureOutcome::Unchanged);
        assert_eq!(told(&app).await, ["certificate.imported"]);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_reason() {
    let app = TestApp::sqlite().await;
    let folder = hierarchy();
    today(&app, folder.path()).await;
    for (certificates, key, code) in [
        (&["leaf.der"][..], "other.key", "key_mismatch"),
        (&["leaf.der", "root.der"][..], "leaf.key", "broken_chain"),
        (&["sub.der"][..], "sub.key", "ca_certificate"),
        (&["leaf.der"][..], "leaf.der", "invalid_private_key"),
    ] {
        let refused = app.app.ensure_certificate(&call(), brought(folder.path(), certificates, key)).await;
        assert_eq!(invalid(refused.map(drop)), code);
    }
    app.clock.advance(Span::from_days(91));
    let late = brought(folder.path(), &["leaf.der"], "leaf.key");
    assert_eq!(invalid(app.app.ensure_certificate(&call(), late).await.map(drop)), "certificate_expired");
    assert!(app.app.certificate(&call(), &to("brought")).await.is_err(), "nothing is half-made");
}

#[tokio::test]
async fn a_successor_is_a_new_version_and_what_was_not_issued_here_is_not_revoked_here() {
    let app = TestApp::sqlite().await;
    let folder = hierarchy();
    today(&app, folder.path()).await;
    ensure(&app, brought(folder.path(), &["leaf.der"], "leaf.key")).await;
    openssl(
        folder.path(),
        "x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key.pem -extfile leaf.ext -days 60 -outform DER -out next.der",
    );
    let next = ensure(&app, brought(folder.path(), &["next.der"], "leaf.key")).await;
    assert_eq!((next.outcome, number(&next.view)), (EnsureOutcome::NewVersion, 2));
    let reason = certwright_domain::revocation::RevocationReason::Superseded;
    let refused = app.app.revoke_certificate_version(&call(), &to("brought"), 2, Revoke::because(reason)).await;
    assert_eq!(conflict(refused), "not_revocable");
    let refused = app.app.renew_certificate(&call(), &to("brought"), Default::default()).await;
    assert_eq!(conflict(refused), "certificate_imported");
}
