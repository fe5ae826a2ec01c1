//! Who may do what, and by which statement.

use super::caller::Principal;
use super::decide::ca_facts;
use super::facts::{CaPrincipal, RequestFacts};
use super::{Call, Caller, Door, Object, Permission};
use crate::principals::find_user;
use crate::{App, Error};
use certwright_domain::access::PrincipalReference;
use certwright_domain::id::CompartmentId;
use certwright_domain::name::Reference;
use certwright_domain::policy::{Asked, Verdict};
use std::net::IpAddr;
use std::sync::Arc;

/// A question to the policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyQuestion {
    /// May this user …? `None` with no CA: the caller.
    pub user: Option<PrincipalReference>,
    /// May this CA …?
    pub ca: Option<Reference>,
    /// The compartment of the object; default: the tenancy.
    pub compartment: Option<Reference>,
    /// Names of what the object is, and of what belongs to it.
    pub target: QuestionTarget,
    /// The address that the request comes from.
    pub address: Option<IpAddr>,
}

/// The object of a question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuestionTarget {
    /// `target.resource.name`.
    pub name: Option<String>,
    /// `target.ca.name`.
    pub ca: Option<String>,
    /// `target.vault.name`.
    pub vault: Option<String>,
    /// `target.key.name`.
    pub key: Option<String>,
    /// `target.certificate.name`.
    pub certificate: Option<String>,
    /// `target.profile.name`.
    pub profile: Option<String>,
    /// `target.names`.
    pub names: Option<Vec<String>>,
}

impl App {
    /// What the policies say to a question: every statement about the resource, those that let it through first. About
    /// oneself everybody may ask; about others those who may read policies.
    pub async fn test_policies(
        &self,
        call: &Call,
        asked: Asked,
        question: &PolicyQuestion,
    ) -> Result<Vec<Verdict>, Error> {
        let mut read = self.inner.store.read().await?;
        let about_others = question.ca.is_some() || question.user.is_some();
        if about_others {
            self.may(call, Permission::PolicyRead, "policy")?;
        }
        let compartment = match &question.compartment {
            None => CompartmentId::tenancy(),
            Some(reference) => self.may_compartment(&mut *read, call, Permission::CompartmentList, reference).await?.id,
        };
        let snapshot = self.access_of(&mut *read).await?;
        let object = question.target.object(compartment.clone());
        let now = self.now();
        let permission = asked.to_string();
        if let Some(reference) = &question.ca {
            let ca = crate::cas::find(&mut *read, reference).await?;
            let home = read.compartment_of(ca.id.as_str()).await?;
            let principal = CaPrincipal { id: ca.id.as_str(), name: ca.name.as_str(), home: &home };
            let (who, facts) = ca_facts(&snapshot, &principal, &permission, &object, now);
            let facts = RequestFacts { who: &who, ..facts };
            return Ok(snapshot.policies.explain(&who, asked, &compartment, &facts));
        }
        let mut asking = call.clone();
        if let Some(reference) = &question.user {
            let user = find_user(&mut *read, reference).await?;
            asking.caller = Caller {
                id: user.id.as_str().to_owned(),
                name: user.name.as_str().to_owned(),
                door: Door::Token,
                principal: Arc::new(Principal::User(user.name.as_str().to_owned())),
                token: None,
                scopes: Arc::new([]),
                epoch: 0,
            };
        }
        asking.operation = None;
        asking.address = question.address.or(asking.address);
        let Some((who, user)) = snapshot.who(&asking, now) else { return Ok(Vec::new()) };
        let facts = snapshot.facts(&asking, (&who, user), &permission, Some(&object), now);
        Ok(snapshot.policies.explain(&who, asked, &compartment, &facts))
    }
}

impl QuestionTarget {
    fn object(&self, compartment: CompartmentId) -> Object<'_> {
        Object {
            itself: self.name.as_deref().map(|name| ("", name)),
            ca: self.ca.as_deref().map(|name| ("", name)),
            vault: self.vault.as_deref().map(|name| ("", name)),
            key: self.key.as_deref().map(|name| ("", name)),
            certificate: self.certificate.as_deref().map(|name| ("", name)),
            profile: self.profile.as_deref().map(|name| ("", name)),
            names: self.names.as_deref(),
            ..Object::place("object", compartment)
        }
    }
}
