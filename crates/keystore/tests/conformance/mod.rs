//! What every key store must do, whichever way it keeps its keys. A test file mounts it with `conformance!` on a fixture
//! that makes a fresh store; the software store does so in `software.rs`.

pub(crate) mod fixtures;
pub(crate) mod imports;
pub(crate) mod keys;
pub(crate) mod sealing;

use certwright_keystore::KeyStore;
use std::sync::Arc;

/// A fresh, empty key store; dropping the fixture removes what it left behind.
pub(crate) trait Fixture {
    /// Makes it.
    fn new() -> Self;
    /// The store under test.
    fn store(&self) -> Arc<dyn KeyStore>;
}

/// Mounts the whole suite on a fixture.
#[macro_export]
macro_rules! conformance {
    ($fixture:ty) => {
        $crate::conformance!(@mount $fixture;
            keys: every_algorithm_signs_what_others_verify, a_signer_refuses_what_does_not_fit, symmetric_keys_are_kept_but_do_not_sign,
                leaf_keys_are_read_by_others, two_keys_are_never_the_same;
            sealing: a_blob_opens_in_its_place_only, a_changed_blob_does_not_open, vault_keys_open_in_their_place_only,
                a_vault_key_of_another_vault_does_not_open, rewrapped_keys_still_sign, sealed_bytes_open_in_their_place_only,
                root_key_ids_tell_nothing_and_the_newest_is_first;
            imports: foreign_keys_are_taken, keys_of_another_kind_are_refused, weak_and_foreign_kinds_are_refused,
                damaged_keys_are_refused, garbage_never_passes;
        );
    };
    (@mount $fixture:ty; $($module:ident: $($name:ident),+;)+) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $name() {
                let fixture = <$fixture as $crate::conformance::Fixture>::new();
                let store = $crate::conformance::Fixture::store(&fixture);
                $crate::conformance::$module::$name(store.as_ref()).await;
            })+
        })+
    };
}
