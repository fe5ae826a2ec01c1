//! Calls to renew early: one call moves the renewal of all certificates of a CA, or of some of them, spread so that they do not
//! all come at once.
//!
//! A call is a row; what it moves is moved in small batches, at once as far as that goes quickly, the rest by the job. The due time
//! in the inventory is the one that is moved, so the search, the scheduler and ACME's renewal information need not know of calls;
//! `moved_renewals` remembers what it was. All of it is driven by state: two nodes that move the same certificate move it once.

use crate::audit::Target;
use crate::change::{is_stale, too_many};
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::acme::Directory;
use certwright_domain::id::{AcmeAccountId, AcmeDirectoryId, CaId, EarlyRenewalId, IssuedId};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::name::Reference;
use certwright_domain::renewal::{EarlyRenewal, EarlyRenewalTerms, MovedRenewal, RawEarlyRenewal};
use certwright_domain::violation::Invalid;
use certwright_store::{Page, PageRequest, Queries};
use std::collections::HashMap;

/// Most calls of a CA.
const MOST: usize = 100;
/// Certificates in a transaction.
const BATCH: u32 = 100;
/// Batches that the call itself waits for; the job does the rest.
const AT_ONCE: u32 = 10;
/// Calls that a round of the job looks at.
const CALLS: u32 = 100;
/// What the requester of an ACME account's certificate begins with.
const OF_ACME: &str = "acme:";

/// A call to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewEarlyRenewal {
    /// Everything but what must be looked up.
    pub terms: RawEarlyRenewal,
    /// Only certificates with this profile.
    pub profile: Option<Reference>,
    /// Only certificates of accounts of this ACME directory.
    pub directory: Option<Reference>,
}

impl App {
    /// Moves the renewal of certificates of a CA, to a time that is never later than their usual one. Certificates that are issued
    /// after this are not touched.
    pub async fn create_early_renewal(
        &self,
        call: &Call,
        ca: &Reference,
        new: NewEarlyRenewal,
    ) -> Result<EarlyRenewal, Error> {
        let ca = self.may_ca(call, Permission::CaManage, ca).await?;
        let mut raw = new.terms;
        if let Some(profile) = &new.profile {
            raw.profile = Some(self.issuing_profile(Some(profile)).await?.1.name().clone());
        }
        if let Some(directory) = &new.directory {
            let found = self.acme_directory(call, directory).await?;
            let ca = crate::cas::find(&mut *self.inner.store.read().await?, &ca).await?;
            raw.directory = Some(check_directory(&found, &ca.id)?);
        }
        let now = self.now();
        let terms = EarlyRenewalTerms::judge(raw, now).map_err(|faults| {
            Error::Invalid(faults.into_iter().map(|(pointer, invalid)| Pointed::at(pointer, invalid)).collect())
        })?;
        let mut change = self.inner.begin_change(call, "early-renewal.create").await?;
        let ca = crate::cas::find(&mut **change, &ca).await?;
        let page = PageRequest { limit: u32::try_from(MOST).unwrap_or(u32::MAX), after: None };
        if change.early_renewals(&ca.id, &page).await?.items.len() >= MOST {
            return Err(too_many("too_many_early_renewals", "calls to renew early of this CA", MOST));
        }
        let made = EarlyRenewal {
            id: EarlyRenewalId::new(now, self.inner.id_entropy()),
            ca: ca.id,
            terms,
            created_at: now,
            reached: String::new(),
            moved: 0,
            settled_at: None,
            withdrawn_at: None,
            revision: 1,
        };
        change.insert_early_renewal(&made).await?;
        let (from, until) = (made.terms.from.to_string(), made.terms.from.plus(made.terms.spread).to_string());
        let issued_before = made.terms.issued_before.to_string();
        let mut details = vec![("from", from.as_str()), ("until", &until), ("issuedBefore", &issued_before)];
        details.extend(made.terms.profile.as_ref().map(|profile| ("profile", profile.as_str())));
        details.extend(made.terms.directory.as_ref().map(|directory| ("acmeDirectory", directory.as_str())));
        details.push(("reason", &made.terms.reason));
        let target = Target { kind: "ca", id: made.ca.as_str(), name: ca.name.as_str() };
        change.insert_audit(&self.inner.audit(call, "early-renewal.create", target, &details)).await?;
        change.commit().await?;
        if call.dry_run {
            return Ok(made);
        }
        self.settle_early_renewal(made.clone(), AT_ONCE).await?;
        Ok(self.inner.store.glance().await?.early_renewal(&made.id).await?.unwrap_or(made))
    }

    /// Calls for the certificates of a CA, newest first.
    pub async fn early_renewals(
        &self,
        call: &Call,
        ca: &Reference,
        page: &PageRequest,
    ) -> Result<Page<EarlyRenewal>, Error> {
        let ca = self.may_ca(call, Permission::CaRead, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = crate::cas::find(&mut *read, &ca).await?;
        Ok(read.early_renewals(&ca.id, page).await?)
    }

    /// One call.
    pub async fn early_renewal(&self, call: &Call, ca: &Reference, id: &str) -> Result<EarlyRenewal, Error> {
        let ca = self.may_ca(call, Permission::CaRead, ca).await?;
        find(&mut *self.inner.store.read().await?, &ca, id).await
    }

    /// Takes a call back: what it has moved is due at its usual time again, or when another call wants it. What was renewed
    /// meanwhile stays renewed.
    pub async fn delete_early_renewal(&self, call: &Call, ca: &Reference, id: &str) -> Result<(), Error> {
        let ca = self.may_ca(call, Permission::CaManage, ca).await?;
        let mut change = self.inner.begin_change(call, "early-renewal.delete").await?;
        let found = find(&mut **change, &ca, id).await?;
        if found.withdrawn_at.is_some() {
            return change.undo().await;
        }
        let name = crate::cas::find(&mut **change, &ca).await?.name;
        let mut after = EarlyRenewal { withdrawn_at: Some(self.now()), settled_at: None, ..found };
        change.update_early_renewal(&after).await?;
        let target = Target { kind: "ca", id: after.ca.as_str(), name: name.as_str() };
        let details = [("earlyRenewal", after.id.as_str()), ("reason", &after.terms.reason)];
        change.insert_audit(&self.inner.audit(call, "early-renewal.delete", target, &details)).await?;
        change.commit().await?;
        if call.dry_run {
            return Ok(());
        }
        after.revision = after.revision.saturating_add(1);
        self.settle_early_renewal(after, AT_ONCE).await
    }

    /// Moves what is to be moved, and puts back what was taken back.
    pub(crate) async fn settle_early_renewals(&self) -> Result<(), Error> {
        let open = self.inner.store.glance().await?.open_early_renewals(CALLS).await?;
        for call in open {
            let mut call = Some(call);
            while let Some(next) = call {
                call = self.settle_batch(next).await?;
                if call.is_some() && !self.keep_lease().await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn settle_early_renewal(&self, call: EarlyRenewal, batches: u32) -> Result<(), Error> {
        let mut call = call;
        for _ in 0..batches {
            match self.settle_batch(call).await? {
                Some(next) => call = next,
                None => break,
            }
        }
        Ok(())
    }

    /// One batch; the call as it is then, where there is more to do now. Whoever finds that another node does the same stops.
    async fn settle_batch(&self, call: EarlyRenewal) -> Result<Option<EarlyRenewal>, Error> {
        let outcome = match call.withdrawn_at {
            None => self.move_batch(call).await,
            Some(_) => self.put_batch_back(call).await,
        };
        match outcome {
            Err(error) if is_stale(&error) => Ok(None),
            other => other,
        }
    }

    async fn move_batch(&self, call: EarlyRenewal) -> Result<Option<EarlyRenewal>, Error> {
        let mut read = self.inner.store.read().await?;
        let rows = read.issued_behind(&call.ca, &call.reached, BATCH).await?;
        let now = self.now();
        let mut accounts = Accounts::default();
        let mut moves = Vec::new();
        for row in rows.iter().filter(|row| row.validity.not_after() > now && row.revocation.is_none()) {
            let directory = accounts.directory_of(&mut *read, row, &call).await?;
            if let Some(due) = call.due(row, row.renew_at).filter(|_| call.covers(row, directory.as_ref())) {
                moves.push((row, due));
            }
        }
        drop(read);
        let mut tx = self.inner.store.begin("early-renewal.move").await?;
        for (row, due) in &moves {
            let usual = tx.moved_renewal(&row.id).await?.map_or(row.renew_at, |known| known.usual);
            let moved = MovedRenewal { issued: row.id.clone(), call: call.id.clone(), renew_at: *due, usual };
            tx.move_renewal(&moved, row.renew_at).await?;
        }
        let is_last = rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        let reached = rows.last().map_or_else(|| call.reached.clone(), |row| row.id.to_string());
        let moved = call.moved.saturating_add(u64::try_from(moves.len()).unwrap_or(u64::MAX));
        let mut after = EarlyRenewal { reached, moved, ..call };
        if is_last && after.is_settled_by(now) {
            after.settled_at = Some(now);
        } else if is_last {
            // The job comes by once more, for what was being signed when the call was made.
            let since = IssuedId::new(after.unsettled_since(), [0; 10]).to_string();
            after.reached = after.reached.min(since);
        }
        tx.update_early_renewal(&after).await?;
        tx.commit().await?;
        after.revision = after.revision.saturating_add(1);
        Ok((!is_last).then_some(after))
    }

    async fn put_batch_back(&self, call: EarlyRenewal) -> Result<Option<EarlyRenewal>, Error> {
        let mut tx = self.inner.store.begin("early-renewal.put-back").await?;
        let moved = tx.moved_renewals(&call.id, BATCH).await?;
        if moved.is_empty() {
            tx.delete_early_renewal(&call.id, call.revision).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let page = PageRequest { limit: u32::try_from(MOST).unwrap_or(u32::MAX), after: None };
        let others = tx.early_renewals(&call.ca, &page).await?.items;
        let mut accounts = Accounts::default();
        for was in moved {
            let Some(row) = tx.issued(&was.issued).await? else {
                tx.put_renewal_back(&was).await?;
                continue;
            };
            let mut next: Option<MovedRenewal> = None;
            for other in &others {
                let directory = accounts.directory_of(&mut *tx, &row, other).await?;
                let due = other.due(&row, was.usual).filter(|_| other.covers(&row, directory.as_ref()));
                if let Some(renew_at) = due.filter(|due| next.as_ref().is_none_or(|known| *due < known.renew_at)) {
                    next = Some(MovedRenewal { call: other.id.clone(), renew_at, ..was.clone() });
                }
            }
            match next {
                Some(next) => tx.move_renewal(&next, was.renew_at).await?,
                None => tx.put_renewal_back(&was).await?,
            }
        }
        let mut after = call;
        tx.update_early_renewal(&after).await?;
        tx.commit().await?;
        after.revision = after.revision.saturating_add(1);
        Ok(Some(after))
    }
}

/// The directories of accounts, looked up once.
#[derive(Default)]
struct Accounts(HashMap<String, Option<AcmeDirectoryId>>);

impl Accounts {
    /// The directory of the account that asked for a certificate, where the call wants to know.
    async fn directory_of(
        &mut self,
        queries: &mut dyn Queries,
        row: &IssuedCertificate,
        call: &EarlyRenewal,
    ) -> Result<Option<AcmeDirectoryId>, Error> {
        if call.terms.directory.is_none() {
            return Ok(None);
        }
        let Some(id) = row.requester.strip_prefix(OF_ACME) else { return Ok(None) };
        if let Some(known) = self.0.get(id) {
            return Ok(known.clone());
        }
        let found = match AcmeAccountId::parse(id) {
            Ok(id) => queries.acme_account(&id).await?.map(|account| account.directory),
            Err(_) => None,
        };
        self.0.insert(id.to_owned(), found.clone());
        Ok(found)
    }
}

fn check_directory(directory: &Directory, ca: &CaId) -> Result<AcmeDirectoryId, Error> {
    if directory.ca == *ca {
        return Ok(directory.id.clone());
    }
    let detail = format!("The certificates of the ACME directory {} are not of this CA.", directory.settings.name());
    let hint = format!("Call its CA: {}.", directory.ca);
    Err(Error::invalid("/acmeDirectory", Invalid::new("directory_of_another_ca", detail, hint)))
}

async fn find(queries: &mut dyn Queries, ca: &Reference, id: &str) -> Result<EarlyRenewal, Error> {
    let absent = || Error::not_found("call to renew early", id);
    let ca = crate::cas::find(queries, ca).await?.id;
    let parsed = EarlyRenewalId::parse(id).map_err(|_| absent())?;
    queries.early_renewal(&parsed).await?.filter(|found| found.ca == ca).ok_or_else(absent)
}
