//! How a CA's lists stand, and making them at once.

use super::build::Outcome;
use crate::audit::Target;
use crate::cas::find;
use crate::{App, Call, Error, Permission};
use certwright_domain::crl::{Crl, CrlSeries};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::publication::PublishedObject;
use certwright_domain::violation::Invalid;
use certwright_store::{Page, PageRequest};
use std::collections::BTreeMap;

/// A series with its newest list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlView {
    /// The series.
    pub series: CrlSeries,
    /// The list that is served; `None`: none was published yet.
    pub crl: Option<Crl>,
    /// Where it is served: here, and where others serve it.
    pub urls: Vec<String>,
    /// Its objects elsewhere; with a whole full list or the first shard, also those of the version's certificate.
    pub objects: Vec<PublishedObject>,
    /// Targets of these objects that this node's configuration does not have, with what to do about each.
    pub lost_targets: BTreeMap<ResourceName, Invalid>,
}

/// Most series that are made in one call; CAs with more leave the rest to the background.
const AT_ONCE: u32 = 32;

impl App {
    /// The lists of a CA.
    pub async fn crls(&self, call: &Call, ca: &Reference, page: &PageRequest) -> Result<Page<CrlView>, Error> {
        let ca = &self.may_ca(call, Permission::CaRead, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        let found = read.crl_series_of(&ca.id, page).await?;
        let mut items = Vec::new();
        for (series, crl) in found.items {
            let objects = read.published_lists(&series.scope).await?;
            items.push(self.crl_view(self.all_crl_urls(&ca, &series.scope), objects, series, crl));
        }
        Ok(Page { items, next: found.next })
    }

    fn crl_view(
        &self,
        urls: Vec<String>,
        objects: Vec<PublishedObject>,
        series: CrlSeries,
        crl: Option<Crl>,
    ) -> CrlView {
        let lost = |one: &PublishedObject| Some((one.target.clone(), self.target_lost(&one.target)?));
        let lost_targets = objects.iter().filter_map(lost).collect();
        CrlView { series, crl, urls, objects, lost_targets }
    }

    /// Makes the next list of each of a CA's series at once, also when the clock is behind the last one: whoever asks says
    /// that the clock is right now. Nobody has to ask: lists are made by themselves.
    pub async fn make_crls(&self, call: &Call, ca: &Reference) -> Result<Page<CrlView>, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        let page = PageRequest { limit: AT_ONCE, after: None };
        self.plan_crls().await?;
        let found = find(&mut *self.inner.store.read().await?, ca).await?;
        let target = Target { kind: "ca", id: found.id.as_str(), name: found.name.as_str() };
        let mut tx = self.inner.store.begin("crl.request").await?;
        // What is elsewhere may have been lost there. First, as whoever notes a failure there holds the object and then the counters.
        let objects = tx.rewrite_published_objects(&found.id, self.now()).await?;
        let wanted = tx.hurry_crl_series(&found.id, self.now()).await?;
        tx.insert_audit(&self.inner.audit(call, "crl.request", target, &[])).await?;
        if wanted == 0 && objects == 0 {
            return Err(Error::conflict(
                "no_crl",
                format!("CA {} publishes no revocation lists.", found.name),
                "Enable them (PATCH with {\"revocation\":{\"crl\":{\"enabled\":true}}}); for a CA without a key of ours, send its list.",
            ));
        }
        if call.dry_run {
            tx.rollback().await?;
            return self.crls(call, ca, &page).await;
        }
        tx.commit().await?;
        if self.lease_crls(&found.id).await? {
            let made = self.make_all(call, &found.id, &page).await;
            self.release_crls(&found.id).await?;
            made?;
        }
        self.inner.crls.wake();
        self.inner.publications.wake();
        self.crls(call, ca, &page).await
    }

    async fn make_all(
        &self,
        call: &Call,
        ca_id: &certwright_domain::id::CaId,
        page: &PageRequest,
    ) -> Result<(), Error> {
        let series = self.inner.store.read().await?.crl_series_of(ca_id, page).await?.items;
        // Full lists first: delta lists go with them.
        let (full, delta): (Vec<_>, Vec<_>) = series
            .into_iter()
            .map(|(series, _)| series)
            .filter(|series| series.due_at.is_some())
            .partition(|series| series.scope == series.scope.full());
        for series in full.iter().chain(&delta) {
            match self.make_crl(call, &series.scope, true).await {
                Ok(Outcome::Published | Outcome::NotWanted | Outcome::NotDue) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
