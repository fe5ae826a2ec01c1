use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca::{Ca, CaState, CaType, OcspResponderKind};
use certwright_domain::issued::IssuedKind;
use certwright_store::{CaFilter, Error, Page};

#[tokio::test]
async fn a_ca_comes_back_with_everything() {
    let store = fresh().await;
    let vault = vault(1, "a");
    let key = key(1, &vault, "k");
    let root = ca(1, "root");
    let mut sub = ca(2, "sub");
    sub.ca_type = CaType::Subordinate;
    sub.state = CaState::PendingDeletion;
    sub.state_before_deletion = Some(CaState::Disabled);
    sub.system = true;
    sub.issuer_id = Some(root.id.clone());
    sub.key = Some((vault.id.clone(), key.id.clone()));
    sub.rules.path_length = None;
    sub.rules.name_constraints = None;
    sub.revocation.ocsp_enabled = false;
    sub.revocation.ocsp_responder = OcspResponderKind::Ca;
    sub.versions.previous = Some(1);
    sub.versions.current = None;
    sub.deletion_at = Some(now().plus(days(9)));
    let mut anchor = ca(3, "anchor");
    anchor.ca_type = CaType::ExternalRoot;
    anchor.signature_algorithm = None;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault).await.unwrap();
    tx.insert_key(&key).await.unwrap();
    for ca in [&root, &sub, &anchor] {
        tx.insert_ca(ca).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut reader = store.read().await.unwrap();
    for ca in [&root, &sub, &anchor] {
        assert_eq!(reader.ca(&reference(ca.name.as_str())).await.unwrap().as_ref(), Some(ca));
        assert_eq!(reader.ca(&reference(ca.id.as_str())).await.unwrap().as_ref(), Some(ca));
    }
    assert_eq!(reader.ca(&reference("other")).await.unwrap(), None);
    assert_eq!(reader.live_children(&root.id).await.unwrap(), 1);
    assert_eq!(reader.live_children(&sub.id).await.unwrap(), 0);
    assert!(reader.cas_to_delete(now(), 10).await.unwrap().is_empty());
    assert_eq!(reader.cas_to_delete(now().plus(days(9)), 10).await.unwrap(), [sub]);
}

#[tokio::test]
async fn names_and_updates_are_guarded() {
    let store = fresh().await;
    let mut seen = ca(1, "root");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&seen).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_ca(&ca(2, "root")).await, Err(conflict("certificate_authorities.name")));
    drop(tx);

    seen.name = name("renamed");
    seen.state = CaState::Disabled;
    seen.state_before_deletion = Some(CaState::Active);
    seen.rules.leaf_max_validity = days(30);
    seen.rules.subordinate_max_validity = days(300);
    seen.rules.path_length = Some(0);
    seen.rules.name_constraints = None;
    seen.revocation.crl_enabled = false;
    seen.revocation.crl_lifetime = days(1);
    seen.revocation.ocsp_enabled = false;
    seen.revocation.ocsp_responder = OcspResponderKind::Ca;
    seen.versions = seen.versions.make_current(1).unwrap_or(seen.versions);
    seen.versions.latest = 2;
    seen.versions.previous = Some(1);
    seen.versions.current = Some(2);
    seen.deletion_at = Some(now().plus(days(7)));
    let mut tx = store.begin("t").await.unwrap();
    tx.update_ca(&seen).await.unwrap();
    assert_eq!(tx.update_ca(&seen).await, Err(stale("certificate_authorities")));
    seen.revision = 2;
    assert_eq!(tx.ca(&reference("renamed")).await.unwrap(), Some(seen.clone()));
    seen.state = CaState::Deleted;
    tx.update_ca(&seen).await.unwrap();
    tx.insert_ca(&ca(2, "renamed")).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn lists_filter_and_page() {
    let store = fresh().await;
    let root = ca(1, "root");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&root).await.unwrap();
    for (number, called, state, system) in [
        (2, "sub-a", CaState::Active, false),
        (3, "sub-b", CaState::Disabled, false),
        (4, "sub-c", CaState::Deleted, false),
        (5, "service", CaState::Active, true),
    ] {
        let mut sub = ca(number, called);
        sub.ca_type = CaType::Subordinate;
        sub.issuer_id = Some(root.id.clone());
        (sub.state, sub.system) = (state, system);
        tx.insert_ca(&sub).await.unwrap();
    }
    let names = |page: Page<Ca>| page.items.iter().map(|c| c.name.to_string()).collect::<Vec<_>>();
    let all = CaFilter::default();
    assert_eq!(names(tx.cas(&all, &first(10)).await.unwrap()), ["root", "sub-a", "sub-b"]);
    let with_system = CaFilter { include_system: true, ..all.clone() };
    assert_eq!(names(tx.cas(&with_system, &first(10)).await.unwrap()), ["root", "service", "sub-a", "sub-b"]);
    let subs = CaFilter { ca_type: Some(CaType::Subordinate), ..all.clone() };
    assert_eq!(names(tx.cas(&subs, &first(10)).await.unwrap()), ["sub-a", "sub-b"]);
    let deleted = CaFilter { state: Some(CaState::Deleted), ..all.clone() };
    assert_eq!(names(tx.cas(&deleted, &first(10)).await.unwrap()), ["sub-c"]);
    let children = CaFilter { issuer_id: Some(root.id.clone()), state: Some(CaState::Active), ..all.clone() };
    assert_eq!(names(tx.cas(&children, &first(10)).await.unwrap()), ["sub-a"]);
    let one = tx.cas(&all, &first(2)).await.unwrap();
    let two = tx.cas(&all, &after(2, one.next.clone())).await.unwrap();
    assert_eq!((names(one), names(two)), (vec!["root".into(), "sub-a".into()], vec!["sub-b".to_owned()]));
    assert_eq!(tx.cas(&all, &after(2, Some("x".into()))).await, Err(Error::BadCursor));
}

#[tokio::test]
async fn versions_are_installed_and_revoked_once() {
    let store = fresh().await;
    let ca = ca(1, "root");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&ca).await.unwrap();
    let one = ca_version(&ca, 1);
    tx.insert_ca_version(&one).await.unwrap();
    let mut waiting = ca_version(&ca, 2);
    waiting.csr = Some(vec![5]);
    waiting.certificate = None;
    waiting.chain.clear();
    waiting.serial = None;
    waiting.fingerprint = None;
    waiting.validity = None;
    waiting.issued_id = None;
    tx.insert_ca_version(&waiting).await.unwrap();
    let mut failed = waiting.clone();
    failed.number = 3;
    failed.failed = true;
    failed.spki_sha256 = None;
    failed.key_version = None;
    tx.insert_ca_version(&failed).await.unwrap();
    assert_eq!(tx.ca_versions(&ca.id).await.unwrap(), [failed, waiting.clone(), one.clone()]);
    assert_eq!(tx.ca_version(&ca.id, 2).await.unwrap(), Some(waiting.clone()));
    assert_eq!(tx.ca_version(&ca.id, 4).await.unwrap(), None);
    assert_eq!(tx.ca_public_keys().await.unwrap(), [sha(1001), sha(1002)]);

    let mut installed = ca_version(&ca, 2);
    installed.csr = Some(vec![5]);
    tx.install_ca_version(&installed).await.unwrap();
    assert_eq!(tx.install_ca_version(&installed).await, Err(stale("ca_versions")));
    assert_eq!(tx.ca_version(&ca.id, 2).await.unwrap(), Some(installed));

    tx.revoke_ca_version(&ca.id, 1, None, &revocation()).await.unwrap();
    assert_eq!(tx.revoke_ca_version(&ca.id, 1, None, &revocation()).await, Err(stale("ca_versions")));
    assert_eq!(tx.ca_version(&ca.id, 1).await.unwrap().unwrap().revocation, Some(revocation()));
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_ca_version(&one).await, Err(conflict("ca_versions.number")));
}

#[tokio::test]
async fn live_leaves_are_counted_up_to_a_bound() {
    let store = fresh().await;
    let (ca_one, _) = with_ca(&store).await;
    let other = ca(2, "other");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&other).await.unwrap();
    // Lifetimes of 1 to 5 days.
    let mut rows: Vec<_> = (0..5).map(|number| issued(number, &ca_one)).collect();
    rows[4].revocation = Some(revocation());
    rows.push(issued(6, &other));
    let mut authority = issued(7, &ca_one);
    authority.kind = IssuedKind::Ca;
    rows.push(authority);
    tx.insert_issued(&rows).await.unwrap();
    assert_eq!(tx.live_leaves(&ca_one.id, now(), 100).await.unwrap(), 4);
    assert_eq!(tx.live_leaves(&ca_one.id, now(), 2).await.unwrap(), 2);
    // The last second still counts.
    assert_eq!(tx.live_leaves(&ca_one.id, now().plus(days(4)), 100).await.unwrap(), 1);
    let later = now().plus(days(4)).plus(certwright_domain::time::Span::from_s(1));
    assert_eq!(tx.live_leaves(&ca_one.id, later, 100).await.unwrap(), 0);
}
