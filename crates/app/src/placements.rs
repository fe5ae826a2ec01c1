//! Where resources lie. What was never moved lies in the tenancy.

use crate::access::Object;
use crate::audit::Target;
use crate::change::by_id;
use crate::compartments::find_compartment;
use crate::keys::find_key;
use crate::vaults::find_vault;
use crate::{App, Call, Error, Permission, ca_bundles, cas, certificates, profiles};
use certwright_domain::access::{Compartment, PlacedKind, Placement};
use certwright_domain::ca::CaState;
use certwright_domain::id::KeyId;
use certwright_domain::name::Reference;
use certwright_domain::violation::Invalid;
use certwright_store::{Page, PageRequest, Queries};

/// A resource that is to lie elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveResource {
    /// Its kind.
    pub kind: PlacedKind,
    /// The resource.
    pub resource: Reference,
    /// For keys: their vault.
    pub vault: Option<Reference>,
}

/// A resource that was put into a compartment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedResource {
    /// Where it lies.
    pub placement: Placement,
    /// Its name.
    pub name: String,
    /// The compartment.
    pub compartment: Compartment,
}

impl App {
    /// Puts a resource into a compartment, wherever it lay.
    pub async fn move_resource(
        &self,
        call: &Call,
        compartment: &Reference,
        mut wish: MoveResource,
    ) -> Result<PlacedResource, Error> {
        if let (PlacedKind::Key, Some(vault)) = (wish.kind, &wish.vault) {
            // Whether there is a vault of this name is for those to know who may see it.
            let (vault, key) = self.may_key(call, Permission::KeyManage, vault, &wish.resource).await?;
            (wish.vault, wish.resource) = (Some(vault), key);
        }
        let mut change = self.inner.begin_access_change(call, "resource.move").await?;
        let called = compartment;
        let (resource_id, name) = find(&mut **change, &wish).await?;
        let before = change.compartment_of(&resource_id).await?;
        // Whoever moves a resource changes who may use it: here and there it must be the caller's to manage.
        let permission = managing(wish.kind);
        let itself = (resource_id.as_str(), name.as_str());
        let here = Object::movable(wish.kind, itself, before.clone()).called(&wish.resource);
        self.authorize(call, permission, &here)?;
        // And all else that its place decides, which others, or the caller, may be let do there. It may be seen by now.
        let here = Object { reference: None, ..here };
        for permission in going_along(wish.kind) {
            self.authorize(call, *permission, &here)?;
        }
        // Not before: whoever may not move the resource learns nothing of compartments.
        let compartment = find_compartment(&mut **change, called).await?;
        let there = Object { kind: "compartment", ..Object::movable(wish.kind, itself, compartment.id.clone()) };
        self.authorize(call, permission, &there.called(called))?;
        let placement = Placement { resource_id, kind: wish.kind, compartment: compartment.id.clone() };
        let moved = PlacedResource { placement, name, compartment };
        if before == moved.compartment.id {
            change.undo().await?;
            return Ok(moved);
        }
        change.place(&moved.placement).await?;
        let target = Target { kind: wish.kind.as_str(), id: &moved.placement.resource_id, name: &moved.name };
        let details = [
            ("from", before.as_str()),
            ("to", moved.compartment.id.as_str()),
            ("compartment", moved.compartment.name.as_str()),
        ];
        change.insert_audit(&self.inner.audit(call, "resource.move", target, &details)).await?;
        change.commit().await?;
        Ok(moved)
    }

    /// What was put into a compartment, not below it, by kind and id, as far as the caller may list it. Of the tenancy
    /// this is nothing: what lies there has never been moved away, or came back.
    pub async fn placed_resources(
        &self,
        call: &Call,
        compartment: &Reference,
        kind: Option<PlacedKind>,
        page: &PageRequest,
    ) -> Result<Page<PlacedResource>, Error> {
        let mut read = self.inner.store.read().await?;
        let compartment = self.may_compartment(&mut *read, call, Permission::CompartmentRead, compartment).await?;
        let Page { items: placements, next } = read.placed_in(&compartment.id, kind, page).await?;
        let mut items = Vec::new();
        for placement in placements {
            let name = match name_of(&mut *read, &placement).await {
                Ok(name) => name,
                // Deleted since the page was read.
                Err(Error::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            let itself = (placement.resource_id.as_str(), name.as_str());
            let object = Object::movable(placement.kind, itself, compartment.id.clone());
            if self.is_allowed(call, listing(placement.kind), &object) {
                items.push(PlacedResource { placement, name, compartment: compartment.clone() });
            }
        }
        Ok(Page { items, next })
    }
}

/// The name of what lies there.
async fn name_of(queries: &mut dyn Queries, placement: &Placement) -> Result<String, Error> {
    if placement.kind == PlacedKind::Key {
        let id = KeyId::parse(&placement.resource_id).map_err(|fault| Error::Internal(fault.to_string()))?;
        let key = queries.key_by_id(&id).await?.ok_or_else(|| Error::not_found("key", &id))?;
        return Ok(key.name.to_string());
    }
    let wish = MoveResource { kind: placement.kind, resource: by_id(&placement.resource_id)?, vault: None };
    find(queries, &wish).await.map(|(_, name)| name)
}

/// What lets a resource be seen in lists.
pub(crate) const fn listing(kind: PlacedKind) -> Permission {
    match kind {
        PlacedKind::Vault => Permission::VaultList,
        PlacedKind::Key => Permission::KeyList,
        PlacedKind::CertificateAuthority => Permission::CaList,
        PlacedKind::Certificate => Permission::CertificateList,
        PlacedKind::Profile => Permission::ProfileList,
        PlacedKind::CaBundle => Permission::CaBundleList,
    }
}

const fn managing(kind: PlacedKind) -> Permission {
    match kind {
        PlacedKind::Vault => Permission::VaultManage,
        PlacedKind::Key => Permission::KeyManage,
        PlacedKind::CertificateAuthority => Permission::CaManage,
        PlacedKind::Certificate => Permission::CertificateManage,
        PlacedKind::Profile => Permission::ProfileManage,
        PlacedKind::CaBundle => Permission::CaBundleManage,
    }
}

/// What is decided by where such a resource lies, beside managing it: most of each type, of what anything asks for.
const fn going_along(kind: PlacedKind) -> &'static [Permission] {
    match kind {
        PlacedKind::CertificateAuthority => &[
            Permission::CaIssue,
            Permission::CaExport,
            Permission::IssuedRevoke,
            Permission::AcmeDirectoryManage,
            Permission::AcmeAccountManage,
            Permission::EnrollmentTokenManage,
        ],
        PlacedKind::Certificate => &[Permission::CertificateKeyRead],
        PlacedKind::Vault | PlacedKind::Key | PlacedKind::Profile | PlacedKind::CaBundle => &[],
    }
}

/// Id and name of the resource. The server's own stay where they are.
async fn find(queries: &mut dyn Queries, wish: &MoveResource) -> Result<(String, String), Error> {
    let resource = &wish.resource;
    if wish.kind != PlacedKind::Key && wish.vault.is_some() {
        let detail = format!("A {} does not lie in a vault.", wish.kind);
        return Err(Error::invalid("/vault", Invalid::new("unexpected_field", detail, "Leave `vault` out.")));
    }
    let (id, name, system) = match wish.kind {
        PlacedKind::Vault => {
            let it = find_vault(queries, resource).await?;
            (it.id.to_string(), it.name.to_string(), it.system)
        }
        PlacedKind::Key => {
            let vault = wish.vault.as_ref().ok_or_else(missing_vault)?;
            let (vault, it) = find_key(queries, vault, resource).await?;
            (it.id.to_string(), it.name.to_string(), vault.system)
        }
        PlacedKind::CertificateAuthority => {
            let it = cas::find(queries, resource).await?;
            if it.state == CaState::Deleted {
                return Err(Error::not_found("CA", resource));
            }
            (it.id.to_string(), it.name.to_string(), it.system)
        }
        PlacedKind::Certificate => {
            let it = certificates::find(queries, resource).await?;
            (it.id.to_string(), it.name.to_string(), false)
        }
        PlacedKind::Profile => {
            profiles::refuse_built_in(resource)?;
            let it = profiles::find(queries, resource).await?;
            let id = it.id.as_ref().ok_or_else(|| Error::not_found("profile", resource))?;
            (id.to_string(), it.profile.name().to_string(), false)
        }
        PlacedKind::CaBundle => {
            let it = ca_bundles::find(queries, resource).await?;
            (it.id.to_string(), it.name.to_string(), false)
        }
    };
    if system {
        return Err(Error::conflict(
            "system_resource",
            format!("The {} {name} is the server's own; it stays in the tenancy.", wish.kind),
            "Move resources of your own.",
        ));
    }
    Ok((id, name))
}

fn missing_vault() -> Error {
    let detail = "The field `vault` is missing: names of keys are unique in their vault only.";
    Error::invalid("/vault", Invalid::new("missing_field", detail, "Name the key's vault in `vault`."))
}
