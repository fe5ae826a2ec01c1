use super::{fresh, stale};
use crate::fixtures::*;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::{AcmeDirectoryId, EarlyRenewalId, IssuedId};
use certwright_domain::managed::ManagedCertificate;
use certwright_domain::renewal::{EarlyRenewal, EarlyRenewalTerms, MovedRenewal};
use certwright_domain::time::Span;
use certwright_store::VersionSelector;

fn call_for(number: u32, ca: &certwright_domain::ca::Ca) -> EarlyRenewal {
    let terms = EarlyRenewalTerms {
        issued_before: now(),
        profile: Some(name("tls-server")),
        directory: Some(AcmeDirectoryId::new(now(), entropy(number))),
        from: now(),
        spread: Span::from_hours(6),
        reason: "the key leaked".to_owned(),
        explanation_url: HttpUrl::parse("https://status.example.com/7").ok(),
    };
    EarlyRenewal {
        id: EarlyRenewalId::new(now(), entropy(number)),
        ca: ca.id.clone(),
        terms,
        created_at: now(),
        reached: String::new(),
        moved: 0,
        settled_at: None,
        withdrawn_at: None,
        revision: 1,
    }
}

#[tokio::test]
async fn i6_a_call_to_renew_early_comes_back_as_it_was_and_changes_by_compare_and_swap() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let (one, mut two) = (call_for(1, &ca), call_for(2, &ca));
    two.terms.profile = None;
    two.terms.directory = None;
    two.terms.explanation_url = None;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_early_renewal(&one).await.unwrap();
    tx.insert_early_renewal(&two).await.unwrap();
    assert_eq!(tx.early_renewal(&one.id).await.unwrap(), Some(one.clone()));
    let page = tx.early_renewals(&ca.id, &first(1)).await.unwrap();
    let rest = tx.early_renewals(&ca.id, &after(1, page.next)).await.unwrap();
    assert_eq!((page.items, rest.items, rest.next), (vec![two.clone()], vec![one.clone()], None));
    assert_eq!(tx.open_early_renewals(10).await.unwrap(), [one.clone(), two.clone()]);
    let settled = EarlyRenewal { settled_at: Some(now()), moved: 7, reached: "issued_x".to_owned(), ..one.clone() };
    tx.update_early_renewal(&settled).await.unwrap();
    assert_eq!(tx.update_early_renewal(&settled).await, Err(stale("early_renewals")));
    let settled = EarlyRenewal { revision: 2, ..settled };
    assert_eq!(tx.early_renewal(&one.id).await.unwrap(), Some(settled.clone()));
    assert_eq!(tx.open_early_renewals(10).await.unwrap(), std::slice::from_ref(&two));
    tx.update_early_renewal(&EarlyRenewal { withdrawn_at: Some(now()), settled_at: None, ..settled }).await.unwrap();
    assert_eq!(tx.open_early_renewals(10).await.unwrap().len(), 2);
    assert_eq!(tx.delete_early_renewal(&two.id, 2).await, Err(stale("early_renewals")));
    tx.delete_early_renewal(&two.id, 1).await.unwrap();
    assert_eq!(tx.early_renewal(&two.id).await.unwrap(), None);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn i6_a_moved_renewal_is_moved_in_the_inventory_and_for_the_job_and_put_back() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let call = call_for(1, &ca);
    let (row, other) = (issued(1, &ca), issued(2, &ca));
    let managed = ManagedCertificate { next_attempt_at: Some(row.renew_at), ..certificate(1, &ca, "web") };
    let version = certificate_version(&managed, 1, Some(&row));
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(&[row.clone(), other.clone()]).await.unwrap();
    tx.insert_certificate(&managed).await.unwrap();
    tx.insert_certificate_version(&version).await.unwrap();
    let all = tx.issued_behind(&ca.id, "", 10).await.unwrap();
    assert_eq!(all, [row.clone(), other.clone()]);
    assert_eq!(tx.issued_behind(&ca.id, row.id.as_str(), 10).await.unwrap(), std::slice::from_ref(&other));
    let early = row.renew_at.minus(Span::from_hours(5));
    let moved = MovedRenewal { issued: row.id.clone(), call: call.id.clone(), renew_at: early, usual: row.renew_at };
    assert_eq!(tx.move_renewal(&moved, early).await, Err(stale("issued_certificates")), "it is due at another time");
    tx.move_renewal(&moved, row.renew_at).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.issued(&row.id).await.unwrap().unwrap().renew_at, early);
    assert_eq!(tx.issued(&other.id).await.unwrap().unwrap().renew_at, other.renew_at);
    assert_eq!(tx.moved_renewal(&row.id).await.unwrap(), Some(moved.clone()));
    assert_eq!(tx.moved_renewal(&other.id).await.unwrap(), None);
    assert_eq!(tx.moved_renewals(&call.id, 10).await.unwrap(), std::slice::from_ref(&moved));
    let selector = VersionSelector::Number(1);
    let (seen, shown) = tx.certificate_version(&reference("web"), &selector).await.unwrap().unwrap();
    assert_eq!((seen.next_attempt_at, seen.revision), (Some(early), managed.revision + 1));
    assert_eq!(shown.moved, Some(early));
    assert_eq!(tx.certificate_versions(&managed.id, &first(5)).await.unwrap().items, [shown]);
    assert_eq!(tx.update_certificate(&managed).await, Err(stale("certificates")), "whoever read it before");
    // Earlier still, by another call: the usual time is remembered.
    let earlier = MovedRenewal {
        call: EarlyRenewalId::new(now(), entropy(9)),
        renew_at: early.minus(Span::from_hours(1)),
        ..moved.clone()
    };
    tx.move_renewal(&earlier, early).await.unwrap();
    assert_eq!(tx.moved_renewal(&row.id).await.unwrap(), Some(earlier.clone()));
    assert!(tx.moved_renewals(&call.id, 10).await.unwrap().is_empty());
    // Another usual time: later ones wait, an earlier one counts at once, and afterwards it is the usual one.
    for (usual, due) in
        [(row.renew_at.plus(days(1)), earlier.renew_at), (now(), now()), (row.renew_at, earlier.renew_at)]
    {
        tx.set_usual_renewal(&row.id, usual).await.unwrap();
        assert_eq!(tx.issued(&row.id).await.unwrap().unwrap().renew_at, due);
        assert_eq!(tx.moved_renewal(&row.id).await.unwrap().unwrap().usual, usual);
    }
    tx.set_usual_renewal(&other.id, row.renew_at).await.unwrap();
    assert_eq!(tx.issued(&other.id).await.unwrap().unwrap().renew_at, row.renew_at);
    tx.put_renewal_back(&earlier).await.unwrap();
    assert_eq!(tx.issued(&row.id).await.unwrap().unwrap().renew_at, row.renew_at);
    assert_eq!(tx.moved_renewal(&row.id).await.unwrap(), None);
    // A version that is not the current one is nobody's to renew; one whose certificate is gone is forgotten.
    let gone = MovedRenewal { issued: IssuedId::new(now(), entropy(99)), ..moved };
    tx.put_renewal_back(&gone).await.unwrap();
    tx.commit().await.unwrap();
}
