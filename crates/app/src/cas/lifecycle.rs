//! Changing, switching, revoking and deleting CAs.

use super::create::{check_lifetime, not_renewable_by_rule};
use super::read::{find, find_version, view};
use super::refusals::refuse_blocked_key;
use super::{CaView, UpdateCa};
use crate::audit::Target;
use crate::change::{Change, by_id, name_conflict, refuse_final_deletion, require_if_match};
use crate::{App, Call, Error, Permission};
use certwright_domain::ca::{Ca, CaState, CaType, CaVersion, RevocationSettings};
use certwright_domain::event::EventKind;
use certwright_domain::key::{KeyState, deletion_time};
use certwright_domain::name::Reference;
use certwright_domain::publication::Publication;
use certwright_domain::time::Timestamp;
use certwright_store::Queries;

impl App {
    /// Changes rules or state; `if_match` is required.
    pub async fn update_ca(
        &self,
        call: &Call,
        ca: &Reference,
        update: UpdateCa,
        if_match: Option<i64>,
    ) -> Result<CaView, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        let mut ca = find(&mut *self.inner.store.read().await?, ca).await?;
        require_if_match(if_match, ca.revision)?;
        check_lifetime("/rules/leafMaxValidity", update.leaf_max_validity)?;
        check_lifetime("/rules/subordinateMaxValidity", update.subordinate_max_validity)?;
        let mut changes = Vec::new();
        if let Some(name) = update.name.filter(|name| *name != ca.name) {
            changes.push(("name", name.to_string()));
            ca.name = name;
        }
        if let Some(span) = update.leaf_max_validity {
            changes.push(("leafMaxValidity", span.to_string()));
            ca.rules.leaf_max_validity = span;
        }
        if let Some(span) = update.subordinate_max_validity {
            changes.push(("subordinateMaxValidity", span.to_string()));
            ca.rules.subordinate_max_validity = span;
        }
        let revocation_before = update.revocation.map(|_| ca.revocation);
        if let Some(revocation) = update.revocation {
            changes.push(("revocation", revocation.to_string()));
            ca.revocation = revocation;
        }
        let publication_before = update.publication.as_ref().map(|_| ca.publication.clone());
        if let Some(publication) = update.publication {
            let shown = publication.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            changes.push(("publication", shown));
            ca.publication = publication;
        }
        if let Some(renewal) = update.renewal {
            if renewal.is_some() && !matches!(ca.ca_type, CaType::Root | CaType::Subordinate) {
                return Err(not_renewable_by_rule());
            }
            changes.push(("renewal", renewal.map_or_else(|| "none".to_owned(), |rule| rule.to_string())));
            ca.renewal = renewal;
            ca.renewal_failures = 0;
        }
        if let Some(enabled) = update.enabled {
            ca.state = switched(&ca, enabled)?;
            changes.push(("state", ca.state.to_string()));
        }
        let facts: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = if call.dry_run { self.refused_renewals(&ca).await? } else { Vec::new() };
        let before = Before {
            revocation: revocation_before.filter(|before| *before != ca.revocation),
            publication: publication_before.filter(|before| *before != ca.publication),
        };
        let tx = self.inner.begin_change(call, "ca.update").await?;
        let view = self.write_ca(call, tx, "ca.update", ca, &facts, None, before).await?;
        Ok(CaView { refused_renewals: refused, ..view })
    }

    /// Takes a version into use.
    pub async fn make_ca_version_current(&self, call: &Call, ca: &Reference, number: u32) -> Result<CaView, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        let mut tx = self.inner.begin_change(call, "ca.make-current").await?;
        let mut ca = find(&mut **tx, ca).await?;
        let version = find_version(&mut **tx, &ca, number).await?;
        if ca.versions.current == Some(number) {
            tx.undo().await?;
            return view(&mut self.inner.store.read().await?, ca, None).await;
        }
        refuse_blocked_key(&mut **tx, version.spki_sha256.as_ref()).await?;
        let refuse = |code, why: &str, hint: &str| {
            Err(Error::conflict(code, format!("Version {number} of CA {} {why}.", ca.name), hint))
        };
        let expired = version.validity.is_none_or(|v| self.inner.clock.now().floor_to_second() > v.not_after());
        match ca.versions.make_current(number) {
            _ if version.certificate.is_none() => {
                return refuse("ca_without_certificate", "waits for its certificate", "Install the certificate first.");
            }
            _ if version.revocation.is_some() => return refuse("version_revoked", "is revoked", "Renew the CA."),
            _ if expired => return refuse("version_expired", "has expired", "Renew the CA."),
            None => return refuse("version_deprecated", "is deprecated", "Renew the CA to get a new version."),
            Some(pointers) => ca.versions = pointers,
        }
        let kind = Some((EventKind::CaVersionMadeCurrent, &version));
        let facts = [("version", &*number.to_string())];
        self.write_ca(call, tx, "ca.make-current", ca, &facts, kind, Before::default()).await
    }

    /// Schedules deletion; refused while live children or leaves depend on it.
    pub async fn schedule_ca_deletion(
        &self,
        call: &Call,
        ca: &Reference,
        at: Option<Timestamp>,
    ) -> Result<CaView, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        let now = self.inner.clock.now();
        let at = deletion_time(now, at).map_err(|invalid| Error::invalid("/deletionAt", invalid))?;
        // From here on nothing is made that would rest on it.
        let mut tx = self.inner.begin_change(call, "ca.schedule-deletion").await?;
        let mut ca = find(&mut **tx, ca).await?;
        if matches!(ca.state, CaState::PendingDeletion | CaState::Deleted) {
            return Err(Error::conflict(
                "deletion_scheduled",
                format!("CA {} is {} already.", ca.name, ca.state),
                "Cancel its deletion first to choose another time.",
            ));
        }
        let (children, leaves) = (tx.live_children(&ca.id).await?, tx.live_leaves(&ca.id, now, 1_000).await?);
        let managed = tx.live_certificates(&ca.id).await?;
        if children > 0 || leaves > 0 || managed > 0 {
            let many = if leaves >= 1_000 { "1000 or more".to_owned() } else { leaves.to_string() };
            return Err(Error::conflict(
                "ca_in_use",
                format!(
                    "CA {} has {children} live subordinate CAs, {managed} managed certificates and {many} live certificates.",
                    ca.name
                ),
                "Delete the subordinate CAs and the managed certificates, and revoke the live ones or wait until they expire.",
            ));
        }
        ca.state_before_deletion = Some(ca.state);
        ca.state = CaState::PendingDeletion;
        ca.deletion_at = Some(at);
        let facts = [("deletionAt", &*at.to_string())];
        self.write_ca(call, tx, "ca.schedule-deletion", ca, &facts, None, Before::default()).await
    }

    /// Cancels a scheduled deletion; the CA goes back to the state it had.
    pub async fn cancel_ca_deletion(&self, call: &Call, ca: &Reference) -> Result<CaView, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        let mut tx = self.inner.begin_change(call, "ca.cancel-deletion").await?;
        let mut ca = find(&mut **tx, ca).await?;
        let key = match &ca.key {
            Some((_, key)) => tx.key_by_id(key).await?,
            None => None,
        };
        if ca.state != CaState::PendingDeletion {
            return Err(Error::conflict(
                "deletion_not_scheduled",
                format!("CA {} is {}; there is no deletion to cancel.", ca.name, ca.state),
                "Nothing is left to do.",
            ));
        }
        refuse_final_deletion("CA", ca.deletion_at, self.inner.clock.now())?;
        if let Some(key) = key.filter(|key| matches!(key.state, KeyState::PendingDeletion | KeyState::Deleted)) {
            return Err(Error::conflict(
                "key_not_enabled",
                format!("Key {} of CA {} is {}.", key.name, ca.name, key.state),
                "Cancel the deletion of the key first; a CA whose key is gone cannot come back.",
            ));
        }
        ca.state = ca.state_before_deletion.take().unwrap_or(CaState::Disabled);
        ca.deletion_at = None;
        self.write_ca(call, tx, "ca.cancel-deletion", ca, &[], None, Before::default()).await
    }

    /// Writes a changed CA (compare-and-swap on its revision) with its audit event and, where there is one, the event
    /// about a version, and reads it back.
    #[expect(clippy::too_many_arguments, reason = "what is told of a change beside the change")]
    async fn write_ca(
        &self,
        call: &Call,
        mut tx: Change<'_>,
        action: &'static str,
        mut ca: Ca,
        facts: &[(&str, &str)],
        event: Option<(EventKind, &CaVersion)>,
        before: Before,
    ) -> Result<CaView, Error> {
        not_the_servers_own(call, &ca)?;
        schedule(&mut **tx, &mut ca).await?;
        // What this CA refused yesterday it may sign today.
        tx.wake_certificates(&ca.id, self.now()).await?;
        tx.update_ca(&ca).await.map_err(|error| name_conflict(error, "CA", &ca.name))?;
        let is_published_otherwise = before.publication.is_some();
        if let Some(before) = before.publication {
            self.retire_publication(&mut tx, &ca, before).await?;
            // Lists tell where they and their delta lists are.
            tx.hurry_crl_series(&ca.id, self.now()).await?;
        }
        // After that: what it published until now counts as well.
        if let Some(publication) =
            ca.publication.as_ref().filter(|_| is_published_otherwise || before.revocation.is_some())
        {
            self.check_publication(&mut **tx, Some(&ca.id), publication, ca.revocation.crl_shards).await?;
        }
        if let Some(before) = before.revocation {
            let now = self.now();
            if before.crl_shards != ca.revocation.crl_shards {
                // Certificates of today name lists that go on until the last of them has expired.
                let retires_at = tx.last_expiry(&ca.id).await?.unwrap_or(now);
                tx.cut_crls(&ca.id, ca.revocation.crl_shards, retires_at).await?;
            }
            tx.hurry_crl_series(&ca.id, now).await?;
        }
        if let Some((kind, version)) = event {
            self.inner.tell_of_ca(&mut **tx, call, kind, &ca, Some(version), &[]).await?;
        }
        self.finish_ca(call, action, tx, &ca, facts).await?;
        let mut read = self.inner.store.read().await?;
        if call.dry_run {
            return view(&mut read, ca, None).await;
        }
        let ca = find(&mut *read, &by_id(ca.id.as_str())?).await?;
        view(&mut read, ca, None).await
    }

    pub(crate) async fn finish_ca(
        &self,
        call: &Call,
        action: &'static str,
        mut tx: Change<'_>,
        ca: &Ca,
        facts: &[(&str, &str)],
    ) -> Result<(), Error> {
        let target = Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
        let audit = self.inner.audit(call, action, target, facts);
        tx.insert_audit(&audit).await?;
        tx.commit().await
    }
}

/// What was so before a change; `None`: it stays.
#[derive(Default)]
struct Before {
    revocation: Option<RevocationSettings>,
    publication: Option<Option<Publication>>,
}

/// Says when the renewal job looks at the CA next.
pub(crate) async fn schedule(queries: &mut dyn Queries, ca: &mut Ca) -> Result<(), Error> {
    let current = match ca.versions.current {
        Some(number) => queries.ca_version(&ca.id, number).await?,
        None => None,
    };
    let latest = queries.ca_version(&ca.id, ca.versions.latest).await?;
    ca.next_renewal_at = ca.next_renewal(current.as_ref(), latest.as_ref());
    Ok(())
}

/// Refuses operators' changes to the server's own CA.
pub(super) fn not_the_servers_own(call: &Call, ca: &Ca) -> Result<(), Error> {
    if ca.system && !call.caller.is_system() {
        return Err(Error::conflict(
            "system_resource",
            format!("CA {} belongs to the server itself.", ca.name),
            "Make a CA of your own.",
        ));
    }
    Ok(())
}

fn switched(ca: &Ca, enabled: bool) -> Result<CaState, Error> {
    match (ca.state, enabled) {
        (CaState::Active | CaState::Disabled, true) => Ok(CaState::Active),
        (CaState::Active | CaState::Disabled, false) => Ok(CaState::Disabled),
        (state, _) => Err(Error::conflict(
            "ca_not_switchable",
            format!("CA {} is {state} and can be neither enabled nor disabled.", ca.name),
            "Cancel its deletion, or install its certificate first.",
        )),
    }
}
