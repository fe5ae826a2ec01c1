use crate::cas::{leaf, root, subordinate};
use crate::common::{TestApp, call, conflict, name, trial};
use certwright_app::Error;
use certwright_domain::id::IssuedId;
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Span;
use certwright_store::{IssuedFilter, PageRequest};
use certwright_testkit::faults::When;

async fn with_root(app: &TestApp) {
    app.app.create_vault(&call(), name("v")).await.unwrap();
    root(app, "root").await;
}

async fn ca_rows(app: &TestApp) -> Vec<IssuedCertificate> {
    let filter = IssuedFilter { kind: Some(IssuedKind::Ca), ..IssuedFilter::default() };
    app.app.issued_certificates(&call(), &filter, &PageRequest { limit: 100, after: None }).await.unwrap().items
}

#[tokio::test]
async fn a_certificate_is_found_by_whatever_names_it() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let row = leaf(&app, "root", "a.example.com", 30).await;
        let serial = row.serial.to_string();
        let spaced: Vec<&str> = serial.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
        let fingerprint = row.fingerprint.to_string();
        for reference in [
            serial.clone(),
            serial.to_uppercase(),
            spaced.join(":").to_uppercase(),
            spaced.join(" "),
            fingerprint.to_uppercase(),
            fingerprint,
            row.id.to_string(),
        ] {
            assert_eq!(app.app.issued_certificate(&call(), &reference).await.unwrap(), row, "{reference}");
        }
        for absent in ["01", &"ab".repeat(32), "issued_01JD8XK4M2W7Z3T5V9YQ6B1C0D"] {
            let missing = app.app.issued_certificate(&call(), absent).await;
            assert!(matches!(missing, Err(Error::NotFound { kind: "issued certificate", .. })), "{absent}");
        }
        assert!(matches!(app.app.issued_certificate(&call(), "a.example.com").await, Err(Error::Invalid(_))));
    }
}

#[tokio::test]
async fn a_serial_of_several_cas_is_not_guessed() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let other = root(&app, "other").await;
        let row = leaf(&app, "root", "a.example.com", 30).await;
        let twin = IssuedCertificate {
            id: IssuedId::new(app.app.now(), [200; 10]),
            ca_id: other.ca.id,
            fingerprint: Sha256([9; 32]),
            ..row.clone()
        };
        let mut tx = app.store.begin("test").await.unwrap();
        tx.insert_issued(std::slice::from_ref(&twin)).await.unwrap();
        tx.commit().await.unwrap();
        match app.app.issued_certificate(&call(), &row.serial.to_string()).await {
            Err(Error::Conflict { code: "ambiguous_serial", hint, .. }) => {
                for fingerprint in [row.fingerprint, twin.fingerprint] {
                    assert!(hint.contains(&fingerprint.to_string()), "{hint}");
                }
            }
            other => panic!("{other:?}"),
        }
        let chosen = app.app.issued_certificate(&call(), &twin.fingerprint.to_string()).await.unwrap();
        assert_eq!(chosen, twin);
    }
}

#[tokio::test]
async fn a_certificate_is_revoked_once_with_one_reason() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let row = leaf(&app, "root", "a.example.com", 30).await;
        let serial = row.serial.to_string();
        let revoke = async |reason| app.revoke(&call(), &serial, reason).await;

        let shown = app.revoke(&trial(), &serial, RevocationReason::Superseded).await.unwrap();
        assert!(shown.revocation.is_some());
        app.faults.arm("issued-certificate.revoke", When::Before);
        assert!(revoke(RevocationReason::Superseded).await.is_err());
        assert_eq!(app.app.issued_certificate(&call(), &serial).await.unwrap(), row, "neither changed it");
        let told = async || app.audited().await.iter().filter(|it| *it == "issued-certificate.revoke").count();
        assert_eq!(told().await, 0);

        let revoked = revoke(RevocationReason::Superseded).await.unwrap();
        assert_eq!(revoked.revocation.unwrap().at, app.app.now());
        app.clock.advance(Span::from_hours(1));
        assert_eq!(revoke(RevocationReason::Superseded).await.unwrap(), revoked, "twice answers the same");
        assert_eq!(conflict(revoke(RevocationReason::PrivilegeWithdrawn).await), "already_revoked");
        assert_eq!(app.app.issued_certificate(&call(), &serial).await.unwrap(), revoked);
        assert_eq!(told().await, 1);
    }
}

#[tokio::test]
async fn of_two_revocations_at_once_one_decides() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        with_root(&one).await;
        let serial = leaf(&one, "root", "a.example.com", 30).await.serial.to_string();
        let call = call();
        let (first, second) = tokio::join!(
            one.revoke(&call, &serial, RevocationReason::Superseded),
            other.revoke(&call, &serial, RevocationReason::PrivilegeWithdrawn),
        );
        let (winner, loser) = if first.is_ok() { (first, second) } else { (second, first) };
        assert_eq!(conflict(loser), "already_revoked");
        assert_eq!(one.app.issued_certificate(&call, &serial).await.unwrap(), winner.unwrap());
    }
}

#[tokio::test]
async fn the_certificate_of_a_ca_is_revoked_where_the_ca_is() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    subordinate(&app, "issuing", "root").await;
    let rows = ca_rows(&app).await;
    assert_eq!(rows.len(), 2);
    for row in rows {
        match app.revoke(&call(), row.id.as_str(), RevocationReason::CaCompromise).await {
            Err(Error::Conflict { code: "ca_certificate", hint, .. }) => {
                let url = format!("POST /v1/certificate-authorities/{}/versions/1/revoke", row.common_name);
                assert!(hint.contains(&url), "{hint}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn rows_are_aged_out_only_where_asked_and_not_while_a_list_has_them() {
    let keeps_all = TestApp::sqlite().await;
    let forgets = TestApp::sqlite_with(|settings| settings.retention = Some(Span::from_days(10))).await;
    for (app, expected) in [(keeps_all, 0), (forgets, 1)] {
        with_root(&app).await;
        let expired = leaf(&app, "root", "a.example.com", 1).await;
        let revoked = leaf(&app, "root", "b.example.com", 1).await;
        let lives = leaf(&app, "root", "c.example.com", 30).await;
        let reason = RevocationReason::Superseded;
        app.revoke(&call(), revoked.id.as_str(), reason).await.unwrap();
        app.app.run_crls().await.unwrap();

        app.clock.advance(Span::from_days(10));
        assert_eq!(app.app.run_jobs().await.unwrap().aged_out, 0, "it is not old enough");
        app.clock.advance(Span::from_days(2));
        assert_eq!(app.app.run_jobs().await.unwrap().aged_out, expected);
        assert_eq!(app.app.run_jobs().await.unwrap().aged_out, 0);
        let gone = app.app.issued_certificate(&call(), expired.id.as_str()).await.is_err();
        assert_eq!(gone, expected == 1);
        app.app.issued_certificate(&call(), revoked.id.as_str()).await.unwrap();
        // The list that is made after its expiry still has it; then nothing needs it any more.
        app.app.run_crls().await.unwrap();
        assert_eq!(app.app.run_jobs().await.unwrap().aged_out, expected);
        assert_eq!(app.app.issued_certificate(&call(), revoked.id.as_str()).await.is_err(), expected == 1);
        app.app.issued_certificate(&call(), lives.id.as_str()).await.unwrap();
        assert_eq!(ca_rows(&app).await.len(), 1);
        let told = app.audited().await.iter().filter(|it| *it == "issued-certificate.age-out").count();
        assert_eq!(told as u64, 2 * expected);
    }
}
