use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::id::CaId;
use certwright_domain::key::{Key, KeyState, SealedBlob};
use certwright_store::{Error, KeyFilter, Page};

#[tokio::test]
async fn a_key_comes_back_and_its_name_is_unique_in_its_vault() {
    let store = fresh().await;
    let (a, b) = (vault(1, "a"), vault(2, "b"));
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&a).await.unwrap();
    tx.insert_vault(&b).await.unwrap();
    let mut one = key(1, &a, "signing");
    one.state_before_deletion = Some(KeyState::Disabled);
    one.used_by_ca = Some(CaId::new(now(), entropy(1)));
    one.deletion_at = Some(now().plus(days(8)));
    tx.insert_key(&one).await.unwrap();
    let two = key(2, &b, "signing");
    tx.insert_key(&two).await.unwrap();
    assert_eq!(tx.key(&a.id, &reference("signing")).await.unwrap(), Some(one.clone()));
    assert_eq!(tx.key(&b.id, &reference(two.id.as_str())).await.unwrap(), Some(two.clone()));
    assert_eq!(tx.key(&a.id, &reference(two.id.as_str())).await.unwrap(), None, "not in that vault");
    assert_eq!(tx.key_by_id(&two.id).await.unwrap(), Some(two));
    assert_eq!(tx.key(&a.id, &reference("other")).await.unwrap(), None);
    assert_eq!(tx.live_keys(&a.id).await.unwrap(), 1);
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_key(&key(3, &a, "signing")).await, Err(conflict("keys.name")));
    drop(tx);

    let mut tx = store.begin("t").await.unwrap();
    one.state = KeyState::Deleted;
    tx.update_key(&one).await.unwrap();
    assert_eq!(tx.live_keys(&a.id).await.unwrap(), 0);
    assert_eq!(tx.key(&a.id, &reference("signing")).await.unwrap(), None);
    assert!(tx.key(&a.id, &reference(one.id.as_str())).await.unwrap().is_some());
    tx.insert_key(&key(3, &a, "signing")).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_key_needs_its_vault() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    assert!(matches!(tx.insert_key(&key(1, &vault(1, "nowhere"), "k")).await, Err(Error::Driver(_))));
}

#[tokio::test]
async fn an_update_needs_the_revision_it_saw() {
    let store = fresh().await;
    let vault = vault(1, "a");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault).await.unwrap();
    let mut seen = key(1, &vault, "k");
    tx.insert_key(&seen).await.unwrap();
    seen.name = name("renamed");
    seen.state = KeyState::PendingDeletion;
    seen.state_before_deletion = Some(KeyState::Enabled);
    seen.used_by_ca = Some(CaId::new(now(), entropy(7)));
    seen.latest_version = 3;
    seen.deletion_at = Some(now().plus(days(7)));
    tx.update_key(&seen).await.unwrap();
    assert_eq!(tx.update_key(&seen).await, Err(stale("keys")));
    seen.revision = 2;
    assert_eq!(tx.key_by_id(&seen.id).await.unwrap(), Some(seen.clone()));
    assert!(tx.keys_to_delete(now(), 10).await.unwrap().is_empty());
    assert_eq!(tx.keys_to_delete(now().plus(days(7)), 10).await.unwrap(), [seen]);
}

#[tokio::test]
async fn lists_filter_and_page() {
    let store = fresh().await;
    let (a, b) = (vault(1, "a"), vault(2, "b"));
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&a).await.unwrap();
    tx.insert_vault(&b).await.unwrap();
    for (number, called, algorithm, state) in [
        (1, "k1", KeyAlgorithm::Aes256, KeyState::Enabled),
        (2, "k2", KeyAlgorithm::Rsa2048, KeyState::Enabled),
        (3, "k3", KeyAlgorithm::Rsa2048, KeyState::Disabled),
        (4, "k4", KeyAlgorithm::Rsa2048, KeyState::Deleted),
        (5, "k4", KeyAlgorithm::Rsa2048, KeyState::Deleted),
    ] {
        let mut key = key(number, &a, called);
        (key.algorithm, key.state) = (algorithm, state);
        tx.insert_key(&key).await.unwrap();
    }
    tx.insert_key(&key(9, &b, "k0")).await.unwrap();
    let names = |page: Page<Key>| page.items.iter().map(|k| k.name.to_string()).collect::<Vec<_>>();
    let all = KeyFilter::default();
    assert_eq!(names(tx.keys(&a.id, &all, &first(10)).await.unwrap()), ["k1", "k2", "k3"]);
    let rsa = KeyFilter { algorithm: Some(KeyAlgorithm::Rsa2048), ..KeyFilter::default() };
    assert_eq!(names(tx.keys(&a.id, &rsa, &first(10)).await.unwrap()), ["k2", "k3"]);
    let both = KeyFilter { algorithm: Some(KeyAlgorithm::Rsa2048), state: Some(KeyState::Disabled) };
    assert_eq!(names(tx.keys(&a.id, &both, &first(10)).await.unwrap()), ["k3"]);
    // Deleted keys may share a name: the id decides.
    let deleted = KeyFilter { state: Some(KeyState::Deleted), ..KeyFilter::default() };
    let one = tx.keys(&a.id, &deleted, &first(1)).await.unwrap();
    let two = tx.keys(&a.id, &deleted, &after(1, one.next.clone())).await.unwrap();
    assert_eq!((one.items.len(), two.items.len(), two.next.clone()), (1, 1, None));
    assert_ne!(one.items[0].id, two.items[0].id);
    let vaults_cursor = tx.vaults(&first(1), true).await.unwrap().next;
    assert_eq!(tx.keys(&a.id, &all, &after(1, vaults_cursor)).await, Err(Error::BadCursor));
}

#[tokio::test]
async fn versions_are_rewrapped_by_compare_and_swap() {
    let store = fresh().await;
    let vault = vault(1, "a");
    let key = key(1, &vault, "k");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault).await.unwrap();
    tx.insert_key(&key).await.unwrap();
    let one = key_version(&key, 1, 1);
    let mut two = key_version(&key, 2, 2);
    two.public_key = None;
    tx.insert_key_version(&one).await.unwrap();
    tx.insert_key_version(&two).await.unwrap();
    assert_eq!(tx.key_versions(&key.id).await.unwrap(), [two.clone(), one.clone()]);
    assert_eq!(tx.key_version(&key.id, 1).await.unwrap(), Some(one.clone()));
    assert_eq!(tx.key_version(&key.id, 3).await.unwrap(), None);

    let old = tx.key_versions_to_rewrap(&vault.id, 3, 10).await.unwrap();
    assert_eq!(old.iter().map(|v| v.version.clone()).collect::<Vec<_>>(), [one.clone(), two.clone()]);
    assert_eq!((&old[0].vault_id, old[0].algorithm), (&vault.id, key.algorithm));
    assert_eq!(tx.key_versions_to_rewrap(&vault.id, 3, 1).await.unwrap().len(), 1);
    assert_eq!(tx.key_versions_to_rewrap(&vault.id, 2, 10).await.unwrap().len(), 1);

    let mut again = one.clone();
    again.vault_key_version = 3;
    again.sealed = SealedBlob(vec![1]);
    tx.rewrap_key_version(&again, 1).await.unwrap();
    assert_eq!(tx.rewrap_key_version(&again, 1).await, Err(stale("key_versions")));
    assert_eq!(tx.key_version(&key.id, 1).await.unwrap(), Some(again));

    tx.destroy_key_material(&key.id).await.unwrap();
    assert!(tx.key_versions(&key.id).await.unwrap().iter().all(|v| v.sealed.0.is_empty()));
    assert!(tx.key_versions_to_rewrap(&vault.id, 9, 10).await.unwrap().is_empty(), "nothing is left to seal");
    // What was destroyed does not come back by a re-wrapping that was under way.
    assert_eq!(tx.rewrap_key_version(&two, 2).await, Err(stale("key_versions")));
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_key_version(&one).await, Err(conflict("key_versions.number")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    let orphan = key_version(&crate::fixtures::key(9, &vault, "x"), 1, 1);
    assert_eq!(tx.insert_key_version(&orphan).await, Err(stale("keys")));
}
