use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::id::{CaId, CertificateTrustId, IdentityProviderId};
use certwright_domain::identity::{
    CertificateTrust, CertificateTrustSettings, IdentityProvider, ProviderSettings, RawCertificateTrust, RawProvider,
    RawRule,
};
use certwright_domain::token::{Token, Voucher, Workload};
use certwright_store::{PageRequest, Tx};

fn raw(called: &str) -> RawProvider {
    RawProvider {
        name: called.to_owned(),
        description: "for tests".to_owned(),
        kind: Some("KUBERNETES".to_owned()),
        issuer: Some("https://k8s.example".to_owned()),
        audiences: vec!["a".to_owned(), "b".to_owned()],
        jwks: Some("{\"keys\": []}".to_owned()),
        algorithms: vec!["ES256".to_owned()],
        rules: vec![RawRule {
            claims: [("kubernetes.io.namespace".to_owned(), vec!["team-*".to_owned()])].into(),
            subject: Some("${claim.sub}".to_owned()),
            groups: vec!["pods".to_owned()],
            names: Some(vec!["*.${claim.kubernetes.io.namespace}.svc.example".to_owned()]),
        }],
        clock_skew: Some("PT30S".to_owned()),
        max_token_age: Some("PT1H".to_owned()),
        enabled: true,
        ..RawProvider::default()
    }
}

fn provider(number: u32, called: &str) -> IdentityProvider {
    IdentityProvider {
        id: IdentityProviderId::new(now(), entropy(number)),
        settings: ProviderSettings::new(raw(called)).unwrap(),
        created_at: now(),
        revision: 1,
    }
}

async fn names(tx: &mut Tx<'_>) -> Vec<String> {
    let found = tx.enabled_identity_providers().await.unwrap();
    found.iter().map(|provider| provider.settings.name().to_string()).collect()
}

#[tokio::test]
async fn a_provider_comes_back_and_changes_by_compare_and_swap() {
    let store = fresh().await;
    let made = provider(1, "k8s");
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.count_identity_providers().await.unwrap(), 0);
    tx.insert_identity_provider(&made).await.unwrap();
    assert_eq!(tx.identity_provider(&reference("k8s")).await.unwrap(), Some(made.clone()));
    assert_eq!(tx.identity_provider(&reference(made.id.as_str())).await.unwrap(), Some(made.clone()));
    assert_eq!(tx.identity_provider(&reference("other")).await.unwrap(), None);
    tx.insert_identity_provider(&provider(2, "a")).await.unwrap();
    assert_eq!(
        (names(&mut tx).await, tx.count_identity_providers().await.unwrap()),
        (vec!["a".into(), "k8s".into()], 2)
    );
    let page = tx.identity_providers(&PageRequest { limit: 1, after: None }).await.unwrap();
    let rest = tx.identity_providers(&PageRequest { limit: 1, after: page.next }).await.unwrap();
    assert_eq!((rest.items, rest.next), (vec![made.clone()], None));
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_identity_provider(&provider(3, "a")).await, Err(conflict("identity_providers.name")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    let settings =
        ProviderSettings::new(RawProvider { enabled: false, audiences: vec!["c".into()], ..raw("k9s") }).unwrap();
    let changed = IdentityProvider { settings, ..made.clone() };
    tx.update_identity_provider(&changed).await.unwrap();
    assert_eq!(tx.update_identity_provider(&changed).await, Err(stale("identity_providers")));
    let changed = IdentityProvider { revision: 2, ..changed };
    assert_eq!(tx.identity_provider(&reference("k9s")).await.unwrap(), Some(changed));
    assert_eq!(names(&mut tx).await, ["a"]);
    assert_eq!(tx.delete_identity_provider(&made.id, 1).await, Err(stale("identity_providers")));
    tx.delete_identity_provider(&made.id, 2).await.unwrap();
    assert_eq!(tx.count_identity_providers().await.unwrap(), 1);
    tx.commit().await.unwrap();
}

fn trust(number: u32, called: &str) -> CertificateTrust {
    let raw = RawCertificateTrust {
        name: called.to_owned(),
        description: "for tests".to_owned(),
        certificate_names: vec!["*.build.example".to_owned(), "10.0.0.0/8".to_owned()],
        groups: vec!["pods".to_owned()],
        names: Some(vec!["${claim.name:dots}".to_owned()]),
        enabled: true,
    };
    CertificateTrust {
        id: CertificateTrustId::new(now(), entropy(number)),
        ca: CaId::new(now(), entropy(7)),
        settings: CertificateTrustSettings::new(raw).unwrap(),
        created_at: now(),
        revision: 1,
    }
}

async fn trusted(tx: &mut Tx<'_>) -> Vec<String> {
    let found = tx.enabled_certificate_trusts().await.unwrap();
    found.iter().map(|trust| trust.settings.name().to_string()).collect()
}

#[tokio::test]
async fn a_trust_comes_back_and_changes_by_compare_and_swap() {
    let store = fresh().await;
    let made = trust(1, "builders");
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.count_certificate_trusts().await.unwrap(), 0);
    tx.insert_certificate_trust(&made).await.unwrap();
    tx.insert_certificate_trust(&trust(2, "a")).await.unwrap();
    for called in ["builders", made.id.as_str()] {
        assert_eq!(tx.certificate_trust(&reference(called)).await.unwrap(), Some(made.clone()));
    }
    assert_eq!(tx.certificate_trust(&reference("other")).await.unwrap(), None);
    assert_eq!(
        (trusted(&mut tx).await.join(" "), tx.count_certificate_trusts().await.unwrap()),
        ("a builders".into(), 2)
    );
    let page = tx.certificate_trusts(&PageRequest { limit: 1, after: None }).await.unwrap();
    let rest = tx.certificate_trusts(&PageRequest { limit: 1, after: page.next }).await.unwrap();
    assert_eq!((rest.items, rest.next), (vec![made.clone()], None));
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_certificate_trust(&trust(3, "a")).await, Err(conflict("certificate_trusts.name")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    let raw = RawCertificateTrust { name: "z".into(), names: None, enabled: false, ..made.settings.to_raw() };
    let changed = CertificateTrust { settings: CertificateTrustSettings::new(raw).unwrap(), ..made.clone() };
    tx.update_certificate_trust(&changed).await.unwrap();
    assert_eq!(tx.update_certificate_trust(&changed).await, Err(stale("certificate_trusts")));
    let changed = CertificateTrust { revision: 2, ..changed };
    assert_eq!(tx.certificate_trust(&reference("z")).await.unwrap(), Some(changed));
    assert_eq!(trusted(&mut tx).await, ["a"]);
    assert_eq!(tx.delete_certificate_trust(&made.id, 1).await, Err(stale("certificate_trusts")));
    tx.delete_certificate_trust(&made.id, 2).await.unwrap();
    assert_eq!(tx.count_certificate_trusts().await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn tokens_of_machines_come_back_and_go_when_they_have_ended() {
    let store = fresh().await;
    let workload = Workload {
        voucher: Voucher::Provider(provider(1, "k8s").id),
        subject: "system:serviceaccount:a:b".to_owned(),
        groups: vec!["pods".to_owned()],
        claims: [("aud".to_owned(), vec!["a".to_owned(), "b".to_owned()]), ("x".to_owned(), vec![])].into(),
        names: Some(vec!["*.a.svc.example".to_owned()]),
    };
    let of = |number, hours: i64| Token {
        workload: Some(workload.clone()),
        expires_at: Some(now().plus(days(hours))),
        ..token(number, &format!("t{number}"))
    };
    let mut tx = store.begin("t").await.unwrap();
    let by_certificate =
        Workload { voucher: Voucher::Certificate { trust: trust(1, "t").id, fingerprint: sha(9) }, ..workload.clone() };
    let tokens = [
        of(1, 1),
        Token { workload: Some(by_certificate), ..of(2, 2) },
        of(3, 3),
        Token { workload: None, bound_to: Some(sha(9)), ..of(4, 1) },
    ];
    for token in tokens {
        tx.insert_token(&token).await.unwrap();
        assert_eq!(tx.token(&token.id).await.unwrap(), Some(token));
    }
    assert_eq!(tx.delete_workload_tokens(now().plus(days(3)), 1).await.unwrap(), 1);
    assert_eq!(tx.token(&of(1, 1).id).await.unwrap(), None, "the oldest first");
    assert_eq!(tx.delete_workload_tokens(now().plus(days(3)), 10).await.unwrap(), 1);
    let left: Vec<_> = tx.tokens(&PageRequest { limit: 10, after: None }).await.unwrap().items;
    assert_eq!(left.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["t4", "t3"], "users' tokens stay");
    tx.commit().await.unwrap();
}
