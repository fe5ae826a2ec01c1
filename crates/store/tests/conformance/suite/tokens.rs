use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::time::Span;
use certwright_store::Error;

#[tokio::test]
async fn a_token_comes_back_until_it_is_revoked() {
    let store = fresh().await;
    let ci = token(1, "ci");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_token(&ci).await.unwrap();
    assert_eq!(tx.token(&ci.id).await.unwrap(), Some(ci.clone()));
    assert_eq!(tx.find_token(&reference("ci")).await.unwrap(), Some(ci.clone()));
    assert_eq!(tx.find_token(&reference(ci.id.as_str())).await.unwrap(), Some(ci.clone()));
    assert_eq!(tx.find_token(&reference("other")).await.unwrap(), None);
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_token(&token(2, "ci")).await, Err(conflict("tokens.name")));
    drop(tx);

    let mut tx = store.begin("t").await.unwrap();
    tx.revoke_token(&ci.id, now()).await.unwrap();
    assert_eq!(tx.revoke_token(&ci.id, now().plus(days(1))).await, Err(stale("tokens")));
    assert_eq!(tx.token(&ci.id).await.unwrap().unwrap().revoked_at, Some(now()));
    assert_eq!(tx.find_token(&reference("ci")).await.unwrap(), None);
    tx.insert_token(&token(2, "ci")).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_last_use_only_moves_forward() {
    let store = fresh().await;
    let ci = token(1, "ci");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_token(&ci).await.unwrap();
    let later = now().plus(Span::from_minutes(1));
    for at in [later, now()] {
        tx.touch_token(&ci.id, at).await.unwrap();
        assert_eq!(tx.token(&ci.id).await.unwrap().unwrap().last_used_at, Some(later));
    }
}

#[tokio::test]
async fn lists_show_the_newest_first_revoked_ones_too() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 1..=5 {
        let mut token = token(number, &format!("t{number}"));
        token.revoked_at = (number == 3).then(now);
        token.expires_at = None;
        tx.insert_token(&token).await.unwrap();
    }
    let names = |page: &certwright_store::Page<certwright_domain::token::Token>| {
        page.items.iter().map(|t| t.name.to_string()).collect::<Vec<_>>()
    };
    let one = tx.tokens(&first(3)).await.unwrap();
    assert_eq!(names(&one), ["t5", "t4", "t3"]);
    let two = tx.tokens(&after(3, one.next)).await.unwrap();
    assert_eq!((names(&two), two.next.as_ref()), (vec!["t2".into(), "t1".into()], None));
    assert_eq!(tx.tokens(&after(3, Some("dG9rZW5zCng".into()))).await, Err(Error::BadCursor));
}
