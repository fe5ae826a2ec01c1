//! Changing, switching, revoking and deleting CAs.

use super::create::{check_lifetime, not_renewable_by_rule};
use super::read::{find, find_version, view};
use super::{CaView, UpdateCa};
use crate::audit::Target;
use crate::change::{Change, by_id, name_conflict, refuse_final_deletion, require_if_match};
use crate::{App, Call, Caller, Error, Permission};
use certwright_domain::ca::{Ca, CaState, CaType, CaVersion};
use certwright_domain::event::EventKind;
use certwright_domain::key::{KeyState, deletion_time};
use certwright_domain::name::Reference;
use certwright_domain::revocation::{Revocation, RevocationReason};
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
        self.authorize(call, Permission::CaManage)?;
        let mut ca = find(&mut self.inner.store.read().await?, ca).await?;
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
        if let Some(revocation) = update.revocation {
            changes.push(("crl", format!("{} {}", revocation.crl_enabled, revocation.crl_lifetime)));
            changes.push(("ocsp", format!("{} {}", revocation.ocsp_enabled, revocation.ocsp_responder)));
            ca.revocation = revocation;
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
        let view = self.write_ca(call, "ca.update", ca, &facts, None).await?;
        Ok(CaView { refused_renewals: refused, ..view })
    }

    /// Takes a version into use.
    pub async fn make_ca_version_current(&self, call: &Call, ca: &Reference, number: u32) -> Result<CaView, Error> {
        self.authorize(call, Permission::CaManage)?;
        let mut read = self.inner.store.read().await?;
        let mut ca = find(&mut read, ca).await?;
        let version = find_version(&mut read, &ca, number).await?;
        if ca.versions.current == Some(number) {
            return view(&mut read, ca, None).await;
        }
        drop(read);
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
        self.write_ca(call, "ca.make-current", ca, &[("version", &number.to_string())], kind).await
    }

    /// Marks a version's certificate as revoked; roots and certificates that we did not sign are refused.
    pub async fn revoke_ca_version(
        &self,
        call: &Call,
        ca: &Reference,
        number: u32,
        reason: RevocationReason,
    ) -> Result<CaView, Error> {
        self.authorize(call, Permission::CaManage)?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut read, ca).await?;
        let version = find_version(&mut read, &ca, number).await?;
        let (Some(_), Some(issued)) = (&ca.issuer_id, &version.issued_id) else {
            return Err(Error::conflict(
                "not_revocable",
                format!("Version {number} of CA {} was not issued by another CA of ours.", ca.name),
                "A root is distrusted where it is trusted; a foreign certificate is revoked by its issuer.",
            ));
        };
        match version.revocation {
            Some(earlier) if earlier.reason == reason => return view(&mut read, ca, Some(number)).await,
            Some(earlier) => {
                return Err(Error::conflict(
                    "already_revoked",
                    format!("Version {number} of CA {} was revoked at {} ({}).", ca.name, earlier.at, earlier.reason),
                    "Nothing is left to do.",
                ));
            }
            None => {}
        }
        drop(read);
        let revocation = Revocation { at: self.inner.clock.now(), reason };
        let mut tx = self.inner.begin_change(call, "ca.revoke").await?;
        tx.revoke_ca_version(&ca.id, number, &revocation).await?;
        tx.revoke_issued(issued, &revocation).await?;
        let (kind, why) = (EventKind::CaRevoked, [("reason", reason.as_str())]);
        self.inner.tell_of_ca(&mut **tx, call, kind, &ca, Some(&version), &why).await?;
        let facts = [("version", number.to_string()), ("reason", reason.to_string())];
        let facts: Vec<(&str, &str)> = facts.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.finish_ca(call, "ca.revoke", tx, &ca, &facts).await?;
        self.forget_ocsp(version.serial.as_ref());
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut read, &by_id(ca.id.as_str())?).await?;
        view(&mut read, ca, Some(number)).await
    }

    /// Schedules deletion; refused while live children or leaves depend on it.
    pub async fn schedule_ca_deletion(
        &self,
        call: &Call,
        ca: &Reference,
        at: Option<Timestamp>,
    ) -> Result<CaView, Error> {
        self.authorize(call, Permission::CaManage)?;
        let now = self.inner.clock.now();
        let at = deletion_time(now, at).map_err(|invalid| Error::invalid("/deletionAt", invalid))?;
        let mut read = self.inner.store.read().await?;
        let mut ca = find(&mut read, ca).await?;
        if matches!(ca.state, CaState::PendingDeletion | CaState::Deleted) {
            return Err(Error::conflict(
                "deletion_scheduled",
                format!("CA {} is {} already.", ca.name, ca.state),
                "Cancel its deletion first to choose another time.",
            ));
        }
        let (children, leaves) = (read.live_children(&ca.id).await?, read.live_leaves(&ca.id, now, 1_000).await?);
        let managed = read.live_certificates(&ca.id).await?;
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
        drop(read);
        ca.state_before_deletion = Some(ca.state);
        ca.state = CaState::PendingDeletion;
        ca.deletion_at = Some(at);
        self.write_ca(call, "ca.schedule-deletion", ca, &[("deletionAt", &at.to_string())], None).await
    }

    /// Cancels a scheduled deletion; the CA goes back to the state it had.
    pub async fn cancel_ca_deletion(&self, call: &Call, ca: &Reference) -> Result<CaView, Error> {
        self.authorize(call, Permission::CaManage)?;
        let mut read = self.inner.store.read().await?;
        let mut ca = find(&mut read, ca).await?;
        let key = match &ca.key {
            Some((_, key)) => read.key_by_id(key).await?,
            None => None,
        };
        drop(read);
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
        self.write_ca(call, "ca.cancel-deletion", ca, &[], None).await
    }

    /// Writes a changed CA (compare-and-swap on its revision) with its audit event and, where there is one, the event
    /// about a version, and reads it back.
    async fn write_ca(
        &self,
        call: &Call,
        action: &'static str,
        mut ca: Ca,
        facts: &[(&str, &str)],
        event: Option<(EventKind, &CaVersion)>,
    ) -> Result<CaView, Error> {
        not_the_servers_own(call, &ca)?;
        let mut tx = self.inner.begin_change(call, action).await?;
        schedule(&mut **tx, &mut ca).await?;
        // What this CA refused yesterday it may sign today.
        tx.wake_certificates(&ca.id, self.now()).await?;
        tx.update_ca(&ca).await.map_err(|error| name_conflict(error, "CA", &ca.name))?;
        if let Some((kind, version)) = event {
            self.inner.tell_of_ca(&mut **tx, call, kind, &ca, Some(version), &[]).await?;
        }
        self.finish_ca(call, action, tx, &ca, facts).await?;
        let mut read = self.inner.store.read().await?;
        if call.dry_run {
            return view(&mut read, ca, None).await;
        }
        let ca = find(&mut read, &by_id(ca.id.as_str())?).await?;
        view(&mut read, ca, None).await
    }

    async fn finish_ca(
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

/// Says when the renewal job looks at the CA next.
pub(super) async fn schedule(queries: &mut dyn Queries, ca: &mut Ca) -> Result<(), Error> {
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
    if ca.system && call.caller != Caller::system() {
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
