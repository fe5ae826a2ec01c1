use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca::{CaRenewal, CaRenewalKey};
use certwright_domain::id::AttemptId;
use certwright_domain::key::SealedBlob;
use certwright_domain::managed::{
    AttemptOutcome, CertificateKind, CertificateState, ManagedCertificate, RenewalAttempt, RenewalKey, RenewalSettings,
    rule_for,
};
use certwright_store::{CertificateFilter, Page, VersionSelector};

#[tokio::test]
async fn a_certificate_comes_back_and_its_name_is_free_once_it_is_deleted() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut full = certificate(1, &ca, "web");
    full.state_before_deletion = Some(CertificateState::Disabled);
    full.renewal = RenewalSettings {
        rule: rule_for(Some(days(60)), Some(days(15)), days(90)).unwrap(),
        automatic: false,
        key: RenewalKey::Same,
    };
    full.versions.previous = Some(1);
    full.deletion_at = Some(now().plus(days(3)));
    full.failures = 3;
    let bare = ManagedCertificate {
        kind: CertificateKind::Imported,
        wish: None,
        next_attempt_at: None,
        overdue_at: None,
        exportable: false,
        ..certificate(2, &ca, "brought")
    };
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_certificate(&full).await.unwrap();
    tx.insert_certificate(&bare).await.unwrap();
    assert_eq!(tx.certificate(&reference("web")).await.unwrap(), Some(full.clone()));
    assert_eq!(tx.certificate(&reference(bare.id.as_str())).await.unwrap(), Some(bare.clone()));
    assert_eq!(tx.certificate(&reference("other")).await.unwrap(), None);
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    let again = tx.insert_certificate(&certificate(3, &ca, "web")).await;
    assert_eq!(again, Err(conflict("certificates.name")));
    drop(tx);

    full.state = CertificateState::Deleted;
    let mut tx = store.begin("t").await.unwrap();
    tx.update_certificate(&full).await.unwrap();
    assert_eq!(tx.update_certificate(&full).await, Err(stale("certificates")), "the revision moved on");
    assert_eq!(tx.certificate(&reference("web")).await.unwrap(), None);
    full.revision += 1;
    assert_eq!(tx.certificate(&reference(full.id.as_str())).await.unwrap(), Some(full));
    tx.insert_certificate(&certificate(3, &ca, "web")).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_list_filters_and_pages() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    for (number, called) in [(1, "a"), (2, "b"), (3, "c")] {
        let mut one = certificate(number, &ca, called);
        if called == "b" {
            one.kind = CertificateKind::Imported;
            one.wish = None;
            one.state = CertificateState::Disabled;
        }
        tx.insert_certificate(&one).await.unwrap();
    }
    tx.commit().await.unwrap();
    let names = |page: &Page<ManagedCertificate>| page.items.iter().map(|one| one.name.to_string()).collect::<Vec<_>>();
    let mut read = store.read().await.unwrap();
    let all = CertificateFilter::default();
    let page = read.certificates(&all, &first(2)).await.unwrap();
    assert_eq!(names(&page), ["a", "b"]);
    assert_eq!(names(&read.certificates(&all, &after(2, page.next)).await.unwrap()), ["c"]);
    for (filter, found) in [
        (CertificateFilter { kind: Some(CertificateKind::Imported), ..all.clone() }, vec!["b"]),
        (CertificateFilter { state: Some(CertificateState::Active), ..all.clone() }, vec!["a", "c"]),
        (CertificateFilter { ca_id: Some(ca.id.clone()), ..all.clone() }, vec!["a", "c"]),
    ] {
        assert_eq!(names(&read.certificates(&filter, &first(10)).await.unwrap()), found, "{filter:?}");
    }
    assert_eq!(read.live_certificates(&ca.id).await.unwrap(), 2);
}

#[tokio::test]
async fn the_jobs_lists_hold_what_has_come() {
    let store = fresh().await;
    let (mut ca, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    let mut due = certificate(1, &ca, "due");
    due.next_attempt_at = Some(now());
    let mut failing = certificate(2, &ca, "failing");
    failing.next_attempt_at = Some(now().plus(days(1)));
    failing.failures = 1;
    let mut overdue = certificate(3, &ca, "overdue");
    overdue.overdue_at = Some(now());
    let mut going = certificate(4, &ca, "going");
    going.state = CertificateState::PendingDeletion;
    going.next_attempt_at = None;
    going.deletion_at = Some(now());
    for one in [&due, &failing, &overdue, &going] {
        tx.insert_certificate(one).await.unwrap();
    }
    assert_eq!(tx.due_certificates(now(), 10).await.unwrap(), [due.clone()]);
    assert_eq!(tx.overdue_certificates(now(), 10).await.unwrap(), [overdue]);
    assert_eq!(tx.certificates_to_delete(now(), 10).await.unwrap(), [going]);
    assert_eq!(tx.wake_certificates(&ca.id, now()).await.unwrap(), 2);
    failing.next_attempt_at = Some(now());
    // Also of those that are due: whoever is trying them under what was so before cannot put them off any more.
    failing.revision += 1;
    due.revision += 1;
    assert_eq!(tx.due_certificates(now(), 10).await.unwrap(), [due, failing]);
    assert_eq!(tx.cas_to_renew(now(), 10).await.unwrap(), []);
    ca.renewal =
        Some(CaRenewal { key: CaRenewalKey::Rotate, advance_period: days(30), make_current_after: Some(days(7)) });
    ca.next_renewal_at = Some(now());
    ca.renewal_failures = 2;
    tx.update_ca(&ca).await.unwrap();
    ca.revision += 1;
    assert_eq!(tx.cas_to_renew(now(), 10).await.unwrap(), [ca]);
}

#[tokio::test]
async fn a_version_is_found_by_stage_number_and_name_with_the_revocation_of_the_inventory() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let row = issued(1, &ca);
    let mut web = certificate(1, &ca, "web");
    web.versions.current = Some(2);
    web.versions.previous = Some(1);
    web.versions.latest = 3;
    web.waiting = Some(3);
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_certificate(&web).await.unwrap();
    tx.insert_issued(std::slice::from_ref(&row)).await.unwrap();
    let mut versions = Vec::new();
    for number in 1..=3 {
        let mut version = certificate_version(&web, number, (number == 2).then_some(&row));
        version.name = (number == 3).then(|| name("next"));
        version.csr = (number == 1).then(|| vec![9]);
        tx.insert_certificate_version(&version).await.unwrap();
        versions.push(version);
    }
    tx.change_revocation(&row.id, None, Some(&revocation())).await.unwrap();
    versions[1].revocation = Some(revocation());
    tx.commit().await.unwrap();

    let mut read = store.read().await.unwrap();
    for (selector, number) in [
        (VersionSelector::Current, 2),
        (VersionSelector::Previous, 1),
        (VersionSelector::Latest, 3),
        (VersionSelector::Pending, 3),
        (VersionSelector::Number(1), 1),
        (VersionSelector::Named(name("next")), 3),
    ] {
        for by in ["web", web.id.as_str()] {
            let found = read.certificate_version(&reference(by), &selector).await.unwrap();
            let expected = versions.iter().find(|version| version.number == number).unwrap().clone();
            assert_eq!(found, Some((web.clone(), expected)), "{selector:?} {by}");
        }
    }
    for nothing in [VersionSelector::Number(4), VersionSelector::Named(name("other"))] {
        assert_eq!(read.certificate_version(&reference("web"), &nothing).await.unwrap(), None);
    }
    assert_eq!(read.certificate_of(&row.id).await.unwrap(), Some((web.clone(), 2)));
    assert_eq!(read.certificate_of(&issued(9, &ca).id).await.unwrap(), None);
    let page = read.certificate_versions(&web.id, &first(2)).await.unwrap();
    assert_eq!(page.items.iter().map(|version| version.number).collect::<Vec<_>>(), [3, 2]);
    let rest = read.certificate_versions(&web.id, &after(2, page.next)).await.unwrap();
    assert_eq!(rest.items, [versions[0].clone()]);
    drop(read);

    let mut tx = store.begin("t").await.unwrap();
    let twice = certificate_version(&web, 3, None);
    assert_eq!(tx.insert_certificate_version(&twice).await, Err(conflict("certificate_versions.number")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    tx.delete_certificate_version(&web.id, 1).await.unwrap();
    assert_eq!(tx.delete_certificate_version(&web.id, 1).await, Err(stale("certificate_versions")));
}

#[tokio::test]
async fn keys_of_versions_are_counted_and_destroyed_one_by_one() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let (vault, web) = (vault(9, "v"), certificate(1, &ca, "web"));
    let mut key = key(9, &vault, "k");
    key.latest_version = 2;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault).await.unwrap();
    tx.insert_key(&key).await.unwrap();
    tx.insert_key_version(&key_version(&key, 1, 1)).await.unwrap();
    tx.insert_key_version(&key_version(&key, 2, 1)).await.unwrap();
    tx.insert_certificate(&web).await.unwrap();
    for (number, key_version) in [(1, 1), (2, 1), (3, 2)] {
        let mut version = certificate_version(&web, number, None);
        version.key = Some((key.id.clone(), key_version));
        tx.insert_certificate_version(&version).await.unwrap();
    }
    assert_eq!(tx.certificate_key_uses(&key.id, 1).await.unwrap(), 2);
    assert_eq!(tx.certificate_key_uses(&key.id, 2).await.unwrap(), 1);
    assert_eq!(tx.certificate_keys(&web.id).await.unwrap(), [key.id.clone()]);
    tx.destroy_key_version(&key.id, 1).await.unwrap();
    let left: Vec<bool> =
        tx.key_versions(&key.id).await.unwrap().iter().map(|v| v.sealed != SealedBlob(vec![])).collect();
    assert_eq!(left, [true, false], "newest first");
}

#[tokio::test]
async fn attempts_are_kept_newest_first_and_aged_out() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let attempt = |number: u32, subject: &str| RenewalAttempt {
        id: AttemptId::new(now().plus(days(i64::from(number))), entropy(number)),
        subject_id: subject.to_owned(),
        at: now().plus(days(i64::from(number))),
        outcome: if number.is_multiple_of(2) { AttemptOutcome::Renewed } else { AttemptOutcome::Failed },
        version: number.is_multiple_of(2).then_some(number),
        reason: format!("for {number}"),
    };
    let all: Vec<RenewalAttempt> = (1..=3).map(|number| attempt(number, "a")).collect();
    for one in all.iter().chain([&attempt(4, "b")]) {
        tx.insert_attempt(one).await.unwrap();
    }
    let page = tx.attempts("a", &first(2)).await.unwrap();
    assert_eq!(page.items, [all[2].clone(), all[1].clone()]);
    assert_eq!(tx.attempts("a", &after(2, page.next)).await.unwrap().items, [all[0].clone()]);
    assert_eq!(tx.purge_attempts(now().plus(days(3)), 1).await.unwrap(), 1);
    assert_eq!(tx.attempts("a", &first(9)).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn blocked_keys_are_kept_once_and_found_by_what_is_new() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for (number, epoch) in [(1, 5), (2, 7), (1, 9)] {
        tx.block_key(&sha(number), epoch, now()).await.unwrap();
    }
    assert_eq!(tx.compromised_keys(0).await.unwrap(), [sha(1), sha(2)]);
    assert_eq!(tx.compromised_keys(5).await.unwrap(), [sha(2)]);
    assert_eq!(tx.compromised_keys(7).await.unwrap(), []);
}

#[tokio::test]
async fn the_epoch_is_held_beside_others_who_hold_it() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let held = tx.hold_epoch().await.unwrap();
    assert_eq!(store.read().await.unwrap().epoch().await.unwrap(), held);
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.bump_epoch().await.unwrap(), held + 1);
}
