use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::profile::{Profile, StoredProfile};
use certwright_store::Error;

#[tokio::test]
async fn profiles_are_kept_changed_and_deleted_by_revision() {
    let store = fresh().await;
    let mut web = profile(1, "web");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_profile(&web).await.unwrap();
    assert_eq!(tx.profile(&reference("web")).await.unwrap(), Some(web.clone()));
    assert_eq!(tx.profile(&reference(web.id.as_ref().unwrap().as_str())).await.unwrap(), Some(web.clone()));
    assert_eq!(tx.profile(&reference("none")).await.unwrap(), None);

    let mut raw = web.profile.to_raw();
    raw.description = "changed".into();
    raw.names.ip = None;
    web.profile = Profile::new(raw).unwrap();
    tx.update_profile(&web).await.unwrap();
    assert_eq!(tx.update_profile(&web).await, Err(stale("profiles")));
    web.revision = 2;
    assert_eq!(tx.profile(&reference("web")).await.unwrap(), Some(web));
    assert_eq!(tx.delete_profile(&name("web"), 1).await, Err(stale("profiles")));
    tx.delete_profile(&name("web"), 2).await.unwrap();
    assert_eq!(tx.profile(&reference("web")).await.unwrap(), None);
    tx.insert_profile(&profile(1, "web")).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_profile(&profile(2, "web")).await, Err(conflict("profiles.name")));
}

#[tokio::test]
async fn built_in_profiles_have_no_row() {
    let store = fresh().await;
    let built_in = Profile::built_in("tls-server").unwrap();
    let stored = StoredProfile { id: None, profile: built_in, created_at: None, revision: 0 };
    let mut tx = store.begin("t").await.unwrap();
    assert!(matches!(tx.insert_profile(&stored).await, Err(Error::Driver(_))));
    assert!(matches!(tx.update_profile(&stored).await, Err(Error::Driver(_))));
}

#[tokio::test]
async fn lists_page_by_name() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for (number, called) in [(1, "c"), (2, "a"), (3, "b")] {
        tx.insert_profile(&profile(number, called)).await.unwrap();
    }
    let one = tx.profiles(&first(2)).await.unwrap();
    let two = tx.profiles(&after(2, one.next.clone())).await.unwrap();
    let names: Vec<String> = one.items.iter().chain(&two.items).map(|p| p.profile.name().to_string()).collect();
    assert_eq!((names, two.next), (vec!["a".into(), "b".into(), "c".into()], None));
}
