use crate::common::{TestApp, call, conflict, name, to, trial};
use certwright_app::Error;
use certwright_domain::name::Reference;
use certwright_domain::profile::{BUILT_IN, Profile, RawNameLimits, RawProfile};
use certwright_store::PageRequest;
use certwright_testkit::faults::When;

fn raw(text: &str) -> RawProfile {
    RawProfile {
        name: text.to_owned(),
        usages: vec!["serverAuth".to_owned()],
        max_validity: Some("P30D".to_owned()),
        names: RawNameLimits { dns: Some(vec!["*.example.com".to_owned()]), ..RawNameLimits::default() },
        ..RawProfile::default()
    }
}

#[tokio::test]
async fn a_profile_is_made_read_replaced_and_deleted() {
    for app in TestApp::on_every_database().await {
        let made = app.app.create_profile(&call(), raw("web")).await.unwrap();
        assert_eq!(made.profile, Profile::new(raw("web")).unwrap());
        assert_eq!(app.app.profile(&call(), &to("web")).await.unwrap(), made);
        assert_eq!(conflict(app.app.create_profile(&call(), raw("web")).await), "name_taken");

        let wider = RawProfile { max_validity: Some("P60D".to_owned()), ..raw("web") };
        let replace = async |if_match| app.app.replace_profile(&call(), &to("web"), wider.clone(), if_match).await;
        assert!(matches!(replace(None).await, Err(Error::PreconditionRequired { current: 1 })));
        assert!(matches!(replace(Some(7)).await, Err(Error::PreconditionFailed { current: 1 })));
        let replaced = replace(Some(1)).await.unwrap();
        assert_eq!((replaced.revision, replaced.profile.clone()), (2, Profile::new(wider.clone()).unwrap()));
        assert_eq!(replace(Some(2)).await.unwrap(), replaced, "the same wish changes nothing");

        let stale = app.app.delete_profile(&call(), &to("web"), Some(1)).await;
        assert!(matches!(stale, Err(Error::PreconditionFailed { current: 2 })));
        app.app.delete_profile(&call(), &to("web"), Some(2)).await.unwrap();
        let gone = app.app.profile(&call(), &to("web")).await;
        assert!(matches!(gone, Err(Error::NotFound { kind: "profile", .. })));
        assert_eq!(app.audited().await, ["profile.create", "profile.delete", "profile.replace"]);
    }
}

#[tokio::test]
async fn a_replacement_may_rename_but_not_to_a_taken_name() {
    for app in TestApp::on_every_database().await {
        let made = app.app.create_profile(&call(), raw("web")).await.unwrap();
        app.app.create_profile(&call(), raw("other")).await.unwrap();
        let id = to(made.id.as_ref().unwrap().as_str());
        let rename = |reference: Reference, text: &'static str, revision| {
            let app = app.app.clone();
            async move { app.replace_profile(&call(), &reference, raw(text), Some(revision)).await }
        };
        assert_eq!(conflict(rename(id.clone(), "other", 1).await), "name_taken");
        assert_eq!(conflict(rename(id.clone(), "tls-server", 1).await), "name_taken");
        assert_eq!(rename(id.clone(), "", 1).await.unwrap(), made, "without a name it keeps its own");
        assert_eq!(rename(id.clone(), "edge", 1).await.unwrap().profile.name(), &name("edge"));
        assert!(app.app.profile(&call(), &to("web")).await.is_err());
    }
}

#[tokio::test]
async fn built_in_profiles_are_there_and_stay_as_they_are() {
    let app = TestApp::sqlite().await;
    for text in BUILT_IN {
        let profile = app.app.profile(&call(), &to(text)).await.unwrap();
        assert_eq!((profile.id.is_none(), profile.revision), (true, 0));
        assert_eq!(conflict(app.app.create_profile(&call(), raw(text)).await), "name_taken");
        let replaced = app.app.replace_profile(&call(), &to(text), raw(text), Some(0)).await;
        assert_eq!(conflict(replaced), "built_in_profile");
        assert_eq!(conflict(app.app.delete_profile(&call(), &to(text), None).await), "built_in_profile");
    }
}

#[tokio::test]
async fn the_list_begins_with_the_built_in_profiles_whatever_the_page_size() {
    for app in TestApp::on_every_database().await {
        for text in ["b", "a", "c"] {
            app.app.create_profile(&call(), raw(text)).await.unwrap();
        }
        let mut expected: Vec<&str> = BUILT_IN.to_vec();
        expected.extend(["a", "b", "c"]);
        for limit in [1, 2, 3, 4, 5, 7, 500] {
            let mut met = Vec::new();
            let mut page = PageRequest { limit, after: None };
            loop {
                let got = app.app.profiles(&call(), &page).await.unwrap();
                assert!(got.items.len() <= limit as usize);
                met.extend(got.items.into_iter().map(|item| item.profile.name().to_string()));
                page.after = got.next;
                if page.after.is_none() {
                    break;
                }
            }
            assert_eq!(met, expected, "limit {limit}");
        }
    }
}

#[tokio::test]
async fn every_fault_of_a_profile_is_listed_with_its_place() {
    let app = TestApp::sqlite().await;
    let wrong = RawProfile { name: "a b".to_owned(), usages: vec!["flying".to_owned()], ..raw("x") };
    match app.app.create_profile(&call(), wrong).await {
        Err(Error::Invalid(faults)) => {
            let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
            assert!(pointers.contains(&"/name") && pointers.contains(&"/usages/0"), "{pointers:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_trial_or_a_broken_commit_changes_nothing() {
    for app in TestApp::on_every_database().await {
        app.app.create_profile(&trial(), raw("web")).await.unwrap();
        app.faults.arm("profile.create", When::Before);
        assert!(app.app.create_profile(&call(), raw("web")).await.is_err());
        assert!(app.app.profile(&call(), &to("web")).await.is_err());
        assert!(app.audited().await.is_empty());
        let made = app.app.create_profile(&call(), raw("web")).await.unwrap();
        app.app.delete_profile(&trial(), &to("web"), None).await.unwrap();
        app.faults.arm("profile.delete", When::Before);
        assert!(app.app.delete_profile(&call(), &to("web"), None).await.is_err());
        assert_eq!(app.app.profile(&call(), &to("web")).await.unwrap(), made);
        assert_eq!(app.audited().await, ["profile.create"]);
    }
}
