//! OCSP through the use case: what is said of whom, by whom, and until when.

use crate::kit::*;
use aws_lc_rs::digest;
use certwright_app::{
    IssuedFilter, NewCaKind, NewRules, OcspAnswer, OcspError, OcspHold, OcspRefusal, PageRequest, RenewCa, UpdateCa,
};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::{OcspResponderKind, RevocationSettings};
use certwright_domain::ocsp::RESPONDER_PROFILE;
use certwright_domain::revocation::RevocationReason;
use certwright_domain::serial::Serial;
use certwright_domain::time::Span;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_pki::ocsp::{CertStatus, read_ocsp_response};
use certwright_pki::{check_issued_by, read_certificate, verify_signature};
use certwright_testkit::ocsp::{SHA1, SHA256, cert_id, issuer_parts, request};
use std::sync::Arc;
use std::task::Poll;

/// A CertID of a certificate under the CA's version.
async fn id(app: &TestApp, ca: &str, version: u32, serial: &Serial, hash: &[u8]) -> Vec<u8> {
    let der = app.app.ca_certificate(&to(ca), Some(version)).await.unwrap();
    let (name, key) = issuer_parts(&der).unwrap();
    let algorithm = if hash == SHA1 { &digest::SHA1_FOR_LEGACY_USE_ONLY } else { &digest::SHA256 };
    let hashed = |bytes| digest::digest(algorithm, bytes).as_ref().to_vec();
    let mut integer = serial.as_bytes().to_vec();
    if integer.first().is_some_and(|first| *first >= 0x80) {
        integer.insert(0, 0);
    }
    cert_id(hash, &hashed(name), &hashed(key), &integer)
}

async fn ask(app: &TestApp, ca: &str, serial: &Serial) -> Result<Arc<OcspAnswer>, OcspError> {
    let id = id(app, ca, 1, serial, SHA256).await;
    app.app.ocsp(&to(ca), None, &request(&[id], None)).await.map(|given| given.answer).map_err(OcspRefusal::report)
}

pub(crate) async fn status(app: &TestApp, ca: &str, serial: &Serial) -> CertStatus {
    let answer = ask(app, ca, serial).await.unwrap();
    read_ocsp_response(&answer.der).unwrap().singles.first().unwrap().status
}

async fn issued(app: &TestApp, ca: &str) -> Serial {
    app.app.issue(&call(), &to(ca), leaf(&["a.example.com"], lasting(80))).await.unwrap().row.serial
}

async fn revoke(app: &TestApp, serial: &Serial, reason: RevocationReason) {
    app.revoke(&call(), &serial.to_string(), reason).await.unwrap();
}

async fn house(app: &TestApp) {
    root(app, NewRules::default()).await;
    subordinate(app, NewRules::default()).await;
}

/// How many responders' certificates stand in the inventory.
pub(crate) async fn responders(app: &TestApp) -> usize {
    let filter = IssuedFilter { profile: Some(RESPONDER_PROFILE.to_owned()), ..IssuedFilter::default() };
    let page = PageRequest { limit: 500, after: None };
    app.app.issued_certificates(&call(), &filter, &page).await.unwrap().items.len()
}

async fn change(app: &TestApp, ca: &str, update: UpdateCa) {
    let revision = app.app.ca(&call(), &to(ca)).await.unwrap().ca.revision;
    app.app.update_ca(&call(), &to(ca), update, Some(revision)).await.unwrap();
}

fn by(kind: OcspResponderKind) -> UpdateCa {
    let revocation = RevocationSettings { ocsp_responder: kind, ..RevocationSettings::default() };
    UpdateCa { revocation: Some(revocation), ..UpdateCa::default() }
}

#[tokio::test]
async fn good_revoked_and_unknown() {
    for app in TestApp::on_every_database().await {
        house(&app).await;
        let (one, two) = (issued(&app, "issuing").await, issued(&app, "issuing").await);
        assert_eq!(status(&app, "issuing", &one).await, CertStatus::Good);
        revoke(&app, &two, RevocationReason::KeyCompromise).await;
        match status(&app, "issuing", &two).await {
            CertStatus::Revoked(revocation) => {
                assert_eq!((revocation.reason, revocation.at), (RevocationReason::KeyCompromise, app.clock_now()));
            }
            other => panic!("{other:?}"),
        }
        let never = Serial::from_bytes(&[0x12, 0x34]).unwrap();
        assert_eq!(status(&app, "issuing", &never).await, CertStatus::Unknown);
        // The root knows its own certificate and the subordinate's, and nothing of the leaves.
        let sub = app.app.ca(&call(), &to("issuing")).await.unwrap().version.unwrap().version.serial.unwrap();
        assert_eq!(status(&app, "root", &sub).await, CertStatus::Good);
        assert_eq!(status(&app, "root", &one).await, CertStatus::Unknown);
        let reason = RevocationReason::CessationOfOperation;
        app.app.revoke_ca_version(&call(), &to("issuing"), 1, reason).await.unwrap();
        assert!(matches!(status(&app, "root", &sub).await, CertStatus::Revoked(_)));
        // A revoked CA still says what it knows.
        assert_eq!(status(&app, "issuing", &one).await, CertStatus::Good);
    }
}

/// Whoever asks for a revocation may go away while it is written: it is written all the same, and answers know of it at once.
#[tokio::test]
async fn a_revocation_whose_caller_went_away_is_known_to_answers() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    for patience in (0..24).map(|power| 1 << power) {
        let serial = issued(&app, "issuing").await;
        assert_eq!(status(&app, "issuing", &serial).await, CertStatus::Good);
        // The writer is taken, so a revocation can be on its way and no further.
        let held = app.store.begin("held").await.unwrap();
        let (call, reference) = (call(), serial.to_string());
        let mut revoking = Box::pin(app.revoke(&call, &reference, RevocationReason::Superseded));
        for _ in 0..patience {
            let is_ready =
                std::future::poll_fn(|context| Poll::Ready(revoking.as_mut().poll(context).is_ready())).await;
            assert!(!is_ready, "nobody can write");
            tokio::task::yield_now().await;
        }
        drop(revoking);
        held.rollback().await.unwrap();
        // Behind it in the queue for the writer.
        issued(&app, "issuing").await;
        let row = app.app.issued_certificate(&call, &reference).await.unwrap();
        match (row.revocation, status(&app, "issuing", &serial).await) {
            (None, CertStatus::Good) => {}
            (Some(_), CertStatus::Revoked(_)) => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("no revocation came as far as the writer");
}

#[tokio::test]
async fn the_answer_is_signed_by_a_responder_of_the_ca() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let serial = issued(&app, "issuing").await;
    let ids = [id(&app, "issuing", 1, &serial, SHA1).await, id(&app, "issuing", 1, &serial, SHA256).await];
    let answer = app.app.ocsp(&to("issuing"), Some(1), &request(&ids, Some(&[7; 32]))).await.unwrap().answer;
    let read = read_ocsp_response(&answer.der).unwrap();
    assert_eq!((read.nonce, answer.cacheable), (Some(&[7; 32][..]), false));
    for (single, id) in read.singles.iter().zip(&ids) {
        assert_eq!((single.id, single.status), (&id[..], CertStatus::Good));
        assert_eq!(single.next_update, Some(app.clock_now().plus(Span::from_hours(12))));
    }
    let responder = read_certificate(read.responder_certificate().unwrap()).unwrap();
    let ca = read_certificate(&app.app.ca_certificate(&to("issuing"), None).await.unwrap()).unwrap();
    check_issued_by(&responder, &ca).unwrap();
    let algorithm = KeyAlgorithm::EcdsaP256.signature_algorithms()[0];
    verify_signature(&responder.public_key.spki, algorithm, read.signed, read.signature).unwrap();
    // It stands in the inventory like any other, and does not keep the CA from being deleted.
    let row = app.app.issued_certificate(&call(), &responder.fingerprint.to_string()).await.unwrap();
    assert_eq!((row.profile.as_str(), row.serial), (RESPONDER_PROFILE, responder.serial.clone()));
    assert_eq!(status(&app, "issuing", &responder.serial).await, CertStatus::Good);
    assert_eq!(conflict(app.app.schedule_ca_deletion(&call(), &to("issuing"), None).await), "ca_in_use");
    revoke(&app, &serial, RevocationReason::Superseded).await;
    app.app.schedule_ca_deletion(&call(), &to("issuing"), None).await.unwrap();
    assert_eq!(status(&app, "issuing", &responder.serial).await, CertStatus::Good);
}

#[tokio::test]
async fn who_does_not_answer_says_unauthorized() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let serial = issued(&app, "issuing").await;
    let id = id(&app, "issuing", 1, &serial, SHA256).await;
    let bytes = request(&[id], None);
    let refused = async |ca: &str, version| app.app.ocsp(&to(ca), version, &bytes).await.unwrap_err().report();
    assert_eq!(refused("root", None).await, OcspError::Unauthorized);
    assert_eq!(refused("nobody", None).await, OcspError::Unauthorized);
    assert_eq!(refused("issuing", Some(2)).await, OcspError::Unauthorized);
    assert_eq!(refused("certwright-service", None).await, OcspError::Unauthorized);
    // Of another CA's certificates nothing is known, beside one of its own.
    let own = self::id(&app, "issuing", 1, &serial, SHA1).await;
    let foreign = self::id(&app, "root", 1, &serial, SHA1).await;
    let answer = app.app.ocsp(&to("issuing"), None, &request(&[foreign, own], None)).await.unwrap().answer;
    let statuses: Vec<CertStatus> =
        read_ocsp_response(&answer.der).unwrap().singles.iter().map(|single| single.status).collect();
    assert_eq!((statuses, answer.cacheable), (vec![CertStatus::Unknown, CertStatus::Good], false));
    let off = RevocationSettings { ocsp_enabled: false, ..RevocationSettings::default() };
    change(&app, "issuing", UpdateCa { revocation: Some(off), ..UpdateCa::default() }).await;
    assert_eq!(refused("issuing", None).await, OcspError::Unauthorized);
    assert_eq!(app.app.ocsp(&to("issuing"), None, &[0x30, 0]).await.unwrap_err().report(), OcspError::MalformedRequest);
    assert_eq!(responders(&app).await, 1);
}

#[tokio::test]
async fn a_kept_answer_is_used_until_something_changes() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        house(&one).await;
        let serial = issued(&one, "issuing").await;
        let first = ask(&one, "issuing", &serial).await.unwrap();
        assert!(Arc::ptr_eq(&first, &ask(&one, "issuing", &serial).await.unwrap()));
        // Both nodes answer with the one responder.
        let other = ask(&two, "issuing", &serial).await.unwrap();
        let responder =
            |answer: &OcspAnswer| read_ocsp_response(&answer.der).unwrap().responder_certificate().unwrap().to_vec();
        assert_eq!(responder(&first), responder(&other));
        assert_eq!(responders(&one).await, 1);
        // Nothing changes: used again for half of its life, then signed anew.
        one.clock.advance(Span::from_minutes(359));
        assert!(Arc::ptr_eq(&first, &ask(&one, "issuing", &serial).await.unwrap()));
        one.clock.advance(Span::from_minutes(1));
        let later = ask(&one, "issuing", &serial).await.unwrap();
        assert_eq!(later.this_update, one.clock_now());
        // Revoked: here at once, there as soon as what it knows is not trusted any more.
        assert_eq!(status(&two, "issuing", &serial).await, CertStatus::Good);
        revoke(&one, &serial, RevocationReason::Superseded).await;
        assert!(matches!(status(&one, "issuing", &serial).await, CertStatus::Revoked(_)));
        two.clock.advance(Span::from_s(5));
        assert!(matches!(status(&two, "issuing", &serial).await, CertStatus::Revoked(_)));
    }
}

#[tokio::test]
async fn nodes_that_begin_at_once_make_one_responder() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        house(&one).await;
        let serial = issued(&one, "issuing").await;
        let asked = futures_util::future::join_all((0..16).map(|n| {
            let (node, serial) = (if n % 2 == 0 { &one } else { &two }, &serial);
            async move { status(node, "issuing", serial).await }
        }));
        assert!(asked.await.iter().all(|status| *status == CertStatus::Good));
        assert_eq!(responders(&one).await, 1);
    }
}

#[tokio::test]
async fn a_year_without_an_answer_from_an_ended_responder() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    subordinate(&app, NewRules::default()).await;
    let serial = issued(&app, "issuing").await;
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut ends = None;
    for day in 0..365 {
        for _ in 0..3 {
            app.clock.advance(Span::from_hours(8));
            // The jobs are dead for a fortnight twice.
            if !matches!(day, 100..114 | 200..214) {
                app.app.run_jobs().await.unwrap();
            }
            let answer = ask(&app, "issuing", &serial).await.unwrap();
            let read = read_ocsp_response(&answer.der).unwrap();
            let der = read.responder_certificate().unwrap();
            let responder = read_certificate(der).unwrap();
            let now = app.clock_now();
            assert!(responder.validity.not_before() <= now && now <= responder.validity.not_after(), "day {day}");
            assert!(answer.next_update <= responder.validity.not_after() && now < answer.next_update, "day {day}");
            if seen.last().is_none_or(|last| last != der) {
                seen.push(der.to_vec());
                // Renewed with time to spare.
                assert!(ends.is_none_or(|ends| now < ends), "day {day}");
            }
            ends = Some(responder.validity.not_after());
        }
    }
    // Every 3.5 days, and rarely while the jobs were dead.
    assert!((90..=105).contains(&seen.len()), "{}", seen.len());
    // The keys of those that have ended are gone.
    let mut read = app.store.read().await.unwrap();
    let last = app.app.ca(&call(), &to("issuing")).await.unwrap().ca.id;
    let newest = read.ocsp_responder(&last, 1).await.unwrap().unwrap();
    let versions = read.key_versions(&newest.key_id).await.unwrap();
    let live = versions.iter().filter(|version| !version.sealed.0.is_empty()).count();
    assert!((1..=3).contains(&live), "{live}");
    assert_eq!(versions.len(), seen.len());
}

#[tokio::test]
async fn a_revoked_responder_is_replaced() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let serial = issued(&app, "issuing").await;
    let responder = async || {
        let answer = ask(&app, "issuing", &serial).await.unwrap();
        read_certificate(read_ocsp_response(&answer.der).unwrap().responder_certificate().unwrap()).unwrap()
    };
    let first = responder().await;
    revoke(&app, &first.serial, RevocationReason::KeyCompromise).await;
    app.clock.advance(Span::from_s(5));
    let second = responder().await;
    assert!(second.serial != first.serial && second.public_key != first.public_key);
}

#[tokio::test]
async fn the_ca_itself_signs_where_it_is_asked_to() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let serial = issued(&app, "issuing").await;
    let delegated = ask(&app, "issuing", &serial).await.unwrap();
    assert!(read_ocsp_response(&delegated.der).unwrap().responder_certificate().is_some());
    change(&app, "issuing", by(OcspResponderKind::Ca)).await;
    let answer = ask(&app, "issuing", &serial).await.unwrap();
    let read = read_ocsp_response(&answer.der).unwrap();
    assert_eq!(read.responder_certificate(), None);
    let ca = read_certificate(&app.app.ca_certificate(&to("issuing"), None).await.unwrap()).unwrap();
    let algorithm = KeyAlgorithm::EcdsaP256.signature_algorithms()[0];
    verify_signature(&ca.public_key.spki, algorithm, read.signed, read.signature).unwrap();
    // A disabled key signs nothing, also no answers; a disabled CA answers.
    app.app.disable_key(&call(), &to("v"), &to("sub-key")).await.unwrap();
    assert_eq!(ask(&app, "issuing", &serial).await.unwrap_err(), OcspError::TryLater);
    app.app.enable_key(&call(), &to("v"), &to("sub-key")).await.unwrap();
    change(&app, "issuing", UpdateCa { enabled: Some(false), ..UpdateCa::default() }).await;
    assert_eq!(status(&app, "issuing", &serial).await, CertStatus::Good);
}

#[tokio::test]
async fn a_delegated_responder_goes_on_without_its_cas_key() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let serial = issued(&app, "issuing").await;
    app.app.disable_key(&call(), &to("v"), &to("sub-key")).await.unwrap();
    // Nobody can make one.
    assert_eq!(ask(&app, "issuing", &serial).await.unwrap_err(), OcspError::TryLater);
    app.app.enable_key(&call(), &to("v"), &to("sub-key")).await.unwrap();
    assert_eq!(status(&app, "issuing", &serial).await, CertStatus::Good);
    app.app.disable_key(&call(), &to("v"), &to("sub-key")).await.unwrap();
    for _ in 0..6 {
        app.clock.advance(Span::from_hours(24));
        app.app.run_jobs().await.unwrap();
        let answer = ask(&app, "issuing", &serial).await.unwrap();
        let read = read_ocsp_response(&answer.der).unwrap();
        assert_eq!(read.singles[0].status, CertStatus::Good);
        let responder = read_certificate(read.responder_certificate().unwrap()).unwrap();
        assert!(answer.next_update <= responder.validity.not_after());
        app.clock.advance(Span::from_hours(3));
    }
    app.clock.advance(Span::from_hours(6));
    assert_eq!(ask(&app, "issuing", &serial).await.unwrap_err(), OcspError::TryLater);
}

#[tokio::test]
async fn versions_with_another_key_have_a_responder_of_their_own() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let old = issued(&app, "issuing").await;
    let validity = RequestedValidity { not_before: None, end: RequestedEnd::Longest };
    let renew = RenewCa { validity, rotate_key: true, make_current: true };
    app.app.renew_ca(&call(), &to("issuing"), renew).await.unwrap();
    let new = issued(&app, "issuing").await;
    let mut responders = Vec::new();
    for (serial, version, other) in [(&old, 1, 2), (&new, 2, 1)] {
        let ask = async |version, url| {
            let bytes = request(&[id(&app, "issuing", version, serial, SHA256).await], None);
            app.app.ocsp(&to("issuing"), Some(url), &bytes).await.unwrap().answer
        };
        // The URL may name either version.
        let answer = ask(version, other).await;
        let read = read_ocsp_response(&answer.der).unwrap();
        assert_eq!(read.singles[0].status, CertStatus::Good);
        let responder = read_certificate(read.responder_certificate().unwrap()).unwrap();
        let ca = read_certificate(&app.app.ca_certificate(&to("issuing"), Some(version)).await.unwrap()).unwrap();
        check_issued_by(&responder, &ca).unwrap();
        responders.push(responder.serial);
        // The other key did not sign it.
        assert_eq!(read_ocsp_response(&ask(other, other).await.der).unwrap().singles[0].status, CertStatus::Unknown);
    }
    assert_ne!(responders[0], responders[1]);
}

#[tokio::test]
async fn an_rsa_ca_has_an_rsa_responder() {
    let app = TestApp::sqlite().await;
    app.app.create_vault(&call(), name("v")).await.unwrap();
    key(&app, "rsa", KeyAlgorithm::Rsa2048).await;
    let kind = NewCaKind::Root(own("rsa", "Root"), lasting(3650));
    app.app.create_ca(&call(), ca("root", kind, NewRules::default())).await.unwrap();
    let serial = issued(&app, "root").await;
    let answer = ask(&app, "root", &serial).await.unwrap();
    let read = read_ocsp_response(&answer.der).unwrap();
    let responder = read_certificate(read.responder_certificate().unwrap()).unwrap();
    assert_eq!(responder.public_key.algorithm(), Some(KeyAlgorithm::Rsa2048));
}

#[tokio::test]
async fn a_deleted_cas_responder_goes_with_it() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let serial = issued(&app, "issuing").await;
    assert_eq!(status(&app, "issuing", &serial).await, CertStatus::Good);
    let ca = app.app.ca(&call(), &to("issuing")).await.unwrap().ca.id;
    let key = app.store.read().await.unwrap().ocsp_responder(&ca, 1).await.unwrap().unwrap().key_id;
    revoke(&app, &serial, RevocationReason::Superseded).await;
    app.app.schedule_ca_deletion(&call(), &to("issuing"), None).await.unwrap();
    let id = id(&app, "issuing", 1, &serial, SHA256).await;
    app.clock.advance(Span::from_days(40));
    app.app.run_jobs().await.unwrap();
    app.app.run_jobs().await.unwrap();
    let refused = app.app.ocsp(&to(ca.as_str()), None, &request(&[id], None)).await.map_err(OcspRefusal::report);
    assert_eq!(refused.unwrap_err(), OcspError::Unauthorized);
    let mut read = app.store.read().await.unwrap();
    assert_eq!(read.ocsp_responder(&ca, 1).await.unwrap(), None);
    assert!(read.key_versions(&key).await.unwrap().iter().all(|version| version.sealed.0.is_empty()));
}

#[tokio::test]
async fn a_database_that_is_away_is_try_later() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let serial = issued(&app, "issuing").await;
    let id = id(&app, "issuing", 1, &serial, SHA256).await;
    app.store.close().await;
    assert_eq!(
        app.app.ocsp(&to("issuing"), None, &request(&[id], None)).await.unwrap_err().report(),
        OcspError::TryLater
    );
}

async fn hold(app: &TestApp, serial: &Serial) -> OcspHold {
    let id = id(app, "issuing", 1, serial, SHA256).await;
    app.app.ocsp(&to("issuing"), None, &request(&[id], None)).await.unwrap().hold.unwrap()
}

#[tokio::test]
async fn a_hold_ends_with_whatever_it_rests_on() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        house(&one).await;
        let serial = issued(&one, "issuing").await;
        // The first answer makes the responder, which is a change.
        let first = ask(&one, "issuing", &serial).await.unwrap();
        hold(&one, &serial).await;
        // Five seconds after what it rests on was looked at, and not if the clock is set back behind that.
        let began = one.clock_now();
        one.clock.advance(Span::from_s(2));
        let held = hold(&one, &serial).await;
        let after = |ms| began.plus(Span::from_ms(ms));
        for (at, holds) in
            [(after(4_999), true), (after(5_000), false), (began.minus(Span::from_ms(1)), false), (began, true)]
        {
            one.clock.set(at);
            assert_eq!(one.app.ocsp_holds(&held), holds, "{at}");
        }
        // Half of the answer's life.
        one.clock.set(began.plus(Span::from_hours(6)).minus(Span::from_ms(1)));
        let held = hold(&one, &serial).await;
        assert!(one.app.ocsp_holds(&held) && Arc::ptr_eq(&first, &ask(&one, "issuing", &serial).await.unwrap()));
        one.clock.advance(Span::from_ms(1));
        assert!(!one.app.ocsp_holds(&held));
        // A change of the CA, on this node at once.
        let held = hold(&one, &serial).await;
        let there = hold(&two, &serial).await;
        change(&one, "issuing", by(OcspResponderKind::Ca)).await;
        assert!(!one.app.ocsp_holds(&held) && two.app.ocsp_holds(&there));
        one.clock.advance(Span::from_s(5));
        assert!(!two.app.ocsp_holds(&there));
        // A revocation, on this node at once; its answer has a hold of its own.
        let (held, there) = (hold(&one, &serial).await, hold(&two, &serial).await);
        assert!(one.app.ocsp_holds(&held) && two.app.ocsp_holds(&there));
        revoke(&one, &serial, RevocationReason::Superseded).await;
        assert!(!one.app.ocsp_holds(&held) && one.app.ocsp_holds(&hold(&one, &serial).await));
        one.clock.advance(Span::from_s(5));
        assert!(!two.app.ocsp_holds(&there));
    }
}

#[tokio::test]
async fn what_is_for_one_asker_has_no_hold() {
    let app = TestApp::sqlite().await;
    house(&app).await;
    let serial = issued(&app, "issuing").await;
    let known = id(&app, "issuing", 1, &serial, SHA256).await;
    let never = id(&app, "issuing", 1, &Serial::from_bytes(&[0x12, 0x34]).unwrap(), SHA256).await;
    for (ids, nonce) in [
        (vec![known.clone()], Some(&[7; 32][..])),
        (vec![known.clone(), known.clone()], None),
        (vec![never.clone()], None),
    ] {
        let given = app.app.ocsp(&to("issuing"), None, &request(&ids, nonce)).await.unwrap();
        assert_eq!(given.hold, None);
    }
}
