//! Which objects there are to be: what CAs publish, by series and version.

use crate::change::by_id;
use crate::{App, Error};
use certwright_domain::ca::CaState;
use certwright_domain::id::CaId;
use certwright_domain::publication::PublishedObject;
use certwright_store::Reader;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// What is to be done about the objects of a CA.
#[derive(Default)]
struct Difference {
    gone: Vec<PublishedObject>,
    new: Vec<PublishedObject>,
}

impl App {
    /// Writes down the objects that CAs want, and forgets those that they do not want any more. Looks when the
    /// configuration has changed.
    pub(super) async fn plan_publications(&self) -> Result<(), Error> {
        // Series are what most objects hold.
        self.plan_crls().await?;
        let mut read = self.inner.store.read().await?;
        // Read before everything else: what changes meanwhile raises it, and is looked at again.
        let epoch = read.epoch().await?;
        if self.inner.publications.planned_epoch.load(Ordering::Acquire) == epoch {
            return Ok(());
        }
        let mut differences = Vec::new();
        for ca_id in read.publishing_cas().await? {
            differences.push(self.difference(&mut read, &ca_id).await?);
        }
        drop(read);
        // A name that one CA gives up may be another's from now on.
        for gone in differences.iter().map(|one| &one.gone).filter(|gone| !gone.is_empty()) {
            let mut tx = self.inner.store.begin("publication.forget").await?;
            for object in gone {
                tx.delete_published_object(object).await?;
            }
            tx.commit().await?;
        }
        for new in differences.iter().map(|one| &one.new).filter(|new| !new.is_empty()) {
            let mut tx = self.inner.store.begin("publication.plan").await?;
            for object in new {
                if !tx.insert_published_object(object).await? {
                    tracing::debug!(target = %object.target, object.name = %object.name, "another node was faster");
                }
            }
            tx.commit().await?;
        }
        self.inner.publications.planned_epoch.store(epoch, Ordering::Release);
        Ok(())
    }

    async fn difference(&self, read: &mut Reader<'_>, ca_id: &CaId) -> Result<Difference, Error> {
        let now = self.now();
        let ca = read.ca(&by_id(ca_id.as_str())?).await?;
        let mut wanted = BTreeMap::new();
        if let Some(ca) = ca.filter(|ca| ca.state != CaState::Deleted) {
            let past = read.past_publications(ca_id).await?;
            let past = past.into_iter().filter(|past| past.retires_at >= now).map(|past| past.publication);
            let (scopes, versions) = (read.crl_scopes(ca_id).await?, read.ca_versions(ca_id).await?);
            // The one in force comes last: where names are the same, they mean the same.
            for publication in past.chain(ca.publication) {
                let target = publication.target();
                let lists = scopes.iter().filter_map(|scope| {
                    Some(PublishedObject::of_list(target, publication.list_object(scope)?, scope, now))
                });
                let certificates = versions.iter().filter(|version| !version.failed).filter_map(|version| {
                    let name = publication.issuer_object(version.number)?;
                    Some(PublishedObject::of_issuer(target, name, ca_id, version.number, now))
                });
                wanted.extend(lists.chain(certificates).map(|object| (key(&object), object)));
            }
        }
        let mut difference = Difference::default();
        for known in read.published_objects(ca_id).await? {
            match wanted.get(&key(&known)) {
                Some(object) if holds_the_same(object, &known) => drop(wanted.remove(&key(&known))),
                _ => difference.gone.push(known),
            }
        }
        difference.new = wanted.into_values().collect();
        Ok(difference)
    }
}

fn key(object: &PublishedObject) -> (String, String) {
    (object.target.to_string(), object.name.to_string())
}

fn holds_the_same(one: &PublishedObject, other: &PublishedObject) -> bool {
    one.kind == other.kind && one.ca_version == other.ca_version && one.scope() == other.scope()
}
