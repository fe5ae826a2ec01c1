//! Root keys: status, rotation, and what the database knows of them.
//!
//! The database remembers which root key seals, since when, and whether this program made it ([`RootKeyNote`], a row of
//! `meta`). Three things rest on that note:
//!
//! - a node that has not loaded the key the others seal with (its key file is older than theirs) refuses to seal vault
//!   keys instead of sealing them under a key that is about to be retired;
//! - a change of the key that came from outside (another credential or passphrase at start) leaves an audit event;
//! - old keys are retired only when the newest is older than the lifetime of idempotency keys, because stored responses
//!   are sealed under root keys as well and are not re-wrapped.
//!
//! Nodes that share a database need the same root keys. With the source `file`, copy the file after a rotation and
//! restart the other nodes; a credential that all of them mount is the better choice.

use crate::audit::Target;
use crate::change::Change;
use crate::{App, Call, Caller, Error, Inner, Permission};
use certwright_domain::time::{Span, Timestamp};
use certwright_store::Queries;

/// What each root key still seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootKeyStatus {
    /// Id of the key that seals.
    pub current: String,
    /// Every loaded or still needed key with the number of vault-key versions and secrets of webhooks sealed under it,
    /// newest first.
    pub keys: Vec<(String, u64)>,
}

impl App {
    /// Root keys and what they seal.
    pub async fn root_keys(&self, call: &Call) -> Result<RootKeyStatus, Error> {
        self.may(call, Permission::SealManage, "root key")?;
        self.root_key_status().await
    }

    /// Makes a new root key (`file` only); the background job re-wraps the vaults' keys. As a trial nothing is made.
    pub async fn rotate_root_key(&self, call: &Call) -> Result<RootKeyStatus, Error> {
        self.may(call, Permission::SealManage, "root key")?;
        if call.dry_run {
            return self.root_key_status().await;
        }
        let old = self.inner.keys.root_key_id();
        let new = self.inner.keys.rotate_root_key().map_err(|error| match error {
            certwright_keystore::Error::RootKey(detail) => Error::conflict(
                "root_key_not_rotatable",
                detail,
                "Put the new root key first in its source and restart the server; older ones stay below it until nothing \
                 is sealed under them.",
            ),
            other => other.into(),
        })?;
        // Should this transaction fail, the new key seals all the same; the next round of jobs notes it down then.
        let mut change = self.inner.begin_change(call, "root-key.rotate").await?;
        let note = RootKeyNote { id: new.clone(), since: self.now(), made_here: true };
        note.write(&mut **change).await?;
        let target = Target { kind: "root-key", id: &new, name: "" };
        change.insert_audit(&self.inner.audit(call, "root-key.rotate", target, &[("oldId", &old)])).await?;
        change.commit().await?;
        self.root_key_status().await
    }

    async fn root_key_status(&self) -> Result<RootKeyStatus, Error> {
        let usage = self.inner.store.read().await?.root_key_usage().await?;
        let keys = &self.inner.keys;
        Ok(RootKeyStatus { current: keys.root_key_id(), keys: merge(keys.root_key_ids(), usage) })
    }
}

impl Inner {
    /// Notes down which root key seals, inside a change that seals something under it. A key that the database does not
    /// know yet leaves an audit event. A node that has not loaded the noted key is out of date, and refused.
    pub(crate) async fn observe_root_key(&self, call: &Call, change: &mut Change<'_>) -> Result<(), Error> {
        let newest = self.keys.root_key_id();
        let noted = RootKeyNote::read(&mut ***change).await?;
        let old = match &noted {
            Some(note) if note.id == newest => return Ok(()),
            Some(note) if !self.keys.root_key_ids().contains(&note.id) => return Err(out_of_date(&note.id)),
            Some(note) => note.id.as_str(),
            None => "",
        };
        let target = Target { kind: "root-key", id: &newest, name: "" };
        let observed = Call { caller: Caller::system(), ..call.clone() };
        change.insert_audit(&self.audit(&observed, "root-key.observe", target, &[("oldId", old)])).await?;
        RootKeyNote { id: newest, since: self.clock.now(), made_here: false }.write(&mut ***change).await
    }
}

/// What the database knows of the root key that seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RootKeyNote {
    pub(crate) id: String,
    pub(crate) since: Timestamp,
    /// Made by [`App::rotate_root_key`]: the source is ours, so old keys in it are ours to remove.
    pub(crate) made_here: bool,
}

impl RootKeyNote {
    const META: &'static str = "root-key";

    pub(crate) async fn read(queries: &mut dyn Queries) -> Result<Option<Self>, Error> {
        let Some(bytes) = queries.meta(Self::META).await? else {
            return Ok(None);
        };
        let malformed = || Error::Internal(format!("the value `{}` of meta is malformed", Self::META));
        Self::parse(&bytes).ok_or_else(malformed).map(Some)
    }

    async fn write(&self, queries: &mut dyn Queries) -> Result<(), Error> {
        let source = if self.made_here { "made-here" } else { "observed" };
        let text = format!("{} {source} {}", self.since.unix_ms(), self.id);
        Ok(queries.put_meta(Self::META, text.as_bytes()).await?)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(bytes).ok()?.splitn(3, ' ');
        let since = Timestamp::from_unix_ms(parts.next()?.parse().ok()?);
        let made_here = match parts.next()? {
            "made-here" => true,
            "observed" => false,
            _ => return None,
        };
        Some(Self { id: parts.next()?.to_owned(), since, made_here })
    }

    /// May the root keys other than `newest` be removed from their source? Pure.
    pub(crate) fn may_retire_others(
        &self,
        newest: &str,
        loaded: &[String],
        usage: &[(String, u64)],
        idempotency_lifetime: Span,
        now: Timestamp,
    ) -> bool {
        self.made_here
            && self.id == newest
            && loaded.len() > 1
            && usage.iter().all(|(id, count)| id == newest || *count == 0)
            && self.since.plus(idempotency_lifetime) <= now
    }
}

fn out_of_date(noted: &str) -> Error {
    Error::Unavailable {
        detail: format!(
            "the root key {noted} seals, but this node has not loaded it; give it the newest root keys and restart it"
        ),
        retry_after_s: 60,
    }
}

/// The loaded keys, newest first, then those that are needed but not loaded.
fn merge(loaded: Vec<String>, usage: Vec<(String, u64)>) -> Vec<(String, u64)> {
    let count = |id: &String| usage.iter().find(|(used, _)| used == id).map_or(0, |(_, count)| *count);
    let mut keys: Vec<(String, u64)> = loaded.iter().map(|id| (id.clone(), count(id))).collect();
    keys.extend(usage.iter().filter(|(id, _)| !loaded.contains(id)).cloned());
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaded_keys_come_first_and_needed_ones_are_not_forgotten() {
        let id = |text: &str| text.to_owned();
        let merged = merge(vec![id("new"), id("old")], vec![(id("lost"), 2), (id("old"), 3)]);
        assert_eq!(merged, [(id("new"), 0), (id("old"), 3), (id("lost"), 2)]);
    }

    #[test]
    fn notes_are_read_as_written() {
        let note =
            RootKeyNote { id: "r1".to_owned(), since: Timestamp::from_unix_ms(1_790_000_000_123), made_here: true };
        assert_eq!(RootKeyNote::parse(b"1790000000123 made-here r1"), Some(note.clone()));
        assert_eq!(RootKeyNote::parse(b"1790000000123 observed r1"), Some(RootKeyNote { made_here: false, ..note }));
        for wrong in ["", "x made-here r1", "1790000000123 r1", "1790000000123 other r1", "1790000000123 made-here"] {
            assert_eq!(RootKeyNote::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(RootKeyNote::parse(&[0xff]), None);
    }

    #[test]
    fn old_keys_stay_while_anything_may_be_sealed_under_them() {
        let since = Timestamp::from_unix_s(1_790_000_000);
        let day = Span::from_hours(24);
        let note = RootKeyNote { id: "new".to_owned(), since, made_here: true };
        let loaded = ["new".to_owned(), "old".to_owned()];
        let unused = [("new".to_owned(), 4), ("old".to_owned(), 0)];
        let later = since.plus(day);
        assert!(note.may_retire_others("new", &loaded, &unused, day, later));
        assert!(note.may_retire_others("new", &loaded, &[], day, later));

        let early = since.plus(Span::from_ms(day.ms() - 1));
        assert!(!note.may_retire_others("new", &loaded, &unused, day, early), "stored responses may need them");
        let used = [("old".to_owned(), 1)];
        assert!(!note.may_retire_others("new", &loaded, &used, day, later), "a vault key needs them");
        assert!(!note.may_retire_others("new", &loaded[..1], &unused, day, later), "there is nothing to retire");
        assert!(!note.may_retire_others("old", &loaded, &unused, day, later), "this node is out of date");
        let foreign = RootKeyNote { made_here: false, ..note };
        assert!(!foreign.may_retire_others("new", &loaded, &unused, day, later), "the source is not ours");
    }
}
