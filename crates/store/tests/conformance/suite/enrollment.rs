use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::enrollment::{EnrollmentTerms, EnrollmentToken};
use certwright_domain::id::{CaId, EnrollmentTokenId};
use certwright_domain::name::ResourceName;
use certwright_domain::san::San;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Span;
use certwright_store::PageRequest;

fn token(number: u32, called: &str, uses: u32) -> EnrollmentToken {
    let names = ["a.example.com", "10.0.0.5", "spiffe://corp/a"].map(|text| San::parse(text).unwrap()).to_vec();
    EnrollmentToken {
        id: EnrollmentTokenId::new(now(), entropy(number)),
        name: ResourceName::parse(called).unwrap(),
        ca: CaId::new(now(), entropy(number)),
        profile: ResourceName::parse("tls-server").unwrap(),
        terms: EnrollmentTerms::judge(names, Some(uses), None, None, now()).unwrap(),
        uses_left: uses,
        secret_sha256: Sha256([7; 32]),
        created_at: now(),
    }
}

#[tokio::test]
async fn an_enrolment_token_comes_back_as_it_was_and_its_uses_are_counted() {
    let store = fresh().await;
    let (one, two) = (token(1, "one", 2), token(2, "two", 1));
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_enrollment_token(&one).await.unwrap();
    tx.insert_enrollment_token(&two).await.unwrap();
    assert_eq!(tx.enrollment_token(&reference("one")).await.unwrap(), Some(one.clone()));
    assert_eq!(tx.enrollment_token(&reference(two.id.as_str())).await.unwrap(), Some(two.clone()));
    assert_eq!(tx.enrollment_token(&reference("three")).await.unwrap(), None);
    assert_eq!(tx.count_enrollment_tokens().await.unwrap(), 2);
    let page = tx.enrollment_tokens(&PageRequest { limit: 1, after: None }).await.unwrap();
    let rest = tx.enrollment_tokens(&PageRequest { limit: 1, after: page.next }).await.unwrap();
    assert_eq!((page.items, rest.items, rest.next), (vec![two.clone()], vec![one.clone()], None));

    tx.use_enrollment_token(&one.id, now()).await.unwrap();
    tx.use_enrollment_token(&one.id, now()).await.unwrap();
    assert_eq!(tx.use_enrollment_token(&one.id, now()).await, Err(stale("enrollment_tokens")), "two uses");
    let end = two.terms.expires_at();
    assert_eq!(tx.use_enrollment_token(&two.id, end).await, Err(stale("enrollment_tokens")), "ended");
    tx.use_enrollment_token(&two.id, end.minus(Span::from_ms(1))).await.unwrap();
    let left = tx.enrollment_token(&reference("one")).await.unwrap().map(|token| token.uses_left);
    assert_eq!(left, Some(0));
    tx.delete_enrollment_token(&two.id).await.unwrap();
    assert_eq!(tx.delete_enrollment_token(&two.id).await, Err(stale("enrollment_tokens")));
    assert_eq!(tx.use_enrollment_token(&two.id, now()).await, Err(stale("enrollment_tokens")), "gone");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn names_of_enrolment_tokens_are_unique_until_their_token_is_good_for_nothing() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_enrollment_token(&token(1, "web", 1)).await.unwrap();
    tx.free_enrollment_name(&token(1, "web", 1).name, now()).await.unwrap();
    assert_eq!(tx.count_enrollment_tokens().await.unwrap(), 1, "it is good for something");
    tx.use_enrollment_token(&token(1, "web", 1).id, now()).await.unwrap();
    tx.free_enrollment_name(&token(1, "web", 1).name, now()).await.unwrap();
    tx.insert_enrollment_token(&token(2, "web", 1)).await.unwrap();
    let end = token(2, "web", 1).terms.expires_at();
    tx.free_enrollment_name(&token(2, "web", 1).name, end).await.unwrap();
    tx.insert_enrollment_token(&token(3, "web", 1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    let again = tx.insert_enrollment_token(&token(4, "web", 1)).await;
    assert_eq!(again, Err(conflict("enrollment_tokens.name")));
}

#[tokio::test]
async fn ended_enrolment_tokens_go_in_small_batches() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 1..=5 {
        tx.insert_enrollment_token(&token(number, &format!("t{number}"), 1)).await.unwrap();
    }
    let end = token(1, "t", 1).terms.expires_at();
    assert_eq!(tx.purge_enrollment_tokens(end, 10).await.unwrap(), 0);
    let after = end.plus(Span::from_ms(1));
    assert_eq!(tx.purge_enrollment_tokens(after, 3).await.unwrap(), 3);
    assert_eq!(tx.purge_enrollment_tokens(after, 3).await.unwrap(), 2);
    tx.commit().await.unwrap();
}
