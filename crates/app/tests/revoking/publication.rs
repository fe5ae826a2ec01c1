//! Lists and certificates elsewhere: what is written, when, by whom, and what becomes of failures.

use crate::support::*;
use certwright_app::{NewCaKind, NewRules, PublicationReport, TargetError, UpdateCa};
use certwright_domain::crl::CrlKind;
use certwright_domain::event::EventKind;
use certwright_domain::name::ResourceName;
use certwright_domain::publication::{ObjectNameFormat, Placed, Publication, PublishedObject, UrlFormat};
use certwright_domain::revocation::RevocationReason as R;
use certwright_domain::time::Span;
use certwright_store::{EventFilter, PageRequest};
use certwright_testkit::faults::When;
use std::time::Duration;

pub(crate) fn placed(format: &str, urls: &[&str]) -> Placed {
    let urls = urls.iter().map(|url| UrlFormat::parse(url).unwrap()).collect();
    Placed::new(ObjectNameFormat::parse(format).unwrap(), urls).unwrap()
}

/// Lists and certificates as objects of a target, under addresses of `cdn.example.com`.
pub(crate) fn publication(target: &str, stem: &str) -> Publication {
    let url = |ending: &str| format!("http://cdn.example.com/{stem}-{{}}.{ending}");
    Publication::new(
        ResourceName::parse(target).unwrap(),
        placed(&format!("{stem}-{{}}.crl"), &[&url("crl")]),
        None,
        Some(placed(&format!("{stem}-{{}}.crt"), &[&url("crt")])),
    )
    .unwrap()
}

pub(crate) async fn publish_at(
    app: &TestApp,
    ca: &str,
    publication: Option<Publication>,
) -> Result<(), certwright_app::Error> {
    let revision = app.app.ca(&call(), &to(ca)).await.unwrap().ca.revision;
    let update = UpdateCa { publication: Some(publication), ..UpdateCa::default() };
    app.app.update_ca(&call(), &to(ca), update, Some(revision)).await.map(drop)
}

async fn published_root(app: &TestApp) {
    with_root(app).await;
    publish_at(app, "root", Some(publication("cdn", "root"))).await.unwrap();
    publish(app).await;
}

fn written(written: u64) -> PublicationReport {
    PublicationReport { written, failed: 0 }
}

async fn there(app: &TestApp) -> Vec<u8> {
    app.bucket.get("root-1.crl").unwrap().bytes.to_vec()
}

async fn here(app: &TestApp) -> Vec<u8> {
    served(app, "root", CrlKind::Full, WHOLE).await.unwrap().der.to_vec()
}

async fn told(app: &TestApp) -> Vec<Vec<(String, String)>> {
    let page = PageRequest { limit: 500, after: None };
    let events = app.app.events(&call(), &EventFilter::default(), &page).await.unwrap().items;
    let failed = events.into_iter().filter(|event| event.kind == EventKind::CrlPublicationFailed);
    failed.map(|event| event.details).collect()
}

#[tokio::test]
async fn lists_and_certificates_are_written_and_named() {
    for app in TestApp::on_every_database().await {
        published_root(&app).await;
        assert_eq!(app.app.run_publications().await.unwrap(), written(2));
        assert_eq!(app.bucket.names(), ["root-1.crl", "root-1.crt"]);
        assert_eq!(there(&app).await, here(&app).await);
        let list = app.bucket.get("root-1.crl").unwrap();
        assert_eq!((list.content_type, list.keep_for), ("application/pkix-crl", Span::from_minutes(5)));
        let certificate = app.bucket.get("root-1.crt").unwrap();
        assert_eq!(certificate.content_type, "application/pkix-cert");
        assert_eq!(certificate.bytes, app.app.ca_certificate(&to("root"), None).await.unwrap());
        assert_eq!(app.app.run_publications().await.unwrap(), written(0), "nothing is behind");

        let row = leaf(&app, "root", "a.example.com").await;
        let mut named = uris(&row.certificate);
        named.retain(|uri| !uri.ends_with("/ocsp"));
        named.sort();
        assert_eq!(named, ["http://cdn.example.com/root-1.crl", "http://cdn.example.com/root-1.crt"]);
        revoke(&app, &row, R::Superseded).await;
        publish(&app).await;
        assert_ne!(there(&app).await, here(&app).await);
        assert_eq!(app.app.run_publications().await.unwrap(), written(1));
        assert_eq!(there(&app).await, here(&app).await);
        let view = app.app.crls(&call(), &to("root"), &PageRequest { limit: 10, after: None }).await.unwrap();
        let [view] = view.items.as_slice() else { panic!("{view:?}") };
        let shown: Vec<_> = view.objects.iter().map(|one| (one.name.as_str(), one.number, one.failures)).collect();
        assert_eq!(shown, [("root-1.crt", None, 0), ("root-1.crl", view.crl.as_ref().unwrap().number, 0)]);
        assert_eq!(view.urls.len(), 2, "here and there");
        let health = app.app.publication_health().await.unwrap();
        assert_eq!((health[0].objects, health[0].failing, health[0].waiting), (2, 0, 0));
        assert_eq!(health[0].last_published_at, Some(app.clock_now()));
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_and_told_once() {
    for app in TestApp::on_every_database().await {
        published_root(&app).await;
        assert_eq!(app.app.run_publications().await.unwrap(), written(2));
        publish_list(&app).await;
        app.bucket.will_fail(vec![TargetError::Unreachable; 5]);
        for (attempt, pause) in [5, 10, 20, 40, 80].into_iter().enumerate() {
            let failed = PublicationReport { written: 0, failed: 1 };
            assert_eq!(app.app.run_publications().await.unwrap(), failed, "{attempt}");
            assert_eq!(told(&app).await.len(), usize::from(attempt >= 2), "{attempt}");
            app.clock.advance(Span::from_ms(pause * 1000 - 1));
            assert_eq!(app.app.run_publications().await.unwrap(), written(0), "not yet");
            app.clock.advance(Span::from_ms(1));
        }
        let view = app.app.crls(&call(), &to("root"), &PageRequest { limit: 10, after: None }).await.unwrap();
        let list = view.items[0].objects.iter().find(|one| one.name.as_str() == "root-1.crl").unwrap();
        assert_eq!((list.failures, list.last_error.as_deref()), (5, Some("no connection to the bucket's server")));
        assert_eq!(app.app.crl_warnings().await.unwrap().unpublished, 1);
        let details = told(&app).await.remove(0);
        for (name, value) in [("target", "cdn"), ("object", "root-1.crl"), ("failures", "3")] {
            assert!(details.contains(&(name.to_owned(), value.to_owned())), "{details:?}");
        }
        assert_eq!(app.app.run_publications().await.unwrap(), written(1));
        assert_eq!(there(&app).await, here(&app).await);
        app.clock.advance(Span::from_minutes(1));
        assert_eq!(app.app.crl_warnings().await.unwrap().unpublished, 0);

        // The next outage is told anew, by one of the two objects that fail.
        app.app.make_crls(&call(), &to("root")).await.unwrap();
        app.bucket.will_fail(vec![TargetError::Refused; 8]);
        for _ in 0..4 {
            assert_eq!(app.app.run_publications().await.unwrap().failed, 2);
            app.clock.advance(Span::from_minutes(10));
        }
        assert_eq!(told(&app).await.len(), 2);
        assert_eq!(app.app.run_publications().await.unwrap(), written(2));
    }
}

/// Has the root publish another list.
async fn publish_list(app: &TestApp) {
    let row = leaf(app, "root", "b.example.com").await;
    revoke(app, &row, R::Superseded).await;
    assert!(publish(app).await.published > 0);
}

/// Row F16: a put that outlasts its claim does not leave an older list in the end.
#[tokio::test]
async fn an_older_list_does_not_stay_over_a_newer_one() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        published_root(&one).await;
        assert_eq!(one.app.run_publications().await.unwrap(), written(2));
        publish_list(&one).await;
        let older = here(&one).await;
        one.bucket.hold_next();
        let app = one.app.clone();
        let slow = tokio::spawn(async move { app.run_publications().await });
        one.bucket.held().await;
        assert_eq!(two.app.run_publications().await.unwrap(), written(0), "one at a time");
        publish_list(&two).await;
        one.clock.advance(Span::from_s(61));
        assert_eq!(two.app.run_publications().await.unwrap(), written(1), "the claim has ended");
        assert_eq!(there(&two).await, here(&two).await);
        one.bucket.release();
        let report = slow.await.unwrap().unwrap();
        assert_eq!(report, written(2), "the older one, and the newest once more");
        assert_ne!(older, here(&one).await);
        assert_eq!(there(&one).await, here(&one).await);
    }
}

#[tokio::test]
async fn a_node_that_dies_loses_nothing() {
    for app in TestApp::on_every_database().await {
        published_root(&app).await;
        let app = app.restarted(7).await;
        assert_eq!(app.app.run_publications().await.unwrap(), written(2), "published, but not pushed");
        publish_list(&app).await;
        app.faults.arm("publication.record", When::Before);
        assert!(app.app.run_publications().await.is_err(), "written, and died before it could say so");
        let app = app.restarted(8).await;
        assert_eq!(app.app.run_publications().await.unwrap(), written(0), "the claim holds");
        app.clock.advance(Span::from_s(61));
        assert_eq!(app.app.run_publications().await.unwrap(), written(1));
        assert_eq!(there(&app).await, here(&app).await);

        app.faults.arm("publication.claim", When::After);
        publish_list(&app).await;
        assert!(app.app.run_publications().await.is_err(), "claimed, and died");
        let puts = app.bucket.puts();
        app.clock.advance(Span::from_s(61));
        assert_eq!(app.app.run_publications().await.unwrap(), written(1));
        assert_eq!(app.bucket.puts(), puts + 1);
    }
}

#[tokio::test]
async fn what_was_lost_there_is_written_again_when_asked() {
    let app = TestApp::sqlite().await;
    published_root(&app).await;
    app.app.run_publications().await.unwrap();
    app.bucket.clear();
    assert_eq!(app.app.run_publications().await.unwrap(), written(0), "nobody looks");
    app.app.make_crls(&trial(), &to("root")).await.unwrap();
    assert_eq!(app.app.run_publications().await.unwrap(), written(0), "a trial");
    app.app.make_crls(&call(), &to("root")).await.unwrap();
    assert_eq!(app.app.run_publications().await.unwrap(), written(2));
    assert_eq!(there(&app).await, here(&app).await);
}

#[tokio::test]
async fn uploaded_lists_are_published_too() {
    for app in TestApp::on_every_database().await {
        let elsewhere = TestApp::sqlite().await;
        with_root(&elsewhere).await;
        let certificate = elsewhere.app.ca_certificate(&to("root"), None).await.unwrap();
        let mut anchor = crate::kit::ca("anchor", NewCaKind::ExternalRoot(certificate.clone()), NewRules::default());
        anchor.publication = Some(publication("mirror", "anchor"));
        app.app.create_ca(&call(), anchor).await.unwrap();
        assert_eq!(app.app.run_publications().await.unwrap(), written(1));
        assert_eq!(app.bucket.get("anchor-1.crt").unwrap().bytes, certificate);
        let list = here(&elsewhere).await;
        app.app.upload_crl(&call(), &to("anchor"), &list).await.unwrap();
        assert_eq!(app.app.run_publications().await.unwrap(), written(1));
        assert_eq!(app.bucket.get("anchor-1.crl").unwrap().bytes, list);
    }
}

/// Lets the runtime's clock pass, with everything that waits for it, and nothing else.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
    tokio::time::resume();
}

#[tokio::test]
async fn a_put_has_thirty_seconds() {
    let app = TestApp::sqlite().await;
    published_root(&app).await;
    assert_eq!(app.app.run_publications().await.unwrap(), written(2));
    publish_list(&app).await;
    let before = there(&app).await;
    app.bucket.hold_next();
    let (node, puts) = (app.app.clone(), app.bucket.puts());
    let slow = tokio::spawn(async move { node.run_publications().await });
    app.bucket.held().await;
    pass(Duration::from_secs(28)).await;
    assert_eq!(object(&app, "root-1.crl").await.failures, 0, "there is time left");
    assert!(!slow.is_finished());
    pass(Duration::from_secs(3)).await;
    // Too late: a put that still waits would take effect now.
    app.bucket.release();
    assert_eq!(slow.await.unwrap().unwrap(), PublicationReport { written: 0, failed: 1 });
    let late = object(&app, "root-1.crl").await;
    assert_eq!((late.failures, late.last_error.as_deref()), (1, Some("not written in time")));
    assert_eq!(there(&app).await, before, "what was given up does not take effect");
    app.clock.advance(Span::from_s(5));
    assert_eq!(app.app.run_publications().await.unwrap(), written(1), "and the target is free for the next attempt");
    assert_eq!(app.bucket.puts(), puts + 2);
    assert_eq!(there(&app).await, here(&app).await);
}

async fn object(app: &TestApp, name: &str) -> PublishedObject {
    let views = app.app.crls(&call(), &to("root"), &PageRequest { limit: 10, after: None }).await.unwrap().items;
    let found = views.into_iter().flat_map(|view| view.objects).find(|one| one.name.as_str() == name);
    found.expect("the object is shown")
}

#[tokio::test]
async fn a_target_that_was_taken_away_is_told_by_its_name() {
    for app in TestApp::on_every_database().await {
        published_root(&app).await;
        assert_eq!(app.app.run_publications().await.unwrap(), written(2));
        publish_list(&app).await;
        let one_page = PageRequest { limit: 10, after: None };
        let view = app.app.crls(&call(), &to("root"), &one_page).await.unwrap().items.remove(0);
        assert!(view.lost_targets.is_empty(), "it is there: {view:?}");

        let without = app.restarted_with_targets(&["mirror"], 7).await;
        assert_eq!(without.app.run_publications().await.unwrap(), PublicationReport { written: 0, failed: 1 });
        let view = without.app.crls(&call(), &to("root"), &one_page).await.unwrap().items.remove(0);
        let lost = view.lost_targets.get(&ResourceName::parse("cdn").unwrap()).unwrap();
        assert_eq!(lost.code, "unknown_publication_target");
        assert_eq!(lost.detail, "there is no target `cdn` in the configuration");
        assert!(lost.hint.contains("`[publication.cdn]`") && lost.hint.contains("there are: mirror"), "{lost:?}");
        let list = object(&without, "root-1.crl").await;
        assert_eq!((list.failures, list.last_error.as_deref()), (1, Some(lost.detail.as_str())));

        app.clock.advance(Span::from_s(5));
        let back = app.restarted(8).await;
        assert_eq!(back.app.run_publications().await.unwrap(), written(1), "set up again, it is made good");
        assert_eq!(there(&back).await, here(&back).await);
    }
}
