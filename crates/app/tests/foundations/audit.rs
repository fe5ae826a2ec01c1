use crate::common::*;
use certwright_app::{App, Call, ExportVerdict, NewToken, verify_export};
use certwright_domain::name::ResourceName;
use certwright_domain::time::Span;
use certwright_store::{AuditFilter, PageRequest};
use certwright_testkit::faults::When;

async fn events(app: &App, action: &str) -> Vec<certwright_domain::audit::StoredAuditEvent> {
    let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
    app.audit_events(&call(), &filter, &PageRequest { limit: 100, after: None }).await.unwrap().items
}

async fn export(app: &App) -> String {
    let mut export = app.export_audit(&call(), None).await.unwrap();
    let mut text = String::new();
    while let Some(part) = export.next().await.unwrap() {
        text.push_str(&part);
    }
    text
}

/// A call with a new token.
async fn token_call(app: &TestApp, called: &str) -> Call {
    let name = ResourceName::parse(called).unwrap();
    let new = NewToken { name, user: None, expires_at: None, scopes: Vec::new(), bound_to: None };
    let (_, text) = app.app.create_token(&call(), new).await.unwrap();
    Call::new(app.app.authenticate(text.expose()).await.unwrap(), "r")
}

fn verified(text: &str) -> ExportVerdict {
    verify_export(text.as_bytes(), &[]).unwrap()
}

#[tokio::test]
async fn a_trail_is_verified_here_and_elsewhere() {
    let app = TestApp::sqlite().await;
    app.app.first_admin_token().await.unwrap();
    app.app.last_checkpoint().await.unwrap();
    // The key of the checkpoints was made by the first one: the next has its event.
    app.app.last_checkpoint().await.unwrap();
    let found = app.app.verify_audit(&call(), None, 1).await.unwrap();
    assert_eq!((found.faults, found.next), (vec![], None));
    assert!(found.events >= 3 && found.checkpoint == Some(2), "{} {:?}", found.events, found.checkpoint);
    let text = export(&app.app).await;
    let verdict = verified(&text);
    assert_eq!((verdict.faults, verdict.events), (vec![], found.events));
    // What has other keys is not ours.
    let other = verify_export(text.as_bytes(), &[vec![1, 2, 3]]).unwrap();
    assert_eq!(other.faults.first().unwrap().1.kind.as_str(), "FORGED_CHECKPOINT");
    let lines: Vec<&str> = text.lines().collect();
    let events: Vec<usize> = (0..lines.len()).filter(|n| lines[*n].contains("\"type\":\"event\"")).collect();
    for (place, kind) in [(0, "MISSING"), (events.len() - 1, "TRUNCATED")] {
        let mut cut = lines.clone();
        cut.remove(events[place]);
        assert_eq!(verified(&cut.join("\n")).faults.first().unwrap().1.kind.as_str(), kind);
    }
    let mut swapped = lines.clone();
    swapped.swap(events[0], events[1]);
    let (_, fault) = verified(&swapped.join("\n")).faults.remove(0);
    assert_eq!((fault.kind.as_str(), fault.sequence), ("REORDERED", 1));
    let changed = text.replacen("token.create", "token.revoke", 1);
    let (line, fault) = verified(&changed).faults.remove(0);
    assert_eq!(fault.kind.as_str(), "MODIFIED");
    assert!(changed.lines().nth(line.unwrap() - 1).unwrap().contains(&fault.event.unwrap()));
    let end = lines[..lines.len() - 1].join("\n");
    assert_eq!(verified(&end).faults.remove(0).1.kind.as_str(), "TRUNCATED");
}

#[tokio::test]
async fn failed_logins_of_an_address_are_summed_up() {
    let app = TestApp::sqlite().await;
    let one = Some("192.0.2.7".parse().unwrap());
    for _ in 0..500 {
        app.app.note_failed_login(one, "request-1", "token");
    }
    for host in ["2001:db8::1", "2001:db8::2"] {
        app.app.note_failed_login(Some(host.parse().unwrap()), "request-2", "token");
    }
    app.app.write_refusals(false).await.unwrap();
    assert_eq!(events(&app.app, "login").await.len(), 2, "the first of each neighbourhood");
    app.app.settle().await;
    let all = events(&app.app, "login").await;
    assert!(all.iter().all(|event| event.outcome == "FAILED" && event.actor == "anonymous"));
    let mut details: Vec<&str> = all.iter().map(|event| event.details.as_str()).collect();
    details.sort_unstable();
    assert_eq!(details, [r#"{"count":"1"}"#, r#"{"count":"1"}"#, r#"{"count":"1"}"#, r#"{"count":"499"}"#]);
}

#[tokio::test]
async fn refusals_to_one_caller_are_summed_up() {
    for app in TestApp::on_every_database().await {
        let (one, other) = (token_call(&app, "one").await, token_call(&app, "other").await);
        let refuse = |call: &Call| app.app.note_refusal(call, "certificate.issue", ("ca", "issuing-1"), "names.dns");
        for _ in 0..500 {
            refuse(&one);
        }
        refuse(&other);
        app.app.write_refusals(false).await.unwrap();
        assert_eq!(events(&app.app, "certificate.issue").await.len(), 61, "sixty of the one, and the other's");
        assert!(events(&app.app, "refusals").await.is_empty());
        app.clock.advance(Span::from_s(60));
        app.app.write_refusals(false).await.unwrap();
        let sums = events(&app.app, "refusals").await;
        let [sum] = &sums[..] else { panic!("{sums:?}") };
        assert_eq!((sum.details.as_str(), sum.actor.as_str()), (r#"{"count":"440"}"#, one.caller.id().as_str()));
        assert_eq!((sum.outcome.as_str(), sum.door.as_str()), ("REFUSED", "token"));
        // The next minute begins anew.
        refuse(&one);
        app.app.settle().await;
        assert_eq!(events(&app.app, "certificate.issue").await.len(), 62);
        assert_eq!(verified(&export(&app.app).await).faults.len(), 0);
    }
}

#[tokio::test]
async fn a_full_queue_counts_what_it_drops() {
    let app = TestApp::sqlite().await;
    // Sixty refusals of a caller in a minute are told one by one.
    let mut callers = Vec::new();
    for number in 0..18 {
        callers.push(token_call(&app, &format!("t{number}")).await);
    }
    app.app.settle().await;
    for number in 0..1030 {
        let call = callers.get(number / 60).unwrap();
        app.app.note_refusal(call, "certificate.issue", ("ca", "issuing-1"), "names.dns\r\n\u{1b}[31m");
    }
    app.app.settle().await;
    assert_eq!(events(&app.app, "audit.dropped").await.first().unwrap().details, r#"{"count":"6"}"#);
    let refused = events(&app.app, "certificate.issue").await.remove(0);
    assert_eq!((refused.outcome.as_str(), refused.door.as_str()), ("REFUSED", "token"));
    // Control characters stay inside their line.
    let text = export(&app.app).await;
    let verdict = verified(&text);
    assert!(!text.contains(['\r', '\u{1b}']));
    let of = |what: &str| text.lines().filter(|line| line.contains(what)).count();
    assert_eq!((verdict.faults.len(), verdict.events), (0, of("\"type\":\"event\"") as u64));
    assert_eq!((of("\"certificate.issue\""), of("\"audit.dropped\"")), (1024, 1));
}

#[tokio::test]
async fn refusals_survive_commits_that_were_not_heard_of() {
    for app in TestApp::on_every_database().await {
        let mut callers = Vec::new();
        for number in 0..30 {
            callers.push(token_call(&app, &format!("t{number}")).await);
        }
        // So many that each of these callers is told of one by one.
        let refuse = |from: usize, count: usize| {
            for number in from..from + count {
                let call = callers.get(number / 60).unwrap();
                app.app.note_refusal(call, "certificate.issue", ("ca", "issuing-1"), "names.dns");
            }
        };
        let written = async || {
            let mut ids = std::collections::HashSet::new();
            let mut after = None;
            loop {
                let filter = AuditFilter { action: Some("certificate.issue".to_owned()), ..AuditFilter::default() };
                let page = app.app.audit_events(&call(), &filter, &PageRequest { limit: 500, after }).await.unwrap();
                ids.extend(page.items.into_iter().map(|event| event.id));
                after = page.next;
                if after.is_none() {
                    return ids.len();
                }
            }
        };
        refuse(0, 100);
        app.faults.arm("audit.refusals", When::After);
        assert!(app.app.write_refusals(false).await.is_err());
        assert_eq!(written().await, 100, "they are stored, but nobody heard of it");
        // More than one transaction takes with the others, and more than may wait.
        refuse(100, 1024 + 7);
        app.app.write_refusals(false).await.unwrap();
        assert_eq!(written().await, 100 + 1024);
        assert_eq!(events(&app.app, "audit.dropped").await.first().unwrap().details, r#"{"count":"7"}"#);

        // The count of what was dropped is in doubt as well: it is told once, whichever way the commit failed.
        for when in [When::After, When::Before] {
            app.clock.advance(Span::from_minutes(2));
            app.app.write_refusals(true).await.unwrap();
            let (before, told) = (written().await, events(&app.app, "audit.dropped").await.len());
            refuse(0, 1024 + 3);
            app.faults.arm("audit.refusals", when);
            assert!(app.app.write_refusals(false).await.is_err());
            refuse(1200, 10);
            app.app.write_refusals(false).await.unwrap();
            assert!(app.faults.is_spent());
            assert_eq!(written().await, before + 1024 + 10);
            assert_eq!(events(&app.app, "audit.dropped").await.len(), told + 1);
        }
        assert_eq!(verified(&export(&app.app).await).faults.len(), 0);
    }
}
