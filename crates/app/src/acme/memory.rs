//! What requests ask for most: directories and accounts, in memory for a moment.
//!
//! On the node that changes them, memory is cleared with the change. On others it may be a second behind, which decides nothing
//! that lasts: the group commit asks for the epoch and for the revisions of both when an order gets its certificate.

use certwright_domain::acme::{Account, Directory};
use certwright_domain::id::AcmeAccountId;
use certwright_domain::time::{Span, Timestamp};
use moka::sync::Cache;
use std::sync::{Arc, Mutex, PoisonError};

/// Most directories.
pub(super) const MOST_DIRECTORIES: u64 = 500;
/// Most accounts that are remembered.
const MOST_ACCOUNTS: u64 = 10_000;
/// How long what was read counts.
const FRESH: Span = Span::from_s(1);

/// Was it read at most a moment ago, and not after `now`? (Clocks may be set back.)
fn is_fresh(read_at: Timestamp, now: Timestamp) -> bool {
    (0..=FRESH.ms()).contains(&now.ms_since(read_at))
}

/// Directories by name, each with the epoch it was read under.
pub(super) struct DirectoryMemory(Cache<String, (i64, Timestamp, Arc<Directory>)>);

impl DirectoryMemory {
    pub(super) fn new() -> Self {
        Self(Cache::new(MOST_DIRECTORIES))
    }

    /// The directory, where it was read under this epoch a moment ago.
    pub(super) fn get(&self, name: &str, epoch: i64, now: Timestamp) -> Option<Arc<Directory>> {
        let (read_in, read_at, directory) = self.0.get(name)?;
        (read_in == epoch && is_fresh(read_at, now)).then_some(directory)
    }

    /// The directory, where it was read under this epoch, whenever that was.
    pub(super) fn unchanged(&self, name: &str, epoch: i64) -> Option<Arc<Directory>> {
        self.0.get(name).filter(|(read_in, ..)| *read_in == epoch).map(|(.., directory)| directory)
    }

    pub(super) fn keep(&self, name: &str, epoch: i64, now: Timestamp, directory: &Arc<Directory>) {
        self.0.insert(name.to_owned(), (epoch, now, Arc::clone(directory)));
    }
}

/// Accounts by id.
pub(super) struct AccountMemory {
    known: Cache<AcmeAccountId, (Timestamp, Arc<Account>)>,
    /// How often something was forgotten: what was read before the last time may be what was to be forgotten.
    forgotten: Mutex<u64>,
}

/// Taken before an account is read from the store.
#[derive(Clone, Copy)]
pub(super) struct Before(u64);

impl AccountMemory {
    pub(super) fn new() -> Self {
        Self { known: Cache::new(MOST_ACCOUNTS), forgotten: Mutex::new(0) }
    }

    pub(super) fn get(&self, id: &AcmeAccountId, now: Timestamp) -> Option<Arc<Account>> {
        self.known.get(id).filter(|(read_at, _)| is_fresh(*read_at, now)).map(|(_, account)| account)
    }

    pub(super) fn before(&self) -> Before {
        Before(*self.forgotten.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what was read, unless something was forgotten since.
    pub(super) fn keep(&self, before: Before, now: Timestamp, account: &Arc<Account>) {
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if *forgotten == before.0 {
            self.known.insert(account.id.clone(), (now, Arc::clone(account)));
        }
    }

    /// Forgets an account that was changed just now.
    pub(super) fn forget(&self, id: &AcmeAccountId) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        *forgotten = forgotten.wrapping_add(1);
        self.known.invalidate(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use certwright_domain::acme::{AccountState, NameGrant};
    use certwright_domain::id::AcmeDirectoryId;
    use certwright_domain::serial::Sha256;

    fn account() -> Arc<Account> {
        let now = Timestamp::from_unix_s(1);
        Arc::new(Account {
            id: AcmeAccountId::new(now, [1; 10]),
            directory: AcmeDirectoryId::new(now, [2; 10]),
            key: String::new(),
            thumbprint: Sha256([0; 32]),
            state: AccountState::Valid,
            contacts: Vec::new(),
            terms_agreed_at: None,
            eab_key: None,
            grant: NameGrant::default(),
            created_at: now,
            revision: 1,
        })
    }

    #[test]
    fn an_account_is_remembered_for_a_second_and_not_beyond_a_change() {
        let (memory, account, now) = (AccountMemory::new(), account(), Timestamp::from_unix_s(100));
        memory.keep(memory.before(), now, &account);
        assert!(memory.get(&account.id, now.plus(FRESH)).is_some());
        assert!(memory.get(&account.id, now.plus(Span::from_ms(1_001))).is_none(), "another node may have changed it");
        assert!(memory.get(&account.id, now.minus(Span::from_s(5))).is_none(), "the clock was set back");
        memory.forget(&account.id);
        assert!(memory.get(&account.id, now).is_none());
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (memory, account, now) = (AccountMemory::new(), account(), Timestamp::from_unix_s(100));
        let before = memory.before();
        memory.forget(&account.id);
        memory.keep(before, now, &account);
        assert!(memory.get(&account.id, now).is_none());
    }
}
