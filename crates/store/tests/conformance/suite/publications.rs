use super::{fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca::{Ca, CaState};
use certwright_domain::crl::{Crl, CrlKind, CrlScope, CrlSeries, Shards};
use certwright_domain::id::CrlId;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::publication::{
    ObjectKind, ObjectNameFormat, PastPublication, Placed, Publication, PublishedObject, UrlFormat,
};
use certwright_domain::time::{Span, Timestamp};
use certwright_store::{Queries, Tx};

fn placed(format: &str, urls: &[&str]) -> Placed {
    let urls = urls.iter().map(|url| UrlFormat::parse(url).unwrap()).collect();
    Placed::new(ObjectNameFormat::parse(format).unwrap(), urls).unwrap()
}

fn publication(format: &str) -> Publication {
    Publication::new(
        name("cdn"),
        placed(format, &["http://cdn.example.com/{}", "https://cdn.example.com/{}?x=1"]),
        Some(placed("delta-{}.crl", &[])),
        Some(placed("ca/{}.crt", &["http://cdn.example.com/ca-{}"])),
    )
    .unwrap()
}

fn scope(ca: &Ca, kind: CrlKind) -> CrlScope {
    CrlScope { ca_id: ca.id.clone(), ca_version: 1, shards: Shards::ONE, shard: 0, kind }
}

fn target() -> ResourceName {
    name("cdn")
}

fn list(ca: &Ca, called: &str, kind: CrlKind) -> PublishedObject {
    let format = ObjectNameFormat::parse(&format!("{called}-{{}}")).unwrap();
    PublishedObject::of_list(&target(), format.expand(1, Shards::ONE, 0), &scope(ca, kind), now())
}

fn certificate(ca: &Ca, version: u32) -> PublishedObject {
    let format = ObjectNameFormat::parse("crt-{}").unwrap();
    PublishedObject::of_issuer(&target(), format.expand(version, Shards::ONE, 0), &ca.id, version, now())
}

async fn publish(tx: &mut dyn Queries, ca: &Ca, number: u32, kind: CrlKind) -> CrlId {
    let crl = Crl {
        id: CrlId::new(now(), entropy(number)),
        scope: scope(ca, kind),
        number: Some(i64::from(number)),
        base_number: None,
        change: 0,
        uploaded: false,
        this_update: now(),
        next_update: now().plus(days(7)),
        entries: 0,
        size: 0,
        sha256: sha(number),
        created_at: now(),
    };
    tx.insert_crl(&crl).await.unwrap();
    tx.publish_crl(&CrlSeries::new(crl.scope.clone(), now()), &crl.id, now()).await.unwrap();
    crl.id
}

async fn due(tx: &mut Tx<'_>, at: Timestamp) -> Vec<String> {
    let due = tx.published_objects_due(&target(), at, 10).await.unwrap();
    let targets = tx.publication_targets_due(at).await.unwrap();
    assert_eq!(targets.is_empty(), due.is_empty());
    due.into_iter().map(|object| object.name.to_string()).collect()
}

#[tokio::test]
async fn a_publication_is_kept_with_its_ca() {
    let store = fresh().await;
    let mut one = ca(1, "one");
    one.publication = Some(publication("list-{}-{shard}.crl"));
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&one).await.unwrap();
    tx.insert_ca(&ca(2, "two")).await.unwrap();
    let by_name = Reference::from(&one.name);
    assert_eq!(tx.ca(&by_name).await.unwrap().unwrap().publication, one.publication);
    assert_eq!(
        tx.publications().await.unwrap(),
        [(one.id.clone(), "one".to_owned(), one.publication.clone().unwrap())]
    );
    assert_eq!(tx.publishing_cas().await.unwrap(), std::slice::from_ref(&one.id));
    one.publication = None;
    tx.update_ca(&one).await.unwrap();
    assert_eq!(tx.ca(&by_name).await.unwrap().unwrap().publication, None);
    assert_eq!(tx.publications().await.unwrap(), []);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn past_publications_stay_until_they_retire() {
    let store = fresh().await;
    let (one, _) = with_ca(&store).await;
    let past = |number: i64, format: &str, last: i64| PastPublication {
        number,
        publication: publication(format),
        retires_at: now().plus(days(last)),
    };
    let (first, second) = (past(1, "a-{}", 10), past(4, "b-{}", 5));
    let mut tx = store.begin("t").await.unwrap();
    tx.retire_publication(&one.id, &first).await.unwrap();
    tx.retire_publication(&one.id, &second).await.unwrap();
    assert_eq!(tx.past_publications(&one.id).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(tx.publications().await.unwrap().len(), 2);
    assert_eq!(tx.publishing_cas().await.unwrap(), std::slice::from_ref(&one.id));
    assert_eq!(tx.purge_publications(now().plus(days(5))).await.unwrap(), 0);
    assert_eq!(tx.purge_publications(now().plus(days(6))).await.unwrap(), 1);
    assert_eq!(tx.past_publications(&one.id).await.unwrap(), [first]);
    tx.forget_publication(&one.id, 1).await.unwrap();
    assert_eq!(tx.past_publications(&one.id).await.unwrap(), []);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let store = fresh().await;
    let (one, _) = with_ca(&store).await;
    let object = list(&one, "a", CrlKind::Full);
    let mut tx = store.begin("t").await.unwrap();
    assert!(tx.insert_published_object(&object).await.unwrap());
    let other = PublishedObject { kind: ObjectKind::Delta, failures: 3, ..object.clone() };
    assert!(!tx.insert_published_object(&other).await.unwrap());
    assert_eq!(tx.published_object(&target(), "a-1").await.unwrap(), Some(object.clone()));
    assert_eq!(tx.published_object(&name("elsewhere"), "a-1").await.unwrap(), None);
    assert_eq!(tx.published_objects(&one.id).await.unwrap(), std::slice::from_ref(&object));
    let elsewhere = PublishedObject { target: name("elsewhere"), ..object.clone() };
    let issuer = certificate(&one, 1);
    assert!(tx.insert_published_object(&issuer).await.unwrap());
    assert!(tx.insert_published_object(&elsewhere).await.unwrap());
    tx.delete_published_object(&object).await.unwrap();
    assert_eq!(tx.published_objects(&one.id).await.unwrap(), [issuer.clone(), elsewhere.clone()]);
    assert_eq!(tx.published_lists(&scope(&one, CrlKind::Delta)).await.unwrap(), []);
    assert_eq!(tx.published_lists(&scope(&one, CrlKind::Full)).await.unwrap(), [issuer.clone(), elsewhere]);
    let four = Shards::new(4).unwrap();
    let shard = |shard| CrlScope { shards: four, shard, ..scope(&one, CrlKind::Full) };
    assert_eq!(tx.published_lists(&shard(0)).await.unwrap(), [issuer]);
    assert_eq!(tx.published_lists(&shard(1)).await.unwrap(), []);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_is_behind_is_due() {
    let store = fresh().await;
    let (one, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca_version(&ca_version(&one, 1)).await.unwrap();
    let (full, delta) = (list(&one, "full", CrlKind::Full), list(&one, "delta", CrlKind::Delta));
    let (first, missing) = (certificate(&one, 1), certificate(&one, 2));
    for object in [&full, &delta, &first, &missing] {
        assert!(tx.insert_published_object(object).await.unwrap());
    }
    assert_eq!(due(&mut tx, now()).await, ["crt-1"], "there is no list yet, and no second version");
    tx.update_published_object(&first.written(sha(1).to_string(), None, now())).await.unwrap();
    assert_eq!(due(&mut tx, now()).await, [""; 0]);
    assert_eq!(tx.crl_scopes(&one.id).await.unwrap(), []);
    let id = publish(&mut *tx, &one, 50, CrlKind::Full).await;
    assert_eq!(tx.crl_scopes(&one.id).await.unwrap(), [scope(&one, CrlKind::Full)]);
    assert_eq!(due(&mut tx, now().minus(Span::from_s(1))).await, [""; 0], "not yet");
    assert_eq!(due(&mut tx, now()).await, ["full-1"]);
    publish(&mut *tx, &one, 51, CrlKind::Delta).await;
    assert_eq!(due(&mut tx, now()).await, ["delta-1", "full-1"]);

    let claimed = full.clone().claimed(now(), now().plus(Span::from_s(60)));
    tx.update_published_object(&claimed).await.unwrap();
    assert_eq!(tx.update_published_object(&claimed).await, Err(stale("published_objects")));
    assert_eq!(due(&mut tx, now()).await, ["delta-1"], "one at a time");
    assert_eq!(due(&mut tx, now().plus(Span::from_s(60))).await, ["delta-1", "full-1"], "a claim ends");
    let written = PublishedObject { revision: 2, ..claimed }.written(id.to_string(), Some(50), now());
    tx.update_published_object(&written).await.unwrap();
    let stored = PublishedObject { revision: 3, ..written };
    assert_eq!(tx.published_object(&target(), "full-1").await.unwrap(), Some(stored.clone()));
    assert_eq!(due(&mut tx, now().plus(days(1))).await, ["delta-1"]);
    publish(&mut *tx, &one, 52, CrlKind::Full).await;
    assert_eq!(due(&mut tx, now()).await, ["delta-1", "full-1"], "there is a newer one");
    let id = publish(&mut *tx, &one, 53, CrlKind::Full).await;
    tx.update_published_object(&stored.written(id.to_string(), Some(53), now())).await.unwrap();
    assert_eq!(due(&mut tx, now()).await, ["delta-1"]);

    let again = tx.published_object(&target(), "full-1").await.unwrap().unwrap();
    tx.rewrite_published_object(&again, now()).await.unwrap();
    assert_eq!(due(&mut tx, now()).await, ["delta-1", "full-1"]);
    assert_eq!(tx.update_published_object(&again).await, Err(stale("published_objects")), "whoever was at it learns");
    assert_eq!(tx.rewrite_published_objects(&one.id, now()).await.unwrap(), 4);
    assert_eq!(due(&mut tx, now()).await, ["crt-1", "delta-1", "full-1"]);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn failures_and_what_waits_are_counted() {
    let store = fresh().await;
    let (mut one, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca_version(&ca_version(&one, 1)).await.unwrap();
    let (full, delta) = (list(&one, "full", CrlKind::Full), list(&one, "delta", CrlKind::Delta));
    for object in [&full, &delta, &certificate(&one, 1)] {
        assert!(tx.insert_published_object(object).await.unwrap());
    }
    publish(&mut *tx, &one, 50, CrlKind::Full).await;
    let at = now().plus(Span::from_s(9));
    tx.update_published_object(&certificate(&one, 1).written("x".to_owned(), None, at)).await.unwrap();
    let mut failed = full;
    for _ in 0..3 {
        failed = failed.failed("no connection".to_owned(), now());
    }
    tx.update_published_object(&failed).await.unwrap();
    tx.update_published_object(&delta.failed("no connection".to_owned(), now())).await.unwrap();
    for (failures, count) in [(1, 2), (3, 1), (4, 0)] {
        assert_eq!(tx.failing_objects(&one.id, &target(), failures).await.unwrap(), count);
    }
    assert_eq!(tx.failing_objects(&one.id, &name("elsewhere"), 1).await.unwrap(), 0);
    let health = tx.publication_health().await.unwrap();
    let [health] = health.as_slice() else { panic!("{health:?}") };
    assert_eq!(
        (health.ca_id.clone(), health.ca_name.as_str(), health.target.as_str()),
        (one.id.clone(), one.name.as_str(), "cdn")
    );
    assert_eq!((health.objects, health.failing, health.waiting), (3, 2, 1));
    assert_eq!(health.last_published_at, Some(at));
    one.state = CaState::Deleted;
    tx.update_ca(&one).await.unwrap();
    assert_eq!(tx.publications().await.unwrap(), []);
    assert_eq!(
        tx.publishing_cas().await.unwrap(),
        std::slice::from_ref(&one.id),
        "its objects are still to be forgotten"
    );
    tx.commit().await.unwrap();
}
