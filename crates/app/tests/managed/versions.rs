//! Versions, stages, CSRs, keys.

use crate::kit::*;
use crate::support::*;
use certwright_app::{Call, CertificateRequest, RenewCertificate, Revoke, VersionSelector};
use certwright_domain::managed::{CertificateKind, RenewalKey};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::stage::Stage;
use certwright_domain::time::Span;

async fn renew(app: &TestApp, renew: RenewCertificate) -> u32 {
    app.app.renew_certificate(&call(), &to("web"), renew).await.unwrap().certificate.versions.latest
}

async fn stages(app: &TestApp) -> Vec<(u32, Vec<Stage>)> {
    let page = certwright_app::PageRequest { limit: 50, after: None };
    let found = app.app.certificate_versions(&call(), &to("web"), &page).await.unwrap();
    found.items.into_iter().map(|one| (one.version.number, one.stages)).collect()
}

#[tokio::test]
async fn stages_move_as_versions_are_taken_into_use() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    web(&app).await;
    renew(&app, RenewCertificate::default()).await;
    renew(&app, RenewCertificate { pending: true, version_name: Some(name("next")), ..Default::default() }).await;
    assert_eq!(
        stages(&app).await,
        [(3, vec![Stage::Pending, Stage::Latest]), (2, vec![Stage::Current]), (1, vec![Stage::Previous])]
    );
    for (selector, found) in [
        (VersionSelector::Current, 2),
        (VersionSelector::Pending, 3),
        (VersionSelector::Previous, 1),
        (VersionSelector::Named(name("next")), 3),
    ] {
        let bundle = app.app.certificate_bundle(&call(), &to("web"), &selector).await.unwrap();
        assert_eq!(bundle.version.number, found);
    }
    app.app.make_certificate_version_current(&call(), &to("web"), 3).await.unwrap();
    assert_eq!(
        stages(&app).await,
        [(3, vec![Stage::Current, Stage::Latest]), (2, vec![Stage::Previous]), (1, vec![Stage::Deprecated])]
    );
    let back = app.app.make_certificate_version_current(&call(), &to("web"), 1).await;
    assert_eq!(conflict(back), "version_deprecated");
    let taken = RenewCertificate { version_name: Some(name("next")), ..Default::default() };
    let taken = app.app.renew_certificate(&call(), &to("web"), taken).await;
    assert_eq!(conflict(taken), "version_name_taken");
    assert_eq!(stages(&app).await.len(), 3, "nothing is half-made");
}

#[tokio::test]
async fn only_deprecated_versions_can_be_deleted_and_their_keys_go_with_them() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    web(&app).await;
    renew(&app, RenewCertificate { key: Some(RenewalKey::Same), ..Default::default() }).await;
    renew(&app, RenewCertificate::default()).await;
    renew(&app, RenewCertificate::default()).await;
    for number in [3, 4] {
        let refused = app.app.delete_certificate_version(&call(), &to("web"), number).await;
        assert_eq!(conflict(refused), "version_in_use", "{number}");
    }
    let page = certwright_app::PageRequest { limit: 50, after: None };
    let versions = app.app.certificate_versions(&call(), &to("web"), &page).await.unwrap().items;
    let keys: Vec<_> = versions.iter().rev().map(|one| one.version.key.clone().unwrap()).collect();
    assert_eq!(keys[0], keys[1], "the second version certifies the first one's key");
    let sealed = |number: u32| {
        let (app, key) = (&app, keys[0].0.clone());
        async move {
            let stored = app.store.read().await.unwrap().key_version(&key, number).await.unwrap().unwrap();
            !stored.sealed.0.is_empty()
        }
    };
    app.app.delete_certificate_version(&call(), &to("web"), 1).await.unwrap();
    assert!(sealed(1).await, "another version rests on the key");
    app.app.delete_certificate_version(&call(), &to("web"), 2).await.unwrap();
    assert!(!sealed(1).await && sealed(2).await);
    let gone = app.app.certificate_version(&call(), &to("web"), 1).await;
    assert!(matches!(gone, Err(certwright_app::Error::NotFound { kind: "certificate version", .. })));
    let serial = versions.last().unwrap().version.serial.to_string();
    assert!(app.app.issued_certificate(&call(), &serial).await.is_ok(), "the inventory keeps the row");
}

#[tokio::test]
async fn a_revoked_version_is_not_taken_into_use_nor_ensured_away() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    web(&app).await;
    renew(&app, RenewCertificate { pending: true, ..Default::default() }).await;
    let reason = RevocationReason::Superseded;
    let revoked = app.app.revoke_certificate_version(&call(), &to("web"), 2, Revoke::because(reason)).await.unwrap();
    assert_eq!(revoked.version.revocation.unwrap().reason, reason);
    let refused = app.app.make_certificate_version_current(&call(), &to("web"), 2).await;
    assert_eq!(conflict(refused), "version_revoked");
    app.app.revoke_certificate_version(&call(), &to("web"), 1, Revoke::because(reason)).await.unwrap();
    let refused = app.app.ensure_certificate(&call(), request("web", wish(&["web.example.com"]))).await;
    assert_eq!(conflict(refused.map(drop)), "certificate_revoked");
    later(&app, Span::from_days(80)).await;
    assert_eq!(view(&app, "web").await.certificate.versions.latest, 2, "the job leaves it alone");
    assert_eq!(renew(&app, RenewCertificate::default()).await, 3, "on purpose it is made anew");
    let page = certwright_app::PageRequest { limit: 50, after: None };
    let events = app.store.read().await.unwrap().events(&Default::default(), &page).await.unwrap().items;
    let of = events.iter().filter(|event| event.kind.as_str() == "certificate.revoked");
    assert!(of.clone().count() == 2 && of.clone().all(|event| event.subject_name == "web"), "about the certificate");
}

#[tokio::test]
async fn an_expired_version_is_not_taken_into_use() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    web(&app).await;
    renew(&app, RenewCertificate { pending: true, ..Default::default() }).await;
    app.clock.advance(Span::from_days(91));
    let refused = app.app.make_certificate_version_current(&call(), &to("web"), 2).await;
    assert_eq!(conflict(refused), "version_expired");
}

#[tokio::test]
async fn a_requesters_key_needs_its_csr() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        let folder = tempfile::TempDir::new().unwrap();
        let csr = |key: &str| {
            let line = format!(
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -subj /CN=web.example.com \
                 -addext subjectAltName=DNS:web.example.com"
            );
            openssl(folder.path(), &line)
        };
        let mut wished = wish(&[]);
        (wished.names, wished.key_algorithm, wished.csr) = (None, None, Some(csr("a.pem")));
        let made = ensure(&app, request("web", wished.clone())).await.view;
        assert_eq!(made.certificate.kind, CertificateKind::Csr);
        assert_eq!(made.version.as_ref().unwrap().version.names[0].to_string(), "web.example.com");
        let refused = app.app.renew_certificate(&call(), &to("web"), RenewCertificate::default()).await;
        assert_eq!(conflict(refused), "csr_needed");
        let first = made.version.unwrap().version;
        renew(&app, RenewCertificate { reuse_csr: true, ..Default::default() }).await;
        let second = view(&app, "web").await.version.unwrap().version;
        assert_eq!((second.number, second.spki_sha256), (2, first.spki_sha256));
        renew(&app, RenewCertificate { csr: Some(csr("b.pem")), ..Default::default() }).await;
        let third = view(&app, "web").await.version.unwrap().version;
        assert_ne!(third.spki_sha256, first.spki_sha256);
        later(&app, Span::from_days(89)).await;
        assert_eq!(view(&app, "web").await.certificate.versions.latest, 3, "the job has no CSR");
        // The first CSR again: another wish than the last one's.
        let again = ensure(&app, request("web", wished)).await;
        assert_eq!(again.reason, "The wish changed: csr.");
        let bundle = app.app.certificate_bundle(&call(), &to("web"), &VersionSelector::Current).await.unwrap();
        assert_eq!(conflict(app.app.certificate_key(&call(), &bundle).await.map(drop)), "certificate_without_key");
    }
}

#[tokio::test]
async fn a_csr_with_the_key_of_a_ca_is_refused() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let folder = tempfile::TempDir::new().unwrap();
    openssl(folder.path(), "ecparam -name prime256v1 -genkey -noout -out ca.pem");
    openssl(folder.path(), "req -x509 -new -key ca.pem -subj /CN=Brought -days 900 -out ca.crt");
    let csr = openssl(folder.path(), "req -new -key ca.pem -subj /CN=web.example.com");
    let import = certwright_app::NewCaKind::ExternalRoot(std::fs::read(folder.path().join("ca.crt")).unwrap());
    app.app.create_ca(&call(), ca("brought", import, Default::default())).await.unwrap();
    let mut wished = wish(&["web.example.com"]);
    (wished.key_algorithm, wished.csr) = (None, Some(csr));
    let refused = violations(app.app.ensure_certificate(&call(), request("web", wished)).await.map(drop));
    assert!(
        refused.iter().any(|violation| violation.pointer == "/csr" || violation.code.contains("key")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_key_that_was_revoked_for_compromise_is_blocked_on_every_node_and_by_every_door() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        ready(&one).await;
        let folder = tempfile::TempDir::new().unwrap();
        openssl(folder.path(), "ecparam -name prime256v1 -genkey -noout -out key.pem");
        let csr = openssl(folder.path(), "req -new -key key.pem -subj /CN=web.example.com");
        let mut wished = wish(&["web.example.com"]);
        (wished.key_algorithm, wished.csr) = (None, Some(csr.clone()));
        ensure(&two, request("web", wished.clone())).await;
        one.app
            .revoke_certificate_version(&call(), &to("web"), 1, Revoke::because(RevocationReason::KeyCompromise))
            .await
            .unwrap();
        for node in [&one, &two] {
            let again = RenewCertificate { reuse_csr: true, ..Default::default() };
            let refused = violations(node.app.renew_certificate(&call(), &to("web"), again).await);
            assert_eq!(refused[0].code, "key_compromised");
            let other = node.app.ensure_certificate(&call(), request("other", wished.clone())).await;
            assert_eq!(violations(other.map(drop))[0].code, "key_compromised");
            let one_shot = certwright_app::SignRequest {
                csr: csr.clone(),
                subject: Default::default(),
                profile: None,
                validity: lasting(1),
            };
            assert_eq!(
                violations(node.app.sign(&call(), &to("issuing"), one_shot).await.map(drop))[0].code,
                "key_compromised"
            );
        }
    }
}

#[tokio::test]
async fn a_private_key_is_read_only_where_it_was_made_exportable_and_every_read_is_audited() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        web(&app).await;
        let bundle = |selector: VersionSelector| {
            let app = app.app.clone();
            async move { app.certificate_bundle(&call(), &to("web"), &selector).await.unwrap() }
        };
        let refused = app.app.certificate_key(&call(), &bundle(VersionSelector::Current).await).await;
        assert_eq!(conflict(refused.map(drop)), "key_not_exportable");
        // Saying so now opens what is made from now on, not what was made before.
        ensure(&app, CertificateRequest { exportable: true, ..request("web", wish(&["web.example.com"])) }).await;
        let refused = app.app.certificate_key(&call(), &bundle(VersionSelector::Number(1)).await).await;
        assert_eq!(conflict(refused.map(drop)), "key_not_exportable");
        renew(&app, RenewCertificate::default()).await;
        let second = bundle(VersionSelector::Current).await;
        let key = app.app.certificate_key(&call(), &second).await.unwrap();
        let public = certwright_keystore::KeyStore::public_key_of(&*app.keys, &key).unwrap();
        assert_eq!(certwright_app::sha256(&[&public]), second.version.spki_sha256);
        assert!(app.audited().await.contains(&"managed-certificate.read-key".to_owned()));
        // Taking it back works at once.
        ensure(&app, request("web", wish(&["web.example.com"]))).await;
        let refused = app.app.certificate_key(&call(), &bundle(VersionSelector::Current).await).await;
        assert_eq!(conflict(refused.map(drop)), "key_not_exportable");
    }
}

#[tokio::test]
async fn a_key_is_not_handed_out_when_its_reading_cannot_be_noted() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    ensure(&app, CertificateRequest { exportable: true, ..request("web", wish(&["web.example.com"])) }).await;
    let bundle = app.app.certificate_bundle(&call(), &to("web"), &VersionSelector::Current).await.unwrap();
    app.faults.arm("certificate.read-key", certwright_testkit::faults::When::Before);
    assert!(app.app.certificate_key(&Call::system("x"), &bundle).await.is_err());
}

#[tokio::test]
async fn sealed_keys_of_certificates_are_not_on_disk_in_the_clear_and_follow_the_vaults_key() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    ensure(&app, CertificateRequest { exportable: true, ..request("web", wish(&["web.example.com"])) }).await;
    let bundle = app.app.certificate_bundle(&call(), &to("web"), &VersionSelector::Current).await.unwrap();
    let key = app.app.certificate_key(&call(), &bundle).await.unwrap();
    let secret = &key.expose()[key.expose().len() - 32..];
    assert!(!app.bytes_on_disk().windows(secret.len()).any(|window| window == secret));
    app.app.rotate_vault(&call(), &to("certwright-certificates")).await.unwrap();
    app.app.run_jobs().await.unwrap();
    let again = app.app.certificate_key(&call(), &bundle).await.unwrap();
    assert_eq!(again.expose(), key.expose());
}
