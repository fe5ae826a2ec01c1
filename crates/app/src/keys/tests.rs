use super::*;
use certwright_domain::ca::{CaRules, CaType, RevocationSettings};
use certwright_domain::dn::DistinguishedName;
use certwright_domain::id::{CaId, VaultId};
use certwright_domain::stage::VersionPointers;
use certwright_domain::time::Span;

fn now() -> Timestamp {
    Timestamp::from_unix_s(1_790_000_000)
}

fn vault(state: VaultState) -> Vault {
    Vault {
        id: VaultId::new(now(), [7; 10]),
        name: ResourceName::parse("v").unwrap(),
        state,
        system: false,
        created_at: now(),
        deletion_at: None,
        revision: 1,
    }
}

fn key(state: KeyState) -> Key {
    Key {
        id: KeyId::new(now(), [8; 10]),
        vault_id: VaultId::new(now(), [7; 10]),
        name: ResourceName::parse("k").unwrap(),
        algorithm: KeyAlgorithm::EcdsaP256,
        protection: Protection::Software,
        state,
        state_before_deletion: None,
        used_by_ca: None,
        latest_version: 1,
        created_at: now(),
        deletion_at: None,
        revision: 1,
    }
}

fn ca(state: CaState) -> Ca {
    Ca {
        id: CaId::new(now(), [9; 10]),
        name: ResourceName::parse("root").unwrap(),
        ca_type: CaType::Root,
        state,
        state_before_deletion: None,
        system: false,
        issuer_id: None,
        key: None,
        signature_algorithm: None,
        subject: DistinguishedName::new(Vec::new()).unwrap(),
        rules: CaRules {
            leaf_max_validity: CaRules::LEAF_MAX,
            subordinate_max_validity: CaRules::SUBORDINATE_MAX,
            path_length: None,
            name_constraints: None,
        },
        revocation: RevocationSettings::default(),
        versions: VersionPointers { current: Some(1), previous: None, latest: 1 },
        created_at: now(),
        deletion_at: None,
        revision: 1,
        renewal: None,
        next_renewal_at: None,
        renewal_failures: 0,
        exportable: false,
        crl_number: None,
        publication: None,
    }
}

fn decide(key: &Key, wish: &KeyChange, user: Option<&Ca>) -> Result<Option<Key>, Error> {
    plan(&vault(VaultState::Active), key, wish, user, now())
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
fn a_cancelled_deletion_gives_back_the_state_before() {
    for state in [KeyState::Enabled, KeyState::Disabled] {
        let before = key(state);
        let scheduled = decide(&before, &KeyChange::ScheduleDeletion(None), None).unwrap().unwrap();
        assert_eq!(scheduled.state, KeyState::PendingDeletion);
        assert_eq!(scheduled.deletion_at, Some(now().plus(Span::from_days(30))));
        let back = decide(&scheduled, &KeyChange::CancelDeletion, None).unwrap().unwrap();
        assert_eq!(back, before);
    }
}

#[test]
fn enabling_and_disabling_twice_changes_nothing() {
    let (enabled, disabled) = (key(KeyState::Enabled), key(KeyState::Disabled));
    assert_eq!(decide(&enabled, &KeyChange::Enable, None).unwrap(), None);
    assert_eq!(decide(&disabled, &KeyChange::Disable, None).unwrap(), None);
    assert_eq!(decide(&enabled, &KeyChange::Disable, None).unwrap(), Some(disabled.clone()));
    assert_eq!(decide(&disabled, &KeyChange::Enable, None).unwrap(), Some(enabled));
}

#[test]
fn a_key_whose_deletion_is_scheduled_takes_no_other_change() {
    let mut pending = key(KeyState::PendingDeletion);
    pending.deletion_at = Some(now().plus(Span::from_days(9)));
    for wish in [KeyChange::Enable, KeyChange::Disable] {
        assert_eq!(code(decide(&pending, &wish, None)), "key_pending_deletion");
    }
    assert_eq!(decide(&pending, &KeyChange::ScheduleDeletion(None), None).unwrap(), None);
    let other = KeyChange::ScheduleDeletion(Some(now().plus(Span::from_days(20))));
    assert_eq!(code(decide(&pending, &other, None)), "deletion_scheduled");
    let gone = plan(&vault(VaultState::PendingDeletion), &pending, &KeyChange::CancelDeletion, None, now());
    assert_eq!(code(gone), "vault_not_active");
    pending.deletion_at = Some(now());
    assert_eq!(code(decide(&pending, &KeyChange::CancelDeletion, None)), "deletion_final");
}

#[test]
fn the_key_of_a_ca_stays_as_long_as_the_ca_may_sign_again() {
    let used = key(KeyState::Disabled);
    for state in CaState::ALL {
        let outcome = decide(&used, &KeyChange::ScheduleDeletion(None), Some(&ca(*state)));
        match state {
            CaState::PendingDeletion | CaState::Deleted => assert!(outcome.is_ok(), "{state}"),
            CaState::PendingActivation | CaState::Active | CaState::Disabled => {
                assert_eq!(code(outcome), "key_in_use", "{state}");
            }
        }
    }
}

#[test]
fn hardware_protection_is_refused_with_the_name_of_the_setting() {
    refuse_hsm(Protection::Software).unwrap();
    match refuse_hsm(Protection::Hsm) {
        Err(Error::Conflict { code: "hsm_not_configured", hint, .. }) => {
            assert!(hint.contains("keystore.pkcs11") && hint.contains("SOFTWARE"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
}
