use crate::cas::root;
use crate::common::{TestApp, call, conflict, name, to, trial};
use certwright_app::{Error, RawCaBundle, to_pem};
use certwright_store::PageRequest;
use certwright_testkit::faults::When;

fn raw(text: &str, certificates: &[&[u8]]) -> RawCaBundle {
    let certificates = certificates.iter().map(|der| to_pem("CERTIFICATE", der)).collect();
    RawCaBundle { name: text.to_owned(), description: String::new(), certificates }
}

async fn roots(app: &TestApp) -> [Vec<u8>; 2] {
    app.app.create_vault(&call(), name("v")).await.unwrap();
    let (one, two) = (root(app, "one").await, root(app, "two").await);
    [one, two].map(|view| view.version.unwrap().version.certificate.unwrap())
}

#[tokio::test]
async fn a_bundle_is_made_read_replaced_and_deleted() {
    for app in TestApp::on_every_database().await {
        let [one, two] = roots(&app).await;
        let made = app.app.create_ca_bundle(&call(), raw("partners", &[&two, &one, &two])).await.unwrap();
        assert_eq!(made.certificates, [two.clone(), one.clone()], "each once, in their order");
        assert_eq!(app.app.ca_bundle(&call(), &to(made.id.as_str())).await.unwrap(), made);
        assert_eq!(conflict(app.app.create_ca_bundle(&call(), raw("partners", &[&one])).await), "name_taken");
        app.app.create_ca_bundle(&call(), raw("others", &[&one])).await.unwrap();

        let replace = async |text: &str, if_match| {
            app.app.replace_ca_bundle(&call(), &to("partners"), raw(text, &[&one]), if_match).await
        };
        assert!(matches!(replace("partners", None).await, Err(Error::PreconditionRequired { current: 1 })));
        assert!(matches!(replace("partners", Some(7)).await, Err(Error::PreconditionFailed { current: 1 })));
        assert_eq!(conflict(replace("others", Some(1)).await), "name_taken");
        let replaced = replace("partners", Some(1)).await.unwrap();
        assert_eq!((replaced.revision, &replaced.certificates), (2, &vec![one.clone()]));
        assert_eq!(replace("partners", Some(2)).await.unwrap(), replaced, "the same wish changes nothing");
        assert_eq!(app.app.ca_bundle(&call(), &to("partners")).await.unwrap(), replaced);

        let stale = app.app.delete_ca_bundle(&call(), &to("partners"), Some(1)).await;
        assert!(matches!(stale, Err(Error::PreconditionFailed { current: 2 })));
        app.app.delete_ca_bundle(&call(), &to("partners"), Some(2)).await.unwrap();
        let gone = app.app.ca_bundle(&call(), &to("partners")).await;
        assert!(matches!(gone, Err(Error::NotFound { kind: "CA bundle", .. })));
        let audited = app.audited().await;
        let bundles: Vec<&str> =
            audited.iter().map(String::as_str).filter(|action| action.starts_with("ca-bundle.")).collect();
        assert_eq!(bundles, ["ca-bundle.create", "ca-bundle.create", "ca-bundle.delete", "ca-bundle.replace"]);
    }
}

#[tokio::test]
async fn a_trial_or_a_broken_commit_changes_nothing() {
    for app in TestApp::on_every_database().await {
        let [one, two] = roots(&app).await;
        app.app.create_ca_bundle(&trial(), raw("partners", &[&one])).await.unwrap();
        app.faults.arm("ca-bundle.create", When::Before);
        assert!(app.app.create_ca_bundle(&call(), raw("partners", &[&one])).await.is_err());
        assert!(app.app.ca_bundle(&call(), &to("partners")).await.is_err());
        let made = app.app.create_ca_bundle(&call(), raw("partners", &[&one])).await.unwrap();
        let other = raw("friends", &[&two]);
        app.app.replace_ca_bundle(&trial(), &to("partners"), other.clone(), Some(1)).await.unwrap();
        app.faults.arm("ca-bundle.replace", When::Before);
        assert!(app.app.replace_ca_bundle(&call(), &to("partners"), other, Some(1)).await.is_err());
        app.app.delete_ca_bundle(&trial(), &to("partners"), None).await.unwrap();
        app.faults.arm("ca-bundle.delete", When::Before);
        assert!(app.app.delete_ca_bundle(&call(), &to("partners"), None).await.is_err());
        assert_eq!(app.app.ca_bundle(&call(), &to("partners")).await.unwrap(), made);
    }
}

#[tokio::test]
async fn a_page_is_bounded_below_the_limit_of_lists() {
    let app = TestApp::sqlite().await;
    let [one, _] = roots(&app).await;
    for number in 0..101 {
        app.app.create_ca_bundle(&call(), raw(&format!("b{number:03}"), &[&one])).await.unwrap();
    }
    let first = app.app.ca_bundles(&call(), &PageRequest { limit: 500, after: None }).await.unwrap();
    assert_eq!(first.items.len(), 100);
    let rest = app.app.ca_bundles(&call(), &PageRequest { limit: 500, after: first.next }).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
}
