//! Revoking versions of CAs, and lists of CAs that changed.

use crate::kit::{ca, own};
use crate::support::*;
use certwright_app::{NewCaKind, NewRules, RenewCa};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::crl::CrlKind;
use certwright_domain::revocation::{EntryKind, RevocationReason as R};
use certwright_testkit::faults::Held;

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

/// While a key signs no transaction is open: what is disabled or revoked meanwhile counts all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_ends_while_a_ca_is_signed_signs_it_no_more() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let issuing = subordinate(&app, NewRules::default()).await;
        for name in ["below", "deep"] {
            crate::kit::key(&app, name, KeyAlgorithm::EcdsaP256).await;
        }
        let (vault, key) = issuing.ca.key.clone().unwrap();
        let (vault, key) = (to(vault.as_str()), to(key.as_str()));
        let below = |name: &'static str, issuer: &'static str| {
            let kind = NewCaKind::Subordinate(own(name, name), lasting(1000), to(issuer));
            let (app, new) = (app.app.clone(), ca(name, kind, NewRules::default()));
            tokio::spawn(async move { app.create_ca(&call(), new).await })
        };
        let renewing = |ca: &'static str| {
            let app = app.app.clone();
            let renew = RenewCa { rotate_key: false, validity: lasting(1700), make_current: true };
            tokio::spawn(async move { app.renew_ca(&call(), &to(ca), renew).await })
        };
        let hold = || app.faults.hold("ca.intent");
        let reached =
            async |held: Held| tokio::task::spawn_blocking(move || held.came().then_some(held)).await.unwrap().unwrap();

        // The issuer's key.
        let (held, making) = (hold(), below("below", "issuing"));
        let held = reached(held).await;
        app.app.disable_key(&call(), &vault, &key).await.unwrap();
        drop(held);
        assert_eq!(conflict(making.await.unwrap()), "key_not_enabled");
        app.app.enable_key(&call(), &vault, &key).await.unwrap();
        // The key of a root, which signs for itself.
        let root = app.app.ca(&call(), &to("root")).await.unwrap().ca;
        let (root_vault, root_key) = root.key.unwrap();
        let (root_vault, root_key) = (to(root_vault.as_str()), to(root_key.as_str()));
        let (held, making) = (hold(), renewing("root"));
        let held = reached(held).await;
        app.app.disable_key(&call(), &root_vault, &root_key).await.unwrap();
        drop(held);
        assert_eq!(conflict(making.await.unwrap()), "key_not_enabled");
        app.app.enable_key(&call(), &root_vault, &root_key).await.unwrap();
        // A CA above the issuer.
        below("below", "issuing").await.unwrap().unwrap();
        let (held, making) = (hold(), below("deep", "below"));
        let held = reached(held).await;
        app.app.revoke_ca_version(&call(), &to("issuing"), 1, R::Superseded).await.unwrap();
        drop(held);
        assert_eq!(conflict(making.await.unwrap()), "changed_meanwhile");
        assert!(app.app.ca(&call(), &to("deep")).await.is_err(), "it was made");
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
