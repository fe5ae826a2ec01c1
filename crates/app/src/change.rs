//! How configuration is changed: one transaction that holds the change, its audit event and the new epoch.

use crate::{Call, Error, Inner};
use certwright_domain::access::{PlacedKind, Placement};
use certwright_domain::id::CompartmentId;
use certwright_domain::name::Reference;
use certwright_domain::time::Timestamp;
use certwright_store::{Queries, Tx};
use std::fmt::Display;
use std::ops::{Deref, DerefMut};

/// An open change of configuration. Dropped without [`Change::commit`], nothing of it stays.
///
/// **Invariant.** A change begins by raising the epoch. On PostgreSQL the lock of that row makes changes take turns, as
/// SQLite's one writer does anyway; so what a change has read stays true until it commits, and "check, then act" is safe
/// (no key is made in a vault whose deletion was just scheduled, no vault-key version is dropped that a new key rests
/// on). Transactions that lock other rows first and raise the epoch later may deadlock with it: begin here.
pub(crate) struct Change<'a> {
    inner: &'a Inner,
    tx: Tx<'static>,
    epoch: i64,
    trial: bool,
}

impl Inner {
    /// Begins a change; `name` labels the transaction in logs, metrics and faults.
    pub(crate) async fn begin_change(&self, call: &Call, name: &'static str) -> Result<Change<'_>, Error> {
        let mut tx = self.store.begin(name).await?;
        let epoch = tx.bump_epoch().await?;
        Ok(Change { inner: self, tx, epoch, trial: call.dry_run })
    }
}

impl Inner {
    /// Begins a change of what decisions of access rest on.
    pub(crate) async fn begin_access_change(&self, call: &Call, name: &'static str) -> Result<Change<'_>, Error> {
        let mut tx = self.store.begin(name).await?;
        let epoch = tx.bump_access().await?;
        Ok(Change { inner: self, tx, epoch, trial: call.dry_run })
    }
}

impl Change<'_> {
    /// Makes the change durable and lets the node's caches know; as a trial, undoes it.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        if self.trial {
            return Ok(self.tx.rollback().await?);
        }
        self.tx.commit().await?;
        self.inner.context.note_epoch(self.epoch);
        // A CA may want lists now that it did not want before.
        self.inner.crls.wake();
        self.inner.publications.wake();
        Ok(())
    }

    /// Puts a new resource into its compartment.
    pub(crate) async fn settle_in(
        &mut self,
        resource: &str,
        kind: PlacedKind,
        home: &CompartmentId,
    ) -> Result<(), Error> {
        settle_in(&mut *self.tx, resource, kind, home).await
    }

    /// The epoch that the change raised.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Undoes the change: there was nothing to do.
    pub(crate) async fn undo(self) -> Result<(), Error> {
        Ok(self.tx.rollback().await?)
    }
}

impl Deref for Change<'_> {
    type Target = Tx<'static>;
    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}
impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tx
    }
}

/// Puts a new resource into its compartment. What lies in the tenancy itself needs no note of it.
pub(crate) async fn settle_in(
    queries: &mut dyn Queries,
    resource: &str,
    kind: PlacedKind,
    home: &CompartmentId,
) -> Result<(), Error> {
    if home.is_tenancy() {
        return Ok(());
    }
    let placement = Placement { resource_id: resource.to_owned(), kind, compartment: home.clone() };
    Ok(queries.place(&placement).await?)
}

/// Runs a read-modify-write once more when another request came between its reading and its writing.
macro_rules! once_more_if_stale {
    ($attempt:expr) => {
        match $attempt {
            Err(error) if $crate::change::is_stale(&error) => $attempt,
            outcome => outcome,
        }
    };
}
pub(crate) use once_more_if_stale;

const STALE: &str = "changed_meanwhile";

/// Did another request change the row between reading and writing?
pub(crate) fn is_stale(error: &Error) -> bool {
    matches!(error, Error::Conflict { code: STALE, .. })
}

/// Another request changed `what` between reading and writing.
pub(crate) fn stale(what: &'static str) -> Error {
    certwright_store::Error::Stale { what }.into()
}

/// `If-Match`, where it was given.
pub(crate) fn check_if_match(if_match: Option<i64>, current: i64) -> Result<(), Error> {
    match if_match {
        Some(seen) if seen != current => Err(Error::PreconditionFailed { current }),
        _ => Ok(()),
    }
}

/// `If-Match`, where it must be given.
pub(crate) fn require_if_match(if_match: Option<i64>, current: i64) -> Result<(), Error> {
    if if_match.is_none() {
        return Err(Error::PreconditionRequired { current });
    }
    check_if_match(if_match, current)
}

/// Turns a unique key that exists already into a refusal that names the kind and the name.
pub(crate) fn name_conflict(error: certwright_store::Error, kind: &'static str, name: &impl Display) -> Error {
    match error {
        certwright_store::Error::Conflict { .. } => name_taken(kind, name),
        other => other.into(),
    }
}

/// The name belongs to another one of its kind.
pub(crate) fn name_taken(kind: &'static str, name: &impl Display) -> Error {
    Error::conflict(
        "name_taken",
        format!("The name {name} belongs to another {kind} already."),
        format!("Choose another name, or use the {kind} that is there."),
    )
}

/// There are as many of a kind as there may be.
pub(crate) fn too_many(code: &'static str, kinds: &'static str, most: impl Display) -> Error {
    Error::conflict(code, format!("There are {most} {kinds} already."), format!("Delete {kinds} that nobody needs."))
}

/// A scheduled deletion whose time has come cannot be cancelled any more, whether or not the job has been round.
pub(crate) fn refuse_final_deletion(kind: &'static str, at: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
    match at {
        Some(at) if at <= now => Err(Error::conflict(
            "deletion_final",
            format!("The deletion of the {kind} became final at {at}."),
            format!("Make a new {kind}."),
        )),
        _ => Ok(()),
    }
}

/// Nothing to cancel.
pub(crate) fn deletion_not_scheduled(kind: &'static str, state: &str) -> Error {
    Error::conflict(
        "deletion_not_scheduled",
        format!("The {kind} is {state}; no deletion is scheduled."),
        "There is nothing to cancel.",
    )
}

/// The deletion is scheduled for another time already.
pub(crate) fn deletion_scheduled_already(kind: &'static str, at: Option<Timestamp>) -> Error {
    let at = at.map_or_else(|| "another time".to_owned(), |at| at.to_string());
    Error::conflict(
        "deletion_scheduled",
        format!("The {kind}'s deletion is scheduled for {at} already."),
        "To move it, cancel it and schedule it again.",
    )
}

/// Any id, as a reference.
pub(crate) fn by_id(id: &str) -> Result<Reference, Error> {
    Reference::parse(id).map_err(|invalid| Error::Internal(format!("stored id {id}: {invalid}")))
}
