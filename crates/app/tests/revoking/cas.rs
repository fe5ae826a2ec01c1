//! Revoking versions of CAs, and lists of CAs that changed.

use crate::support::*;
use certwright_app::{NewRules, RenewCa};
use certwright_domain::crl::CrlKind;
use certwright_domain::revocation::{EntryKind, RevocationReason as R};

#[tokio::test]
async fn a_revoked_ca_stands_on_its_issuers_list() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let view = subordinate(&app, NewRules::default()).await;
        let serial = view.version.unwrap().version.serial.unwrap();
        publish(&app).await;
        assert_eq!(listed_for(&app, "root", &serial).await, None);
        let revoke = async |reason| app.app.revoke_ca_version(&call(), &to("issuing"), 1, reason).await;
        assert_eq!(conflict(revoke(R::CertificateHold).await), "hold_of_a_ca");
        revoke(R::Superseded).await.unwrap();
        revoke(R::Superseded).await.unwrap();
        assert_eq!(conflict(revoke(R::CessationOfOperation).await), "already_revoked");
        publish(&app).await;
        assert_eq!(listed_for(&app, "root", &serial).await, Some(EntryKind::Revoked(R::Superseded)));
        // Its own list is still made: what it signed before is still looked up.
        assert_eq!(listed(&app, "issuing").await, []);

        revoke(R::CaCompromise).await.unwrap();
        publish(&app).await;
        assert_eq!(listed_for(&app, "root", &serial).await, Some(EntryKind::Revoked(R::CaCompromise)));
        assert_eq!(
            conflict(app.app.revoke_ca_version(&call(), &to("root"), 1, R::CaCompromise).await),
            "not_revocable"
        );
    }
}

#[tokio::test]
async fn a_compromised_ca_key_is_never_certified_again() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        subordinate(&app, NewRules::default()).await;
        app.app.revoke_ca_version(&call(), &to("issuing"), 1, R::CaCompromise).await.unwrap();
        let renew = |rotate_key| RenewCa { rotate_key, validity: lasting(1700), make_current: true };
        let same = app.app.renew_ca(&call(), &to("issuing"), renew(false)).await;
        assert_eq!(conflict(same), "key_compromised");
        app.app.renew_ca(&call(), &to("issuing"), renew(true)).await.unwrap();
        leaf(&app, "issuing", "a.example.com").await;
    }
}

/// The key is what others know, not one of its certificates.
#[tokio::test]
async fn a_compromised_ca_key_signs_with_none_of_its_certificates() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        subordinate(&app, NewRules::default()).await;
        let renew = RenewCa { rotate_key: false, validity: lasting(1700), make_current: true };
        app.app.renew_ca(&call(), &to("issuing"), renew).await.unwrap();
        leaf(&app, "issuing", "a.example.com").await;
        app.app.revoke_ca_version(&call(), &to("issuing"), 1, R::KeyCompromise).await.unwrap();
        let wish = crate::kit::leaf(&["b.example.com"], lasting(30));
        match app.app.issue(&call(), &to("issuing"), wish).await {
            Err(certwright_app::Error::Rejected(violations)) => {
                assert_eq!(violations[0].code, "issuer_key_compromised")
            }
            _ => panic!("it was not refused by a rule"),
        }
        // Nor by going back to it.
        let renew = RenewCa { rotate_key: true, validity: lasting(1700), make_current: true };
        app.app.renew_ca(&call(), &to("issuing"), renew).await.unwrap();
        leaf(&app, "issuing", "b.example.com").await;
        assert_eq!(conflict(app.app.make_ca_version_current(&call(), &to("issuing"), 2).await), "key_compromised");
    }
}

/// Some verifiers look for a list by the issuer's name alone: each version's list has everything.
#[tokio::test]
async fn the_lists_of_all_versions_hold_everything() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let old = leaf(&app, "root", "a.example.com").await;
        let renew = RenewCa { rotate_key: true, validity: lasting(1700), make_current: true };
        app.app.renew_ca(&call(), &to("root"), renew).await.unwrap();
        let new = leaf(&app, "root", "b.example.com").await;
        revoke(&app, &old, R::Superseded).await;
        revoke(&app, &new, R::Superseded).await;
        publish(&app).await;
        let mut serials = [old.serial, new.serial];
        serials.sort();
        for version in [1, 2] {
            let der = app.app.ca_certificate(&to("root"), Some(version)).await.unwrap();
            let issuer = certwright_pki::read_certificate(&der).unwrap();
            let served = app.app.crl(&to("root"), Some(version), CrlKind::Full, WHOLE.0, 0).await.unwrap();
            let crl = certwright_pki::read_crl(&served.der, &issuer).unwrap();
            let mut listed: Vec<_> = crl.entries().map(|entry| entry.serial).collect();
            listed.sort();
            assert_eq!(listed, serials, "version {version}");
        }
        let numbers = [1, 2].map(|version| {
            let app = &app;
            async move { app.app.crl(&to("root"), Some(version), CrlKind::Full, WHOLE.0, 0).await.unwrap().crl.number }
        });
        let [one, two] = numbers;
        assert_ne!(one.await, two.await, "one counter for the CA");
    }
}
