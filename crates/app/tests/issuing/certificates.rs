//! CAs and certificates: rules, states, versions, several nodes.

use crate::kit::*;
use certwright_app::{Error, IssueRequest, NewCaKind, NewRules, RenewCa, SignRequest, Subject, UpdateCa};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::ca::CaState;
use certwright_domain::constraints::{NameConstraints, RawSubtrees};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::san::San;
use certwright_domain::stage::Stage;
use certwright_domain::time::Span;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_pki::{check_issued_by, read_certificate};
use certwright_store::{IssuedFilter, PageRequest};

#[tokio::test]
async fn root_subordinate_leaf_make_a_chain_that_verifies() {
    for app in TestApp::on_every_database().await {
        root(&app, NewRules { path_length: Some(1), ..NewRules::default() }).await;
        let sub = subordinate(&app, NewRules::default()).await;
        assert_eq!(sub.ca.rules.path_length, Some(0), "the default is what the issuer leaves");
        let issued = app.app.issue(&call(), &to("issuing"), leaf(&["a.example.com"], lasting(30))).await.unwrap();
        assert_eq!((issued.chain().len(), issued.above.der().len()), (2, 2));
        let read: Vec<_> = [issued.chain()[0], &issued.above.der()[0], &issued.above.der()[1]]
            .iter()
            .map(|der| read_certificate(der).unwrap())
            .collect();
        check_issued_by(&read[0], &read[1]).unwrap();
        check_issued_by(&read[1], &read[2]).unwrap();
        check_issued_by(&read[2], &read[2]).unwrap();
        assert!(issued.private_key.is_some());
        let found = app.app.issued_certificate(&call(), &issued.row.serial.to_string()).await.unwrap();
        assert_eq!(found, issued.row, "what was released is what is stored");
    }
}

#[tokio::test]
async fn a_lifetime_above_the_rule_is_refused_in_the_exact_words() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    let now = app.app.now();
    let asked =
        |ms| RequestedValidity { not_before: Some(now), end: RequestedEnd::NotAfter(now.plus(Span::from_ms(ms))) };
    let refused = violations(app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], asked(7_839_114_000))).await);
    assert_eq!(refused.len(), 1, "{refused:?}");
    let sentence = &refused[0].detail;
    let start = "The validity period 7839115000 exceeds the maximum validity period allowed 7776000000.";
    assert!(sentence.starts_with(start), "{sentence}");
    let shorter = asked(7_839_114_000 - 86_400_000);
    app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], shorter)).await.unwrap();
}

#[tokio::test]
async fn every_broken_rule_is_listed_and_a_refusal_leaves_nothing() {
    let app = TestApp::sqlite().await;
    let permitted =
        RawSubtrees { dns: vec!["example.com".into()], ip: vec!["10.0.0.0/8".into()], ..Default::default() };
    let constraints = NameConstraints::parse(permitted, RawSubtrees::default()).unwrap();
    root(&app, NewRules { name_constraints: Some(constraints), ..NewRules::default() }).await;
    let names = ["*.example.com", "evil.test", "192.168.0.1"];
    let refused = violations(app.app.issue(&call(), &to("root"), leaf(&names, lasting(91))).await);
    let codes: Vec<&str> = refused.iter().map(|violation| violation.code).collect();
    assert!(codes.contains(&"lifetime_too_long"), "{codes:?}");
    assert!(refused.len() >= 4, "wildcard, foreign name, foreign address and lifetime: {refused:#?}");
    let all = PageRequest { limit: 10, after: None };
    let page = app.app.issued_certificates(&call(), &IssuedFilter::default(), &all).await.unwrap();
    assert_eq!(page.items.len(), 1, "only the root's own certificate is there");
}

#[tokio::test]
async fn keys_of_the_wrong_kind_disabled_or_taken_are_refused_with_the_reason() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    key(&app, "aes", KeyAlgorithm::Aes256).await;
    key(&app, "off", KeyAlgorithm::EcdsaP256).await;
    app.app.disable_key(&call(), &to("v"), &to("off")).await.unwrap();
    for (key, code) in [("aes", "key_wrong_kind"), ("off", "key_not_enabled"), ("root-key", "key_in_use")] {
        let kind = NewCaKind::Root(own(key, "Other"), lasting(365));
        assert_eq!(conflict(app.app.create_ca(&call(), ca("other", kind, NewRules::default())).await), code);
    }
    let mut wrong = own("off", "Other");
    app.app.enable_key(&call(), &to("v"), &to("off")).await.unwrap();
    wrong.signature_algorithm = Some(SignatureAlgorithm::Sha256WithRsa);
    let kind = NewCaKind::Root(wrong, lasting(365));
    let refused = app.app.create_ca(&call(), ca("other", kind, NewRules::default())).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    assert!(matches!(app.app.ca(&call(), &to("other")).await, Err(Error::NotFound { .. })), "nothing half-made");
}

#[tokio::test]
async fn a_disabled_key_stops_a_ca_that_is_in_use() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
    app.app.disable_key(&call(), &to("v"), &to("root-key")).await.unwrap();
    let refused = app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await;
    assert_eq!(conflict(refused), "key_not_enabled");
}

#[tokio::test]
async fn states_of_a_ca_decide_whether_it_signs() {
    let app = TestApp::sqlite().await;
    let made = root(&app, NewRules::default()).await;
    let update = |enabled| UpdateCa { enabled: Some(enabled), ..UpdateCa::default() };
    let missing = app.app.update_ca(&call(), &to("root"), update(false), None).await;
    assert!(matches!(missing, Err(Error::PreconditionRequired { .. })));
    let stale = app.app.update_ca(&call(), &to("root"), update(false), Some(made.ca.revision + 7)).await;
    assert!(matches!(stale, Err(Error::PreconditionFailed { .. })));
    let off = app.app.update_ca(&call(), &to("root"), update(false), Some(made.ca.revision)).await.unwrap();
    assert_eq!(off.ca.state, CaState::Disabled);
    let refused = app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await;
    assert_eq!(conflict(refused), "ca_disabled");
    app.app.update_ca(&call(), &to("root"), update(true), Some(off.ca.revision)).await.unwrap();
    let issued = app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await.unwrap();

    assert_eq!(conflict(app.app.schedule_ca_deletion(&call(), &to("root"), None).await), "ca_in_use");
    let serial = issued.row.serial.to_string();
    app.revoke(&call(), &serial, RevocationReason::Superseded).await.unwrap();
    let pending = app.app.schedule_ca_deletion(&call(), &to("root"), None).await.unwrap();
    assert_eq!(pending.ca.state, CaState::PendingDeletion);
    let refused = app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await;
    assert_eq!(conflict(refused), "ca_pending_deletion");
    let back = app.app.cancel_ca_deletion(&call(), &to("root")).await.unwrap();
    assert_eq!(back.ca.state, CaState::Active);
    let early = app.app.schedule_ca_deletion(&call(), &to("root"), Some(app.app.now().plus(Span::from_days(1)))).await;
    assert!(matches!(early, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn an_expired_ca_signs_nothing() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    app.clock.advance(Span::from_days(3651));
    let refused = violations(app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await);
    assert!(refused.iter().any(|violation| violation.code == "issuer_expired"), "{refused:?}");
}

#[tokio::test]
async fn path_length_and_subordinate_lifetime_hold() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules { path_length: Some(1), ..NewRules::default() }).await;
    subordinate(&app, NewRules::default()).await;
    key(&app, "third-key", KeyAlgorithm::EcdsaP256).await;
    let kind = || NewCaKind::Subordinate(own("third-key", "Third"), lasting(100), to("issuing"));
    let refused = violations(app.app.create_ca(&call(), ca("third", kind(), NewRules::default())).await);
    assert_eq!(refused[0].rule, "pathLength", "{refused:?}");
    let long = NewCaKind::Subordinate(own("third-key", "Third"), lasting(1826), to("root"));
    let refused = violations(app.app.create_ca(&call(), ca("third", long, NewRules::default())).await);
    assert_eq!(refused[0].rule, "subordinateMaxValidity", "{refused:?}");
}

#[tokio::test]
async fn renewal_makes_pending_versions_that_are_taken_into_use_by_choice() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    let sub = subordinate(&app, NewRules::default()).await;
    let before = app.app.issue(&call(), &to("issuing"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
    let renew = |rotate_key, make_current| RenewCa { validity: lasting(1000), rotate_key, make_current };
    let renewed = app.app.renew_ca(&call(), &to("issuing"), renew(true, false)).await.unwrap();
    let version = renewed.version.unwrap();
    assert_eq!(version.version.number, 2);
    assert_eq!(version.stages, [Stage::Pending, Stage::Latest]);
    let old_key = sub.version.unwrap().version.spki_sha256;
    assert_ne!(version.version.spki_sha256, old_key, "a rotated key");
    let still = app.app.issue(&call(), &to("issuing"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
    assert_eq!(still.row.ca_version, 1);
    let current = app.app.make_ca_version_current(&call(), &to("issuing"), 2).await.unwrap();
    assert_eq!(current.version.unwrap().stages, [Stage::Current, Stage::Latest]);
    let after = app.app.issue(&call(), &to("issuing"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
    assert_eq!(after.row.ca_version, 2);
    let (_, versions) = app.app.ca_versions(&call(), &to("issuing")).await.unwrap();
    assert_eq!(versions[1].stages, [Stage::Previous]);
    let (old, new) =
        (read_certificate(&before.above.der()[0]).unwrap(), read_certificate(&after.above.der()[0]).unwrap());
    check_issued_by(&read_certificate(before.chain()[0]).unwrap(), &old).unwrap();
    check_issued_by(&read_certificate(after.chain()[0]).unwrap(), &new).unwrap();
    let same = app.app.renew_ca(&call(), &to("issuing"), renew(false, true)).await.unwrap().version.unwrap();
    assert_eq!(same.version.spki_sha256, version.version.spki_sha256, "the same key");
    assert_eq!(conflict(app.app.make_ca_version_current(&call(), &to("issuing"), 1).await), "version_deprecated");
}

#[tokio::test]
async fn a_trial_judges_everything_and_changes_nothing() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    let fine = app.app.try_issue(&trial(), &to("root"), leaf(&["a.example.com"], lasting(30))).await.unwrap();
    assert!(fine.passed && fine.validity.is_some() && fine.verdicts.len() > 5);
    let bad = app.app.try_issue(&trial(), &to("root"), leaf(&["a.example.com"], lasting(91))).await.unwrap();
    assert!(!bad.passed && bad.verdicts.iter().any(|verdict| !verdict.passed()));
    key(&app, "sub-key", KeyAlgorithm::EcdsaP256).await;
    let kind = NewCaKind::Subordinate(own("sub-key", "Issuing"), lasting(100), to("root"));
    let would = app.app.create_ca(&trial(), ca("issuing", kind, NewRules::default())).await.unwrap();
    assert!(would.version.unwrap().version.certificate.is_none());
    assert!(matches!(app.app.ca(&call(), &to("issuing")).await, Err(Error::NotFound { .. })));
    let all = PageRequest { limit: 10, after: None };
    let page = app.app.issued_certificates(&call(), &IssuedFilter::default(), &all).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn serials_differ_and_every_answer_is_in_the_inventory() {
    for app in TestApp::on_every_database().await {
        root(&app, NewRules::default()).await;
        let mut running = Vec::new();
        for number in 0..200 {
            let app = app.app.clone();
            running.push(tokio::spawn(async move {
                let name = format!("host-{number}.example.com");
                app.issue(&call(), &to("root"), leaf(&[&name], lasting(1))).await.unwrap().row.serial
            }));
        }
        let mut serials = std::collections::HashSet::new();
        for one in running {
            assert!(serials.insert(one.await.unwrap()));
        }
        for serial in &serials {
            app.app.issued_certificate(&call(), &serial.to_string()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_change_on_one_node_binds_the_other_at_once() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        let made = root(&one, NewRules::default()).await;
        let issue = async || other.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await;
        issue().await.unwrap();
        let off = UpdateCa { enabled: Some(false), ..UpdateCa::default() };
        one.app.update_ca(&call(), &to("root"), off, Some(made.ca.revision)).await.unwrap();
        assert_eq!(conflict(issue().await), "ca_disabled", "the other node has the CA in memory, and still refuses");
    }
}

#[tokio::test]
async fn a_csr_from_openssl_is_signed_as_asked_and_extras_are_named() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let csr = folder.path().join("csr.pem");
    let made = std::process::Command::new("openssl")
        .args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"])
        .arg(folder.path().join("key.pem"))
        .args(["-subj", "/C=KR/ST=Seongnam-si/O=DDIM/emailAddress=example@example.com/CN=service-a.example.com"])
        .args([
            "-addext",
            "subjectAltName=DNS:service-a.example.com",
            "-addext",
            "extendedKeyUsage=codeSigning",
            "-out",
        ])
        .arg(&csr)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let request = SignRequest {
        csr: std::fs::read(&csr).unwrap(),
        subject: Subject::default(),
        profile: Some(to("tls-server")),
        validity: lasting(10),
    };
    let issued = app.app.sign(&call(), &to("root"), request.clone()).await.unwrap();
    let expected = "C=KR, ST=Seongnam-si, O=DDIM, emailAddress=example@example.com, CN=service-a.example.com";
    assert_eq!(issued.row.subject, expected);
    assert_eq!(issued.ignored_extensions, ["2.5.29.37"]);
    assert!(issued.private_key.is_none());
    let replaced = SignRequest {
        subject: Subject { subject: None, names: Some(vec![San::parse("*.example.com").unwrap()]) },
        ..request
    };
    let refused = violations(app.app.sign(&call(), &to("root"), replaced).await);
    assert!(refused.iter().any(|violation| violation.value.contains("*.example.com")), "{refused:?}");
}

#[tokio::test]
async fn garbage_csrs_are_the_callers_fault() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    for bytes in [&b""[..], b"garbage", &[0x30, 0x80], &[0xff; 40_000]] {
        let request = SignRequest {
            csr: bytes.to_vec(),
            subject: Subject::default(),
            profile: None,
            validity: RequestedValidity::DEFAULT,
        };
        assert!(matches!(app.app.sign(&call(), &to("root"), request).await, Err(Error::Invalid(_))));
    }
}

#[tokio::test]
async fn the_key_of_a_ca_is_never_certified_as_a_leaf() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    key(&app, "external-key", KeyAlgorithm::EcdsaP256).await;
    let kind = NewCaKind::SubordinateExternal(own("external-key", "External"));
    app.app.create_ca(&call(), ca("external", kind, NewRules::default())).await.unwrap();
    let csr = app.app.ca_csr(&call(), &to("external")).await.unwrap();
    let request = SignRequest {
        csr,
        subject: Subject { subject: None, names: Some(vec![San::parse("a.example.com").unwrap()]) },
        profile: None,
        validity: lasting(1),
    };
    let refused = violations(app.app.sign(&call(), &to("root"), request).await);
    let codes: Vec<&str> = refused.iter().map(|violation| violation.code).collect();
    assert!(refused.len() >= 2, "asks for a CA, and is a CA's key: {codes:?}");
}

/// Refused before anything is signed.
#[tokio::test]
async fn what_no_reader_would_take_is_not_signed() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    let uris: Vec<String> =
        (0..40).map(|number| format!("https://{number}.example.com/{}", "a".repeat(1_700))).collect();
    let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
    let wish = IssueRequest { profile: Some(to("tls-server-or-client")), ..leaf(&uris, lasting(1)) };
    match app.app.issue(&call(), &to("root"), wish).await {
        Err(Error::Invalid(faults)) => assert_eq!(faults[0].invalid.code, "certificate_too_large"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("was issued"),
    }
    let all = PageRequest { limit: 10, after: None };
    let page = app.app.issued_certificates(&call(), &IssuedFilter::default(), &all).await.unwrap();
    assert_eq!(page.items.len(), 1, "only the root's own certificate is there");
}
