use crate::cas::{leaf, root, subordinate};
use crate::common::{TestApp, call, name, to, trial};
use certwright_app::{Call, RenewCa};
use certwright_domain::event::{Event, EventKind};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::time::Span;
use certwright_domain::validity::RequestedValidity;
use certwright_store::{EventFilter, PageRequest};
use certwright_testkit::faults::When;

/// Every event, oldest first where the clock moved in between.
async fn told(app: &TestApp) -> Vec<Event> {
    let page = PageRequest { limit: 500, after: None };
    let mut events = app.store.read().await.unwrap().events(&EventFilter::default(), &page).await.unwrap().items;
    events.reverse();
    events
}

async fn kinds(app: &TestApp) -> Vec<EventKind> {
    let mut kinds: Vec<EventKind> = told(app).await.into_iter().map(|event| event.kind).collect();
    kinds.sort();
    kinds
}

fn detail<'e>(event: &'e Event, name: &str) -> &'e str {
    event.details.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap()
}

#[tokio::test]
async fn a_ca_tells_of_its_life() {
    for app in TestApp::on_every_database().await {
        app.app.create_vault(&call(), name("v")).await.unwrap();
        root(&app, "root").await;
        app.clock.advance(Span::from_minutes(1));
        let made = subordinate(&app, "issuing", "root").await;
        let events = told(&app).await;
        assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::CaIssued; 2]);
        let event = &events[1];
        assert_eq!((event.subject_kind.as_str(), event.subject_id.as_str()), ("ca", made.ca.id.as_str()));
        assert_eq!((event.subject_name.as_str(), event.request_id.as_str()), ("issuing", "test"));
        assert_eq!((detail(event, "type"), detail(event, "version")), ("SUBORDINATE", "1"));
        assert_eq!(detail(event, "serial"), made.version.unwrap().version.serial.unwrap().to_string());

        let renew = |make_current| RenewCa { validity: RequestedValidity::DEFAULT, rotate_key: false, make_current };
        app.app.renew_ca(&trial(), &to("issuing"), renew(false)).await.unwrap();
        assert_eq!(told(&app).await.len(), 2, "a trial tells nothing");
        app.app.renew_ca(&call(), &to("issuing"), renew(false)).await.unwrap();
        app.app.make_ca_version_current(&call(), &to("issuing"), 2).await.unwrap();
        let reason = RevocationReason::Superseded;
        app.app.revoke_ca_version(&call(), &to("issuing"), 1, reason).await.unwrap();
        app.app.schedule_ca_deletion(&call(), &to("issuing"), None).await.unwrap();
        app.clock.advance(Span::from_days(31));
        app.app.run_jobs().await.unwrap();
        use EventKind::{CaDeleted, CaIssued, CaRenewed, CaRevoked, CaVersionMadeCurrent};
        assert_eq!(kinds(&app).await, [CaIssued, CaIssued, CaRenewed, CaVersionMadeCurrent, CaRevoked, CaDeleted]);
    }
}

#[tokio::test]
async fn a_revocation_is_told_with_its_change_or_not_at_all() {
    for app in TestApp::on_every_database().await {
        app.app.create_vault(&call(), name("v")).await.unwrap();
        root(&app, "root").await;
        let row = leaf(&app, "root", "a.example.com", 30).await;
        assert_eq!(kinds(&app).await, [EventKind::CaIssued], "a certificate issued in one shot tells nothing");
        let (serial, reason) = (row.serial.to_string(), RevocationReason::Superseded);
        let revoke = async |call: Call| app.revoke(&call, &serial, reason).await;
        revoke(trial()).await.unwrap();
        app.faults.arm("issued-certificate.revoke", When::Before);
        assert!(revoke(call()).await.is_err());
        assert_eq!(told(&app).await.len(), 1);
        revoke(call()).await.unwrap();
        revoke(call()).await.unwrap();
        let events = told(&app).await;
        let [event] = events.iter().filter(|it| it.kind == EventKind::CertificateRevoked).collect::<Vec<_>>()[..]
        else {
            panic!("once: {events:?}")
        };
        assert_eq!((event.subject_id.as_str(), detail(event, "reason")), (serial.as_str(), "superseded"));
    }
}
