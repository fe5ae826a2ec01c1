//! "May the caller do this to that?", one function for each kind of resource.
//!
//! Each finds the resource, asks for leave, and gives back a reference by id: what was judged is what is then touched,
//! even if names change hands meanwhile. Whoever may not even see it gets the answer that an absent one gets.

use super::{CaPrincipal, Leave, Object, Permission, Placed};
use crate::change::by_id;
use crate::{App, Call, Error};
use certwright_domain::ca::Ca;
use certwright_domain::id::{CompartmentId, KeyId, VaultId};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::name::Reference;
use certwright_domain::profile::{Profile, StoredProfile};
use certwright_store::{Page, Queries};
use std::collections::BTreeMap;

impl App {
    /// Something that concerns the whole tenancy.
    pub(crate) fn may(&self, call: &Call, permission: Permission, kind: &'static str) -> Result<(), Error> {
        self.authorize(call, permission, &Object::tenancy(kind)).map(drop)
    }

    /// Something is to be made: where? The compartment of the call, or `default`.
    pub(crate) async fn may_make(
        &self,
        call: &Call,
        permission: Permission,
        kind: &'static str,
        default: CompartmentId,
    ) -> Result<CompartmentId, Error> {
        self.may_make_with(&mut *self.inner.store.read().await?, call, permission, kind, default).await
    }

    /// The same in an open transaction.
    pub(crate) async fn may_make_with(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        permission: Permission,
        kind: &'static str,
        default: CompartmentId,
    ) -> Result<CompartmentId, Error> {
        let Some(reference) = &call.compartment else {
            self.authorize(call, permission, &Object::place(kind, default.clone()))?;
            return Ok(default);
        };
        let known = queries.compartment(reference).await?;
        let known = known.ok_or_else(|| Error::not_found("compartment", reference))?;
        // Whoever may make nothing there and does not see the compartment is not told that it exists.
        let place = Object { kind: "compartment", ..Object::place(kind, known.id.clone()) };
        self.authorize(call, permission, &place.called(reference))?;
        Ok(known.id)
    }

    pub(crate) async fn may_vault(
        &self,
        call: &Call,
        permission: Permission,
        vault: &Reference,
    ) -> Result<Reference, Error> {
        if let Some(same) = self.as_system(call, permission, vault)? {
            return Ok(same);
        }
        let mut read = self.inner.store.read().await?;
        let found = crate::vaults::find_vault(&mut *read, vault).await?;
        let compartment = read.compartment_of(found.id.as_str()).await?;
        self.authorize(call, permission, &Object::vault(&found, compartment).called(vault))?;
        by_id(found.id.as_str())
    }

    pub(crate) async fn may_key(
        &self,
        call: &Call,
        permission: Permission,
        vault: &Reference,
        key: &Reference,
    ) -> Result<(Reference, Reference), Error> {
        self.leave_for_key(call, permission, vault, key).await.map(|(vault, key, _)| (vault, key))
    }

    /// A key that is to become a CA's: the caller must be allowed to use it.
    pub(crate) async fn may_use_key(
        &self,
        call: &Call,
        vault: &Reference,
        key: &Reference,
    ) -> Result<(Reference, Reference, Leave), Error> {
        self.leave_for_key(call, Permission::KeyUse, vault, key).await
    }

    async fn leave_for_key(
        &self,
        call: &Call,
        permission: Permission,
        vault: &Reference,
        key: &Reference,
    ) -> Result<(Reference, Reference, Leave), Error> {
        let mut read = self.inner.store.read().await?;
        let holder = crate::vaults::find_vault(&mut *read, vault).await?;
        let place = read.compartment_of(holder.id.as_str()).await?;
        // A vault that may not be seen is as absent as one that is not there, whatever key is asked for.
        let seen = self.is_allowed(call, Permission::VaultList, &Object::vault(&holder, place));
        let hidden = |error: Error| match error {
            Error::NotFound { .. } if !seen => Error::not_found("vault", vault),
            other => other,
        };
        let found = read.key(&holder.id, key).await?.ok_or_else(|| hidden(Error::not_found("key", key)))?;
        let compartment = read.compartment_of(found.id.as_str()).await?;
        let named = (holder.id.as_str(), holder.name.as_str());
        let object = Object::key(named, &found, compartment).called(key);
        let leave = self.authorize(call, permission, &object).map_err(hidden)?;
        Ok((by_id(holder.id.as_str())?, by_id(found.id.as_str())?, leave))
    }

    pub(crate) async fn may_ca(&self, call: &Call, permission: Permission, ca: &Reference) -> Result<Reference, Error> {
        if let Some(same) = self.as_system(call, permission, ca)? {
            return Ok(same);
        }
        let mut read = self.inner.store.read().await?;
        let found = crate::cas::find(&mut *read, ca).await?;
        let compartment = read.compartment_of(found.id.as_str()).await?;
        self.authorize(call, permission, &Object::ca(&found, compartment).called(ca))?;
        by_id(found.id.as_str())
    }

    /// Where a CA lies that the caller may see, or may have sign.
    pub(crate) async fn seen_ca(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        ca: &Reference,
    ) -> Result<CompartmentId, Error> {
        let found = crate::cas::find(queries, ca).await?;
        let compartment = queries.compartment_of(found.id.as_str()).await?;
        let object = Object::ca(&found, compartment.clone());
        let seen = [Permission::CaList, Permission::CaIssue];
        match seen.into_iter().any(|permission| self.is_allowed(call, permission, &object)) {
            true => Ok(compartment),
            false => Err(Error::not_found("CA", ca)),
        }
    }

    pub(crate) async fn may_certificate(
        &self,
        call: &Call,
        permission: Permission,
        certificate: &Reference,
    ) -> Result<Reference, Error> {
        if let Some(same) = self.as_system(call, permission, certificate)? {
            return Ok(same);
        }
        let mut read = self.inner.store.read().await?;
        let found = crate::certificates::find(&mut *read, certificate).await?;
        let compartment = read.compartment_of(found.id.as_str()).await?;
        self.authorize(call, permission, &Object::certificate(&found, compartment).called(certificate))?;
        by_id(found.id.as_str())
    }

    pub(crate) async fn may_profile(
        &self,
        call: &Call,
        permission: Permission,
        profile: &Reference,
    ) -> Result<Reference, Error> {
        if let Some(same) = self.as_system(call, permission, profile)? {
            return Ok(same);
        }
        let mut read = self.inner.store.read().await?;
        let (found, compartment) = match Profile::built_in(profile.as_str()) {
            Some(profile) => {
                (StoredProfile { id: None, profile, created_at: None, revision: 0 }, CompartmentId::tenancy())
            }
            None => {
                let found = read.profile(profile).await?.ok_or_else(|| Error::not_found("profile", profile))?;
                let id = found.id.as_ref().map_or("", |id| id.as_str());
                let compartment = read.compartment_of(id).await?;
                (found, compartment)
            }
        };
        self.authorize(call, permission, &Object::profile(&found, compartment).called(profile))?;
        found.id.as_ref().map_or_else(|| Ok(profile.clone()), |id| by_id(id.as_str()))
    }

    pub(crate) async fn may_ca_bundle(
        &self,
        call: &Call,
        permission: Permission,
        bundle: &Reference,
    ) -> Result<Reference, Error> {
        if let Some(same) = self.as_system(call, permission, bundle)? {
            return Ok(same);
        }
        let mut read = self.inner.store.read().await?;
        let found = read.ca_bundle(bundle).await?.ok_or_else(|| Error::not_found("CA bundle", bundle))?;
        let compartment = read.compartment_of(found.id.as_str()).await?;
        self.authorize(call, permission, &Object::ca_bundle(&found, compartment).called(bundle))?;
        by_id(found.id.as_str())
    }

    /// A row of the inventory, called `reference`.
    pub(crate) async fn may_issued(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        permission: Permission,
        row: &IssuedCertificate,
        reference: &str,
    ) -> Result<(), Error> {
        let compartment = queries.compartment_of(row.ca_id.as_str()).await?;
        self.authorize(call, permission, &Object::issued(row, compartment).called_as(reference)).map(drop)
    }

    /// May a CA use its key? Its own principal asks; the server's own CA needs nobody's leave.
    pub(crate) async fn ca_may_use_key(
        &self,
        queries: &mut dyn Queries,
        ca: &Ca,
        vault: &VaultId,
        key: &KeyId,
    ) -> Result<(), Error> {
        if ca.system {
            return Ok(());
        }
        let home = queries.compartment_of(ca.id.as_str()).await?;
        let principal = CaPrincipal { id: ca.id.as_str(), name: ca.name.as_str(), home: &home };
        self.ca_may_use(queries, principal, vault, key).await
    }

    /// The same for a CA that may only be about to be made.
    pub(crate) async fn ca_may_use(
        &self,
        queries: &mut dyn Queries,
        ca: CaPrincipal<'_>,
        vault: &VaultId,
        key: &KeyId,
    ) -> Result<(), Error> {
        let missing = || Error::Internal(format!("{key} of CA {} is missing", ca.name));
        let found = queries.key_by_id(key).await?.ok_or_else(missing)?;
        let holder = queries.vault(&by_id(vault.as_str())?).await?.ok_or_else(missing)?;
        let compartment = queries.compartment_of(found.id.as_str()).await?;
        let object = Object::key((holder.id.as_str(), holder.name.as_str()), &found, compartment);
        let snapshot = self.access_of(queries).await?;
        snapshot.require_for_ca(&ca, Permission::KeyUse, &object, self.now())
    }

    /// Those items of a page that the caller may list.
    pub(crate) async fn visible<T: Placed>(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        permission: Permission,
        page: Page<T>,
    ) -> Result<Page<T>, Error> {
        if call.caller.is_system() {
            self.may(call, permission, "list")?;
            return Ok(page);
        }
        self.may_list(call, permission)?;
        let ids: Vec<&str> = page.items.iter().map(Placed::lies_with).collect();
        let places: BTreeMap<String, CompartmentId> = queries.compartments_of(&ids).await?;
        let Page { mut items, next } = page;
        items.retain(|item| {
            let place = places.get(item.lies_with()).cloned().unwrap_or_else(CompartmentId::tenancy);
            self.is_allowed(call, permission, &item.object(place))
        });
        Ok(Page { items, next })
    }

    /// The server itself needs no look-up: only whether this is among the things that it does.
    fn as_system(&self, call: &Call, permission: Permission, same: &Reference) -> Result<Option<Reference>, Error> {
        if !call.caller.is_system() {
            return Ok(None);
        }
        self.may(call, permission, "resource")?;
        Ok(Some(same.clone()))
    }
}
