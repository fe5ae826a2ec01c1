//! What a CA may say of its publication, and what certificates of before go on finding.

use crate::publication::{placed, publication, publish_at};
use crate::support::*;
use certwright_app::{Error, NewCaKind, NewRules, UpdateCa};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::DeltaSettings;
use certwright_domain::crl::{CrlKind, Shards};
use certwright_domain::name::ResourceName;
use certwright_domain::publication::Publication;
use certwright_domain::revocation::RevocationReason as R;
use certwright_domain::time::Span;
use certwright_pki::read_certificate;

fn invalid<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, &'static str, String) {
    match result {
        Err(Error::Invalid(faults)) => {
            let fault = faults.into_iter().next().unwrap();
            (fault.pointer, fault.invalid.code, fault.invalid.hint)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_targets_that_exist_are_taken() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    let (pointer, code, hint) = invalid(publish_at(&app, "root", Some(publication("nowhere", "root"))).await);
    assert_eq!((pointer.as_str(), code), ("/revocation/publication/target", "unknown_publication_target"));
    assert_eq!(hint, "Choose one of: cdn, mirror.");
    for call in [call(), trial()] {
        let kind = NewCaKind::Root(crate::kit::own("other-key", "Other"), lasting(100));
        let mut new = crate::kit::ca("other", kind, NewRules::default());
        new.publication = Some(publication("nowhere", "other"));
        assert_eq!(invalid(app.app.create_ca(&call, new).await).1, "unknown_publication_target");
    }
}

#[tokio::test]
async fn a_name_belongs_to_one_ca() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        subordinate(&app, NewRules::default()).await;
        publish_at(&app, "root", Some(publication("cdn", "ca"))).await.unwrap();
        for format in ["ca-{}.crl", "ca-1{}.crl"] {
            let target = ResourceName::parse("cdn").unwrap();
            let wish = Publication::new(target, placed(format, &[]), None, None).unwrap();
            let refused = publish_at(&app, "issuing", Some(wish)).await;
            assert!(
                matches!(&refused, Err(Error::Conflict { detail, .. }) if detail.contains("CA root")),
                "{refused:?}"
            );
            assert_eq!(conflict(refused), "object_name_taken");
        }
        publish_at(&app, "issuing", Some(publication("mirror", "ca"))).await.unwrap();
        publish_at(&app, "root", None).await.unwrap();
        publish_at(&app, "issuing", Some(publication("cdn", "ca"))).await.unwrap();
        app.app.run_crls().await.unwrap();
        assert_eq!(app.app.run_publications().await.unwrap().written, 2, "the name has changed hands");
    }
}

#[tokio::test]
async fn two_nodes_do_not_give_one_name_twice() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        with_root(&one).await;
        subordinate(&one, NewRules::default()).await;
        let (first, second) = tokio::join!(
            publish_at(&one, "root", Some(publication("cdn", "ca"))),
            publish_at(&two, "issuing", Some(publication("cdn", "ca"))),
        );
        assert_ne!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
    }
}

#[tokio::test]
async fn two_new_cas_do_not_get_one_name() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        one.app.create_vault(&call(), crate::kit::name("v")).await.unwrap();
        let create = async |app: &TestApp, called: &str| {
            crate::kit::key(app, called, KeyAlgorithm::EcdsaP256).await;
            let kind = NewCaKind::Root(crate::kit::own(called, called), lasting(100));
            let mut new = crate::kit::ca(called, kind, NewRules::default());
            new.publication = Some(publication("cdn", "ca"));
            app.app.create_ca(&call(), new).await.map(drop)
        };
        let (first, second) = tokio::join!(create(&one, "first"), create(&two, "second"));
        assert_ne!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
    }
}

#[tokio::test]
async fn shards_need_names_of_their_own() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    let revision = async || app.app.ca(&call(), &to("root")).await.unwrap().ca.revision;
    publish_at(&app, "root", Some(publication("cdn", "root"))).await.unwrap();
    let revocation = app.app.ca(&call(), &to("root")).await.unwrap().ca.revocation;
    let cut = certwright_domain::ca::RevocationSettings { crl_shards: Shards::new(4).unwrap(), ..revocation };
    let update = UpdateCa { revocation: Some(cut), ..UpdateCa::default() };
    let refused = app.app.update_ca(&call(), &to("root"), update.clone(), Some(revision().await)).await;
    let (pointer, code, hint) = invalid(refused);
    assert_eq!((pointer.as_str(), code), ("/revocation/publication/objectNameFormat", "format_without_shard"));
    assert!(hint.contains("{shard}"));
    let target = ResourceName::parse("cdn").unwrap();
    let list = placed("root-{}-{shard}.crl", &["http://cdn.example.com/root-{}-{shard}.crl"]);
    let sharded = Publication::new(target, list, None, None).unwrap();
    let update = UpdateCa { publication: Some(Some(sharded)), ..update };
    app.app.update_ca(&call(), &to("root"), update, Some(revision().await)).await.unwrap();
    app.app.run_crls().await.unwrap();
    app.app.run_publications().await.unwrap();
    let cut: Vec<String> = app.bucket.names().into_iter().filter(|name| name.contains("-4-")).collect();
    assert_eq!(cut, (0..4).map(|shard| format!("root-1-4-{shard}.crl")).collect::<Vec<_>>());

    // A certificate names the shard under which its list is found, and the list says that it is the one.
    let row = leaf(&app, "root", "a.example.com").await;
    revoke(&app, &row, R::Superseded).await;
    publish(&app).await;
    app.app.run_publications().await.unwrap();
    let urls: Vec<String> = uris(&row.certificate).into_iter().filter(|uri| uri.contains("cdn")).collect();
    let [url] = urls.as_slice() else { panic!("{urls:?}") };
    let object = app.bucket.get(url.rsplit('/').next().unwrap()).unwrap();
    let issuer = read_certificate(&app.app.ca_certificate(&to("root"), None).await.unwrap()).unwrap();
    let list = certwright_pki::read_crl(&object.bytes, &issuer).unwrap();
    assert!(list.entries().any(|entry| entry.serial == row.serial));
    let names = &list.scope().unwrap().uris;
    assert!(names.contains(url) && names.iter().any(|name| name.starts_with("http://pki.example.com/")), "{names:?}");
}

#[tokio::test]
async fn certificates_of_before_find_what_they_name_until_they_expire() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        publish_at(&app, "root", Some(publication("cdn", "old"))).await.unwrap();
        app.app.run_crls().await.unwrap();
        let row = leaf(&app, "root", "a.example.com").await;
        publish_at(&app, "root", Some(publication("mirror", "new"))).await.unwrap();
        app.app.run_crls().await.unwrap();
        assert_eq!(app.app.run_publications().await.unwrap().written, 4);
        revoke(&app, &row, R::Superseded).await;
        publish(&app).await;
        assert_eq!(app.app.run_publications().await.unwrap().written, 2, "both names");
        let list = |name: &str| app.bucket.get(name).unwrap().bytes;
        assert_eq!(list("old-1.crl"), list("new-1.crl"));
        let overlapping = Publication::new(ResourceName::parse("cdn").unwrap(), placed("old-1{}.crl", &[]), None, None);
        assert_eq!(conflict(publish_at(&app, "root", Some(overlapping.unwrap())).await), "object_name_taken");

        // Back, and forth: the same formats go on.
        publish_at(&app, "root", Some(publication("cdn", "old"))).await.unwrap();
        publish_at(&app, "root", Some(publication("mirror", "new"))).await.unwrap();
        assert_eq!(app.store.read().await.unwrap().past_publications(&row.ca_id).await.unwrap().len(), 1);

        app.clock.advance(Span::from_days(31));
        app.app.run_jobs().await.unwrap();
        app.app.run_crls().await.unwrap();
        assert_eq!(app.app.run_publications().await.unwrap().written, 1, "nobody names the old one any more");
        assert_ne!(list("old-1.crl"), list("new-1.crl"));
        assert!(app.bucket.names().contains(&"old-1.crl".to_owned()), "what is there stays there");
    }
}

#[tokio::test]
async fn earlier_publications_are_bounded_and_off_means_off() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    leaf(&app, "root", "a.example.com").await;
    for number in 0..=Publication::MAX_PAST {
        publish_at(&app, "root", Some(publication("cdn", &format!("n{number}")))).await.unwrap();
    }
    let one_more = Some(publication("cdn", "more"));
    assert_eq!(conflict(publish_at(&app, "root", one_more.clone()).await), "too_many_publications");
    publish_at(&app, "root", Some(publication("cdn", "n3"))).await.unwrap();
    publish_at(&app, "root", None).await.unwrap();
    app.app.run_crls().await.unwrap();
    assert_eq!(app.app.run_publications().await.unwrap().written, 0);
    let row = leaf(&app, "root", "b.example.com").await;
    assert!(uris(&row.certificate).iter().all(|uri| uri.starts_with("http://pki.example.com/")));
    publish_at(&app, "root", one_more).await.unwrap();
}

#[tokio::test]
async fn delta_lists_are_published_and_named() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    offer(&app, "root", |settings| settings.delta = Some(DeltaSettings::DEFAULT)).await;
    let target = ResourceName::parse("cdn").unwrap();
    let delta = placed("delta-{}.crl", &["http://cdn.example.com/delta-{}.crl"]);
    let wish = Publication::new(target, placed("full-{}.crl", &[]), Some(delta), None).unwrap();
    publish_at(&app, "root", Some(wish)).await.unwrap();
    publish(&app).await;
    app.app.run_publications().await.unwrap();
    assert_eq!(app.bucket.names(), ["delta-1.crl", "full-1.crl"]);
    let served = served(&app, "root", CrlKind::Delta, WHOLE).await.unwrap().der;
    assert_eq!(app.bucket.get("delta-1.crl").unwrap().bytes, served);
    let full = app.bucket.get("full-1.crl").unwrap().bytes;
    assert!(String::from_utf8_lossy(&full).contains("http://cdn.example.com/delta-1.crl"), "the freshest list");
    let row = leaf(&app, "root", "a.example.com").await;
    let urls = uris(&row.certificate);
    assert!(
        urls.iter().all(|uri| uri.starts_with("http://pki.example.com/")),
        "none was given for full lists: {urls:?}"
    );
}
