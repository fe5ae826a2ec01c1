//! Making, changing and deleting trusts for client certificates. Whoever may do it decides who else comes in.

use crate::audit::Target;
use crate::change::{Change, by_id, check_if_match, name_conflict, require_if_match, too_many};
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::id::{CaId, CertificateTrustId};
use certwright_domain::identity::{
    CertificateTrust, CertificateTrustSettings, MAX_CERTIFICATE_TRUSTS, RawCertificateTrust,
};
use certwright_domain::name::Reference;
use certwright_store::{Page, PageRequest, Queries};

/// A trust to be made, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificateTrust {
    /// The CA whose certificates it means.
    pub ca: Reference,
    /// Everything else.
    pub settings: RawCertificateTrust,
}

impl App {
    /// Makes a trust.
    pub async fn create_certificate_trust(
        &self,
        call: &Call,
        new: NewCertificateTrust,
    ) -> Result<CertificateTrust, Error> {
        self.may(call, Permission::IdentityProviderManage, "certificate trust")?;
        let settings = read_settings(new.settings)?;
        let ca = self.trusted_ca(call, &new.ca).await?;
        let now = self.now();
        let id = CertificateTrustId::new(now, self.inner.id_entropy());
        let trust = CertificateTrust { id, ca, settings, created_at: now, revision: 1 };
        let mut change = self.inner.begin_change(call, "certificate-trust.create").await?;
        if change.count_certificate_trusts().await? >= MAX_CERTIFICATE_TRUSTS {
            return Err(too_many("too_many_certificate_trusts", "certificate trusts", MAX_CERTIFICATE_TRUSTS));
        }
        self.may_hand_out(&mut change, call, "/groups", trust.settings.groups()).await?;
        let inserted = change.insert_certificate_trust(&trust).await;
        inserted.map_err(|error| name_conflict(error, "certificate trust", trust.settings.name()))?;
        self.finish_trust(call, "certificate-trust.create", change, &trust).await?;
        Ok(trust)
    }

    /// Trusts by name.
    pub async fn certificate_trusts(&self, call: &Call, page: &PageRequest) -> Result<Page<CertificateTrust>, Error> {
        self.may(call, Permission::IdentityProviderRead, "certificate trust")?;
        Ok(self.inner.store.read().await?.certificate_trusts(page).await?)
    }

    /// One trust.
    pub async fn certificate_trust(&self, call: &Call, trust: &Reference) -> Result<CertificateTrust, Error> {
        self.may(call, Permission::IdentityProviderRead, "certificate trust")?;
        find(&mut *self.inner.store.read().await?, trust).await
    }

    /// Replaces a trust; `if_match` is required. The CA stays: certificates of another one are another trust. An empty name
    /// leaves the name as it is.
    pub async fn replace_certificate_trust(
        &self,
        call: &Call,
        trust: &Reference,
        mut raw: RawCertificateTrust,
        if_match: Option<i64>,
    ) -> Result<CertificateTrust, Error> {
        self.may(call, Permission::IdentityProviderManage, "certificate trust")?;
        let mut change = self.inner.begin_change(call, "certificate-trust.replace").await?;
        let before = find(&mut **change, trust).await?;
        require_if_match(if_match, before.revision)?;
        if raw.name.is_empty() {
            raw.name = before.settings.name().to_string();
        }
        let mut after = CertificateTrust { settings: read_settings(raw)?, ..before.clone() };
        if after == before {
            change.undo().await?;
            return Ok(before);
        }
        self.may_hand_out(&mut change, call, "/groups", after.settings.groups()).await?;
        let updated = change.update_certificate_trust(&after).await;
        updated.map_err(|error| name_conflict(error, "certificate trust", after.settings.name()))?;
        self.finish_trust(call, "certificate-trust.replace", change, &after).await?;
        after.revision = after.revision.saturating_add(1);
        Ok(after)
    }

    /// Deletes a trust; `if_match` is checked when given. Nobody comes in by it any more.
    pub async fn delete_certificate_trust(
        &self,
        call: &Call,
        trust: &Reference,
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        self.may(call, Permission::IdentityProviderManage, "certificate trust")?;
        let mut change = self.inner.begin_change(call, "certificate-trust.delete").await?;
        let trust = find(&mut **change, trust).await?;
        check_if_match(if_match, trust.revision)?;
        change.delete_certificate_trust(&trust.id, trust.revision).await?;
        self.finish_trust(call, "certificate-trust.delete", change, &trust).await
    }

    /// A CA that the caller may see. The server's own is nobody's business.
    async fn trusted_ca(&self, call: &Call, reference: &Reference) -> Result<CaId, Error> {
        let ca = by_id(self.may_ca(call, Permission::CaList, reference).await?.as_str())?;
        let found = crate::cas::find(&mut *self.inner.store.read().await?, &ca).await?;
        if found.system { Err(Error::not_found("CA", reference)) } else { Ok(found.id) }
    }

    async fn finish_trust(
        &self,
        call: &Call,
        action: &'static str,
        mut change: Change<'_>,
        trust: &CertificateTrust,
    ) -> Result<(), Error> {
        let RawCertificateTrust { certificate_names, groups, names, enabled, .. } = trust.settings.to_raw();
        let names = names.map_or_else(|| "any".to_owned(), |names| names.join(" "));
        let details = [
            ("ca", trust.ca.as_str()),
            ("certificateNames", &certificate_names.join(" ")),
            ("groups", &groups.join(" ")),
            ("names", &names),
            ("enabled", if enabled { "true" } else { "false" }),
        ];
        let target = Target { kind: "certificate-trust", id: trust.id.as_str(), name: trust.settings.name().as_str() };
        change.insert_audit(&self.inner.audit(call, action, target, &details)).await?;
        change.commit().await
    }
}

fn read_settings(raw: RawCertificateTrust) -> Result<CertificateTrustSettings, Error> {
    CertificateTrustSettings::new(raw).map_err(|faults| {
        Error::Invalid(faults.into_iter().map(|(pointer, invalid)| Pointed::at(pointer, invalid)).collect())
    })
}

async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<CertificateTrust, Error> {
    let found = queries.certificate_trust(reference).await?;
    found.ok_or_else(|| Error::not_found("certificate trust", reference))
}
