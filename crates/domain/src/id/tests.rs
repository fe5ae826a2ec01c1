//! Ids.

use super::*;
use proptest::prelude::*;

#[test]
fn the_form_of_an_id() {
    // The example of the ULID specification, read as time and randomness.
    let id = VaultId::new(Timestamp::from_unix_ms(1_469_918_176_385), [0; 10]);
    assert_eq!(id.as_str(), "vault_01ARYZ6S410000000000000000");
    let last = VaultId::new(Timestamp::from_unix_ms(i64::MAX), [0xff; 10]);
    assert!(VaultId::parse(last.as_str()).is_ok(), "{last}");
    for text in [
        "",
        "vault_",
        "vault",
        "key_01ARYZ6S410000000000000000",
        "vault_01ARYZ6S41000000000000000",
        "vault_01ARYZ6S4100000000000000000",
        "vault_01aryz6s410000000000000000",
        "vault_81ARYZ6S410000000000000000",
        "vault_01ARYZ6S41000000000000000I",
        "VAULT_01ARYZ6S410000000000000000",
        " vault_01ARYZ6S410000000000000000",
    ] {
        assert!(VaultId::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_symbols_that_are_read_are_those_that_are_written() {
    for symbol in 0..=127_u8 {
        let text = format!("01ARYZ6S41000000000000000{}", char::from(symbol));
        assert_eq!(is_ulid(&text), CROCKFORD.contains(&symbol), "{text:?}");
    }
}

#[test]
fn what_looks_like_an_id_cannot_be_a_name() {
    use crate::name::{Reference, ResourceName};
    let id = CaId::new(Timestamp::from_unix_ms(0), [1; 10]);
    assert!(looks_like_id(id.as_str()) && ResourceName::parse(id.as_str()).is_err());
    assert!(Reference::parse(id.as_str()).is_ok());
    // Another kind's id neither: a name must not be taken for something else one day.
    assert!(ResourceName::parse("other_01ARYZ6S410000000000000000").is_err());
    for name in ["a", "A.b_c-d", "vault_1", "_01ARYZ6S410000000000000000", "...", &"n".repeat(255)] {
        assert!(ResourceName::parse(name).is_ok() && Reference::parse(name).is_ok(), "{name}");
    }
    for name in ["", ".", "..", "a b", "a/b", "ä", "a\n", "%2e", &"n".repeat(256)] {
        assert!(ResourceName::parse(name).is_err() && Reference::parse(name).is_err(), "{name}");
    }
}

proptest! {
    #[test]
    fn ids_read_as_they_are_shown_and_sort_by_time(ms in 0..253_402_299_000_000_i64, later in 1..1_000_000_i64, entropy in any::<[u8; 10]>(), other in any::<[u8; 10]>()) {
        let id = KeyId::new(Timestamp::from_unix_ms(ms), entropy);
        prop_assert_eq!(KeyId::parse(id.as_str()), Ok(id.clone()));
        let next = KeyId::new(Timestamp::from_unix_ms(ms.saturating_add(later)), other);
        prop_assert!(next > id);
        prop_assert_eq!(KeyId::new(Timestamp::from_unix_ms(ms), other) == id, entropy == other);
    }
}
