use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn facts() -> RenewalFacts {
    RenewalFacts {
        kind: CertificateKind::Internal,
        state: CertificateState::Active,
        automatic: true,
        validity: Some(Validity::new(at("2026-01-01T00:00:00Z"), at("2026-03-31T23:59:59Z")).unwrap()),
        renew_at: Some(at("2026-03-02T00:00:00Z")),
        revoked: false,
        pending: false,
    }
}

#[test]
fn due_at_its_time_and_not_before() {
    let due = at("2026-03-02T00:00:00Z");
    assert_eq!(plan_renewal(&facts(), due.minus(Span::from_ms(1))), RenewalOutlook::At(due));
    assert_eq!(plan_renewal(&facts(), due), RenewalOutlook::Due);
    assert_eq!(plan_renewal(&facts(), at("2027-01-01T00:00:00Z")), RenewalOutlook::Due);
}

#[test]
fn what_the_job_leaves_alone() {
    let now = at("2026-03-10T00:00:00Z");
    for (change, word) in [
        (RenewalFacts { kind: CertificateKind::Csr, ..facts() }, "CSR"),
        (RenewalFacts { kind: CertificateKind::Imported, ..facts() }, "imported"),
        (RenewalFacts { state: CertificateState::Disabled, ..facts() }, "disabled"),
        (RenewalFacts { state: CertificateState::PendingDeletion, ..facts() }, "deletion"),
        (RenewalFacts { automatic: false, ..facts() }, "switched off"),
        (RenewalFacts { revoked: true, ..facts() }, "revoked"),
        (RenewalFacts { pending: true, ..facts() }, "made current"),
        (RenewalFacts { renew_at: None, ..facts() }, "no current version"),
    ] {
        match plan_renewal(&change, now) {
            RenewalOutlook::Never(why) => assert!(why.contains(word), "{why} / {word}"),
            other => panic!("{other:?} for {word}"),
        }
    }
}

#[test]
fn retries_double_up_to_an_hour_and_hurry_near_the_end() {
    let now = at("2026-03-10T00:00:00Z");
    let far = Some(at("2027-03-10T00:00:00Z"));
    let minutes = |failures, end| retry_at(failures, end, now).ms_since(now) / 60_000;
    assert_eq!([1, 2, 3, 6, 7, 40].map(|failures| minutes(failures, far)), [1, 2, 4, 32, 60, 60]);
    // Sixteen minutes are left: a minute each.
    assert_eq!(minutes(9, Some(now.plus(Span::from_minutes(16)))), 1);
    assert_eq!(minutes(9, Some(now.plus(Span::from_hours(8)))), 30);
    // Past the end it goes on, but not all the time.
    assert_eq!(minutes(9, Some(now.minus(Span::from_hours(8)))), 1);
}

#[test]
fn fixed_dates_are_renewed_by_their_distance() {
    let wish = |validity| Wish {
        ca: CaId::new(at("2026-01-01T00:00:00Z"), [1; 10]),
        profile: ResourceName::parse("tls-server").unwrap(),
        subject: None,
        names: None,
        key_algorithm: None,
        validity,
        csr: None,
    };
    let so_far = facts().validity.unwrap();
    let fixed = RequestedValidity {
        not_before: Some(at("2026-01-01T00:00:00Z")),
        end: RequestedEnd::NotAfter(at("2026-03-31T23:59:59Z")),
    };
    let ninety = RequestedValidity { not_before: None, end: RequestedEnd::Duration(Span::from_days(90)) };
    assert_eq!(wish(fixed).renewed_validity(Some(&so_far)), ninety);
    assert_eq!(wish(ninety).renewed_validity(Some(&so_far)), ninety);
    assert_eq!(wish(RequestedValidity::DEFAULT).renewed_validity(Some(&so_far)), RequestedValidity::DEFAULT);
}

#[test]
fn certificates_wait_one_to_thirty_days_for_their_deletion() {
    let now = at("2026-01-01T00:00:00Z");
    assert_eq!(deletion_time(now, None), Ok(now.plus(Span::from_days(30))));
    assert!(deletion_time(now, Some(now.plus(Span::from_days(1)))).is_ok());
    let refused = deletion_time(now, Some(now.plus(Span::from_hours(23)))).unwrap_err();
    assert!(refused.detail.contains("between 1 and 30 days"), "{refused}");
}

proptest! {
    #[test]
    fn a_retry_is_always_later_and_never_more_than_an_hour(failures in 1_u32..100, left in -1_000_000_i64..10_000_000) {
        let now = at("2026-03-10T00:00:00Z");
        let next = retry_at(failures, Some(now.plus(Span::from_s(left.max(0))).minus(Span::from_s(left.saturating_neg().max(0)))), now);
        prop_assert!(next.ms_since(now) >= 60_000 && next.ms_since(now) <= 3_600_000);
    }
}
