use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::key::VaultState;
use certwright_domain::time::Span;
use certwright_store::Error;

#[tokio::test]
async fn a_vault_comes_back_by_id_and_by_name() {
    let store = fresh().await;
    let vault = vault(1, "main");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault).await.unwrap();
    tx.commit().await.unwrap();
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.vault(&reference("main")).await.unwrap(), Some(vault.clone()));
    assert_eq!(reader.vault(&reference(vault.id.as_str())).await.unwrap(), Some(vault));
    assert_eq!(reader.vault(&reference("other")).await.unwrap(), None);
    assert_eq!(reader.vault(&reference("vault_01JD8XK4M2W7Z3T5V9YQ6B1C0D")).await.unwrap(), None);
}

#[tokio::test]
async fn names_are_unique_until_the_vault_is_deleted() {
    let store = fresh().await;
    let mut old = vault(1, "main");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&old).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_vault(&vault(2, "main")).await, Err(conflict("vaults.name")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_vault(&vault(1, "second")).await, Err(conflict("vaults.id")));
    drop(tx);

    old.state = VaultState::Deleted;
    let mut tx = store.begin("t").await.unwrap();
    tx.update_vault(&old).await.unwrap();
    let new = vault(2, "main");
    tx.insert_vault(&new).await.unwrap();
    tx.commit().await.unwrap();

    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.vault(&reference("main")).await.unwrap(), Some(new.clone()));
    let by_id = reader.vault(&reference(old.id.as_str())).await.unwrap().unwrap();
    assert_eq!((by_id.state, by_id.revision), (VaultState::Deleted, 2));
    assert_eq!(reader.vaults(&first(10), true).await.unwrap().items, [new]);
}

#[tokio::test]
async fn an_update_needs_the_revision_it_saw() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let mut seen = vault(1, "main");
    tx.insert_vault(&seen).await.unwrap();
    seen.name = name("renamed");
    seen.state = VaultState::PendingDeletion;
    seen.deletion_at = Some(now().plus(days(7)));
    tx.update_vault(&seen).await.unwrap();
    assert_eq!(tx.update_vault(&seen).await, Err(stale("vaults")));
    seen.revision = 2;
    assert_eq!(tx.vault(&reference("renamed")).await.unwrap(), Some(seen.clone()));
    tx.update_vault(&seen).await.unwrap();
    // An answer, not a failure: the transaction goes on.
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn renaming_to_a_taken_name_is_a_conflict() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault(1, "a")).await.unwrap();
    let mut b = vault(2, "b");
    tx.insert_vault(&b).await.unwrap();
    b.name = name("a");
    assert_eq!(tx.update_vault(&b).await, Err(conflict("vaults.name")));
}

#[tokio::test]
async fn lists_page_by_name_and_hide_system_vaults() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for (number, called) in [(1, "delta"), (2, "Alpha"), (3, "charlie"), (4, "bravo"), (5, "_x")] {
        tx.insert_vault(&vault(number, called)).await.unwrap();
    }
    let mut system = vault(6, "beta-system");
    system.system = true;
    tx.insert_vault(&system).await.unwrap();
    tx.commit().await.unwrap();

    let mut reader = store.read().await.unwrap();
    let names = |page: &certwright_store::Page<certwright_domain::key::Vault>| {
        page.items.iter().map(|v| v.name.to_string()).collect::<Vec<_>>()
    };
    let one = reader.vaults(&first(2), false).await.unwrap();
    assert_eq!(names(&one), ["Alpha", "_x"], "by bytes, whatever the locale");
    let two = reader.vaults(&after(2, one.next), false).await.unwrap();
    assert_eq!(names(&two), ["bravo", "charlie"]);
    let three = reader.vaults(&after(2, two.next), false).await.unwrap();
    assert_eq!((names(&three), three.next), (vec!["delta".to_owned()], None));
    let all = reader.vaults(&first(500), true).await.unwrap();
    assert_eq!(names(&all), ["Alpha", "_x", "beta-system", "bravo", "charlie", "delta"]);
    // A page that ends exactly with the list has no next one; a limit of nothing means one.
    assert_eq!(reader.vaults(&first(6), true).await.unwrap().next, None);
    assert_eq!(reader.vaults(&first(0), true).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn foreign_cursors_are_refused() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 1..=3 {
        let vault = vault(number, &format!("v{number}"));
        tx.insert_vault(&vault).await.unwrap();
        tx.insert_profile(&profile(number, &format!("p{number}"))).await.unwrap();
    }
    let vaults = tx.vaults(&first(1), false).await.unwrap();
    let profiles = tx.profiles(&first(1)).await.unwrap();
    assert_eq!(tx.vaults(&after(1, profiles.next), false).await, Err(Error::BadCursor));
    assert_eq!(tx.profiles(&after(1, vaults.next.clone())).await, Err(Error::BadCursor));
    let mut cut = vaults.next.unwrap();
    cut.truncate(cut.len() / 2);
    for bad in [cut.as_str(), "", "%%%", "dmF1bHRz"] {
        assert_eq!(tx.vaults(&after(1, Some(bad.to_owned())), false).await, Err(Error::BadCursor), "{bad}");
    }
    // A bad cursor is the caller's mistake, not the transaction's.
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn deletion_comes_due() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for (number, wait) in [(1, Some(days(9))), (2, Some(days(7))), (3, None)] {
        let mut vault = vault(number, &format!("v{number}"));
        vault.deletion_at = wait.map(|wait| now().plus(wait));
        if wait.is_some() {
            vault.state = VaultState::PendingDeletion;
        }
        tx.insert_vault(&vault).await.unwrap();
    }
    let due = async |tx: &mut certwright_store::Tx<'_>, at: Span, limit| {
        let vaults = tx.vaults_to_delete(now().plus(at), limit).await.unwrap();
        vaults.iter().map(|v| v.name.to_string()).collect::<Vec<_>>()
    };
    assert!(due(&mut tx, days(6), 10).await.is_empty());
    assert_eq!(due(&mut tx, days(7), 10).await, ["v2"]);
    assert_eq!(due(&mut tx, days(30), 10).await, ["v2", "v1"]);
    assert_eq!(due(&mut tx, days(30), 1).await, ["v2"]);
}

#[tokio::test]
async fn vault_keys_are_versions_that_can_be_rewrapped() {
    let store = fresh().await;
    let (a, b) = (vault(1, "a"), vault(2, "b"));
    let mut tx = store.begin("t").await.unwrap();
    for vault in [&a, &b] {
        tx.insert_vault(vault).await.unwrap();
    }
    let (a1, a2, b1) = (vault_key(&a, 1, "root-1"), vault_key(&a, 2, "root-2"), vault_key(&b, 1, "root-1"));
    for version in [&a1, &a2, &b1] {
        tx.insert_vault_key(version).await.unwrap();
    }
    assert_eq!(tx.vault_keys(&a.id).await.unwrap(), [a2.clone(), a1.clone()]);
    assert_eq!(tx.root_key_usage().await.unwrap(), [("root-1".to_owned(), 2), ("root-2".to_owned(), 1)]);
    assert_eq!(tx.vault_keys_not_under("root-2", 10).await.unwrap(), [a1.clone(), b1.clone()]);
    assert_eq!(tx.vault_keys_not_under("root-2", 1).await.unwrap(), std::slice::from_ref(&a1));
    assert_eq!(tx.vault_keys_not_under("root-1", 10).await.unwrap(), std::slice::from_ref(&a2));

    let mut again = a1.clone();
    again.root_key_id = "root-2".to_owned();
    again.sealed = certwright_domain::key::SealedBlob(vec![42]);
    tx.rewrap_vault_key(&again, "root-1").await.unwrap();
    assert_eq!(tx.rewrap_vault_key(&again, "root-1").await, Err(stale("vault_keys")));
    assert_eq!(tx.vault_keys(&a.id).await.unwrap(), [a2, again]);
    assert_eq!(tx.vault_keys_not_under("root-2", 10).await.unwrap(), [b1]);
    tx.destroy_vault_keys(&a.id).await.unwrap();
    assert!(tx.vault_keys(&a.id).await.unwrap().is_empty());
    assert_eq!(tx.vault_keys(&b.id).await.unwrap().len(), 1);
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_vault_key(&vault_key(&b, 1, "root-9")).await, Err(conflict("vault_keys.number")));
}

#[tokio::test]
async fn vault_keys_that_seal_nothing_can_be_dropped() {
    let store = fresh().await;
    let vault = vault(1, "a");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault).await.unwrap();
    for number in 1..=4 {
        tx.insert_vault_key(&vault_key(&vault, number, "root-1")).await.unwrap();
    }
    let (kept, destroyed) = (key(1, &vault, "kept"), key(2, &vault, "destroyed"));
    for (key, sealed_by) in [(&kept, 2), (&destroyed, 1)] {
        tx.insert_key(key).await.unwrap();
        tx.insert_key_version(&key_version(key, 1, sealed_by)).await.unwrap();
    }
    // 1 and 2 seal something, 3 does not, 4 is the newest.
    assert_eq!(tx.drop_unused_vault_keys(&vault.id, 4).await.unwrap(), 1);
    tx.destroy_key_material(&destroyed.id).await.unwrap();
    assert_eq!(tx.drop_unused_vault_keys(&vault.id, 4).await.unwrap(), 1);
    let left: Vec<u32> = tx.vault_keys(&vault.id).await.unwrap().iter().map(|v| v.number).collect();
    assert_eq!(left, [4, 2]);
}
