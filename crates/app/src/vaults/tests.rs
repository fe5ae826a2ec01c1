use super::*;
use certwright_domain::time::Span;

fn now() -> Timestamp {
    Timestamp::from_unix_s(1_790_000_000)
}

fn vault(state: VaultState, deletion_at: Option<Timestamp>) -> Vault {
    Vault {
        id: VaultId::new(now(), [7; 10]),
        name: ResourceName::parse("v").unwrap(),
        state,
        system: false,
        created_at: now(),
        deletion_at,
        revision: 3,
    }
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::Conflict { code, .. }) => code,
        Err(Error::Invalid(faults)) => faults[0].invalid.code,
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("was not refused"),
    }
}

#[test]
fn an_empty_vault_can_be_scheduled_and_comes_back_as_it_was() {
    let active = vault(VaultState::Active, None);
    let wish = VaultChange::ScheduleDeletion(None);
    let scheduled = plan(&active, &wish, false, now()).unwrap().unwrap();
    assert_eq!(scheduled.state, VaultState::PendingDeletion);
    assert_eq!(scheduled.deletion_at, Some(now().plus(Span::from_days(30))));
    let back = plan(&scheduled, &VaultChange::CancelDeletion, false, now()).unwrap().unwrap();
    assert_eq!(back, active);
}

#[test]
fn scheduling_again_is_the_same_answer_unless_another_time_is_asked_for() {
    let at = now().plus(Span::from_days(10));
    let pending = vault(VaultState::PendingDeletion, Some(at));
    for same in [None, Some(at)] {
        assert_eq!(plan(&pending, &VaultChange::ScheduleDeletion(same), true, now()).unwrap(), None);
    }
    let other = VaultChange::ScheduleDeletion(Some(at.plus(Span::from_days(1))));
    assert_eq!(code(plan(&pending, &other, false, now())), "deletion_scheduled");
}

#[test]
fn refusals_name_their_reason() {
    let active = vault(VaultState::Active, None);
    let schedule = |days| VaultChange::ScheduleDeletion(Some(now().plus(Span::from_days(days))));
    assert_eq!(code(plan(&active, &schedule(10), true, now())), "vault_not_empty");
    assert_eq!(code(plan(&active, &schedule(6), false, now())), "invalid_deletion_time");
    assert_eq!(code(plan(&active, &schedule(31), false, now())), "invalid_deletion_time");
    assert_eq!(code(plan(&active, &VaultChange::CancelDeletion, false, now())), "deletion_not_scheduled");
    let over = vault(VaultState::PendingDeletion, Some(now()));
    assert_eq!(code(plan(&over, &VaultChange::CancelDeletion, false, now())), "deletion_final");
}

#[test]
fn renaming_to_the_same_name_changes_nothing() {
    let active = vault(VaultState::Active, None);
    assert_eq!(plan(&active, &VaultChange::Rename(active.name.clone()), true, now()).unwrap(), None);
    let other = ResourceName::parse("w").unwrap();
    assert_eq!(plan(&active, &VaultChange::Rename(other.clone()), true, now()).unwrap().unwrap().name, other);
}
