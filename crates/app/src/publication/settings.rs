//! What a CA may say of its publication, and what becomes of what it said before.

use crate::change::Change;
use crate::{App, Error};
use certwright_domain::ca::Ca;
use certwright_domain::crl::Shards;
use certwright_domain::id::CaId;
use certwright_domain::name::ResourceName;
use certwright_domain::publication::{Misplaced, ObjectKind, PastPublication, Placed, Publication};
use certwright_domain::violation::Invalid;
use certwright_store::Queries;

/// The code of a target that the configuration does not have.
const UNKNOWN_TARGET: &str = "unknown_publication_target";

impl App {
    /// What is wrong with a target that a CA uses: this node's configuration does not have it any more. `None`: it is there.
    pub(crate) fn target_lost(&self, target: &ResourceName) -> Option<Invalid> {
        let unknown = self.inner.targets.get(target).err()?;
        let known = self.inner.targets.names();
        let others = match known.is_empty() {
            true => String::new(),
            false => format!(" (there are: {})", known.join(", ")),
        };
        let hint = format!(
            "Set up `[publication.{target}]` in the server's configuration again, or change the CA's publication to \
             another target{others}."
        );
        Some(Invalid::new(UNKNOWN_TARGET, unknown.to_string(), hint))
    }

    /// Is there such a target, can the lists be told apart, and are the names free? `ca_id`: the CA, where it is there
    /// already. Within a change, what is found stays so until the commit.
    pub(crate) async fn check_publication(
        &self,
        queries: &mut dyn Queries,
        ca_id: Option<&CaId>,
        publication: &Publication,
        shards: Shards,
    ) -> Result<(), Error> {
        if self.inner.targets.get(publication.target()).is_err() {
            let known = self.inner.targets.names();
            let hint = match known.is_empty() {
                true => "No target is set up: the server's operator adds one to `[publication]`.".to_owned(),
                false => format!("Choose one of: {}.", known.join(", ")),
            };
            let detail = format!("There is no target `{}`.", publication.target());
            return Err(Error::invalid("/revocation/publication/target", Invalid::new(UNKNOWN_TARGET, detail, hint)));
        }
        publication.fits(shards).map_err(|(kind, invalid)| Error::invalid(pointer(kind), invalid))?;
        for (other, name, theirs) in queries.publications().await? {
            let own = Some(&other) == ca_id;
            if own {
                continue;
            }
            publication.refuse_meeting(&theirs, false, &format!("CA {name}")).map_err(taken)?;
        }
        let Some(ca_id) = ca_id else { return Ok(()) };
        for past in queries.past_publications(ca_id).await? {
            publication.refuse_meeting(&past.publication, true, "an earlier publication of this CA").map_err(taken)?;
        }
        Ok(())
    }

    /// Notes that a CA's publication changed: what certificates name goes on until the last of them has expired. Switched
    /// off means off: nothing is written any more.
    pub(crate) async fn retire_publication(
        &self,
        tx: &mut Change<'_>,
        ca: &Ca,
        before: Option<Publication>,
    ) -> Result<(), Error> {
        let past = tx.past_publications(&ca.id).await?;
        let over = |one: &&PastPublication| ca.publication.as_ref().is_none_or(|now| *now == one.publication);
        for one in past.iter().filter(over) {
            tx.forget_publication(&ca.id, one.number).await?;
        }
        let (Some(_), Some(before)) = (&ca.publication, before) else { return Ok(()) };
        let is_named = before.placed().any(|(_, placed): (ObjectKind, &Placed)| !placed.urls().is_empty());
        let last = tx.last_expiry(&ca.id).await?.filter(|last| is_named && *last > self.now());
        let Some(retires_at) = last else { return Ok(()) };
        let kept = past.iter().filter(|one| !over(one)).count();
        if kept >= Publication::MAX_PAST {
            return Err(Error::conflict(
                "too_many_publications",
                format!("Certificates of CA {} name {kept} earlier publications already.", ca.name),
                "Wait until some of them have expired, or go back to an earlier publication.",
            ));
        }
        let past = PastPublication { number: ca.revision, publication: before, retires_at };
        Ok(tx.retire_publication(&ca.id, &past).await?)
    }
}

fn taken((_, invalid): Misplaced) -> Error {
    Error::conflict(invalid.code, invalid.detail, invalid.hint)
}

/// Where a request says how objects of this kind are called.
fn pointer(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::List => "/revocation/publication/objectNameFormat",
        ObjectKind::Delta => "/revocation/publication/deltaNameFormat",
        ObjectKind::Issuer => "/revocation/publication/issuerNameFormat",
    }
}
