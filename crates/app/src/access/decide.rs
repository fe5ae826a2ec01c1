//! The one place where leave is given.

use super::caller::{AcmeGrant, Caller, CertificateGrant, EnrollmentGrant, Principal};
use super::facts::{Asker, CaPrincipal, RequestFacts};
use super::snapshot::{KnownUser, Snapshot};
use super::{Call, Object, Permission};
use crate::{App, Error, Lack};
use certwright_domain::policy::{Asked, Ground, Who};
use certwright_domain::time::Timestamp;
use certwright_pki::read_certificate;
use std::sync::LazyLock;

/// Leave to do something to an object: nothing but the authorizer makes one.
///
/// ```compile_fail
/// let forged = certwright_app::Leave { permission: certwright_app::Permission::CaIssue };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    permission: Permission,
    /// Id of the object; empty: a place.
    object: String,
    /// The statement that gave it; `None`: the server's own work.
    ground: Option<Ground>,
}

impl Leave {
    /// Refuses unless it is leave for exactly this.
    pub(crate) fn require(&self, permission: Permission, object: &str) -> Result<(), Error> {
        match self.permission == permission && (self.object == object || self.ground.is_none()) {
            true => Ok(()),
            false => Err(Error::Internal(format!("leave for {} was shown for {}", self.permission.as_str(), object))),
        }
    }

    /// Refuses unless it is leave for one of these.
    pub(crate) fn require_of(&self, permissions: &[Permission]) -> Result<(), Error> {
        match permissions.contains(&self.permission) {
            true => Ok(()),
            false => Err(Error::Internal(format!("leave for {} was shown for signing", self.permission.as_str()))),
        }
    }

    /// The statement that gave it, for the audit trail: `policy/number`; empty for the server's own work.
    pub(crate) fn ground(&self) -> String {
        self.ground.as_ref().map_or_else(String::new, |ground| format!("{}/{}", ground.policy, ground.number))
    }
}

/// What each permission is to policies.
static ASKED: LazyLock<Vec<Option<Asked>>> =
    LazyLock::new(|| Permission::ALL.iter().map(|permission| Asked::parse(permission.as_str())).collect());

impl Permission {
    /// Resource type and verb.
    pub fn asked(self) -> Option<Asked> {
        ASKED.get(self as usize).copied().flatten()
    }
}

impl App {
    /// Leave for `permission` on `object`, or the refusal: 403 for those who may know that it is there, and for all others
    /// the answer that an absent one gets. The one place where leave is given.
    pub(crate) fn authorize(&self, call: &Call, permission: Permission, object: &Object<'_>) -> Result<Leave, Error> {
        named_by_operation(call, permission)?;
        let id = object.itself.map_or("", |(id, _)| id);
        if let Principal::System(action) = &*call.caller.principal {
            return match action.permissions().contains(&permission) {
                true => Ok(Leave { permission, object: id.to_owned(), ground: None }),
                false => Err(Error::Internal(format!("{} does not need {}", action.as_str(), permission.as_str()))),
            };
        }
        if let Some(ground) = given(&call.caller, permission, object) {
            return ground
                .map(|ground| leave_by(call, permission, id, ground))
                .ok_or_else(|| Error::not_found(object.kind, object.reference.unwrap_or_default()));
        }
        let snapshot = self.inner.access.newest().ok_or_else(no_policies)?;
        let now = self.now();
        match snapshot.decide(call, permission, object, now) {
            Some(ground) => Ok(leave_by(call, permission, id, ground)),
            None => {
                let object_name = object.reference.unwrap_or_default();
                self.note_refusal(call, "access.deny", (object.kind, object_name), permission.as_str());
                Err(snapshot.refusal(call, permission, object, now))
            }
        }
    }

    /// Would leave be given? Nothing is noted.
    pub(crate) fn is_allowed(&self, call: &Call, permission: Permission, object: &Object<'_>) -> bool {
        if let Principal::System(action) = &*call.caller.principal {
            return action.permissions().contains(&permission);
        }
        if let Some(ground) = given(&call.caller, permission, object) {
            return ground.is_some();
        }
        let snapshot = self.inner.access.newest();
        snapshot.is_some_and(|snapshot| snapshot.decide(call, permission, object, self.now()).is_some())
    }

    /// A list is for whoever could see something in it, somewhere.
    pub(crate) fn may_list(&self, call: &Call, permission: Permission) -> Result<(), Error> {
        named_by_operation(call, permission)?;
        let snapshot = self.inner.access.newest().ok_or_else(no_policies)?;
        match snapshot.could(call, permission, self.now()) {
            true => Ok(()),
            false => {
                self.note_refusal(call, "access.deny", ("list", ""), permission.as_str());
                let place = "tenancy".to_owned();
                Err(Error::Forbidden { permission: permission.as_str(), place, lack: Lack::Statement })
            }
        }
    }

    /// Reads the policies anew when they are not those of this epoch: a decision to sign rests on one epoch alone.
    pub(crate) async fn learn_policies(&self, call: &Call) -> Result<(), Error> {
        match call.caller.is_system() {
            true => Ok(()),
            false => self.access().await.map(drop),
        }
    }
}

impl AcmeGrant {
    /// What an ACME account may do stands in its directory alone: have this CA sign with these profiles, and revoke what it
    /// has proven to be its own.
    fn decide(&self, permission: Permission, object: &Object<'_>) -> Option<Ground> {
        let allowed = match permission {
            Permission::CaIssue => {
                let profile = object.profile.map(|(_, name)| name);
                object.ca.is_some_and(|(id, _)| id == self.ca.as_str())
                    && self.profiles.iter().any(|known| Some(known.as_str()) == profile)
            }
            Permission::IssuedRevoke => {
                let itself = object.itself.map(|(id, _)| id);
                self.revocable.as_ref().is_some_and(|revocable| Some(revocable.as_str()) == itself)
            }
            _ => false,
        };
        allowed.then(|| Ground {
            policy: format!("acme-directory:{}", self.directory).into(),
            number: 0,
            statement: "the ACME directory".into(),
        })
    }
}

/// Leave by a statement, which the call's audit events will name.
fn leave_by(call: &Call, permission: Permission, object: &str, ground: Ground) -> Leave {
    call.decided.note(ground.clone());
    Leave { permission, object: object.to_owned(), ground: Some(ground) }
}

impl EnrollmentGrant {
    /// What the holder of an enrolment token may do stands in the token alone: have its CA sign with its profile, for its names.
    /// Whoever asks for no names, or for a CA certificate, which has no profile, asks for something else.
    fn decide(&self, permission: Permission, object: &Object<'_>) -> Option<Ground> {
        let token = &*self.0;
        let allowed = permission == Permission::CaIssue
            && object.ca.is_some_and(|(id, _)| id == token.ca.as_str())
            && object.profile.is_some_and(|(_, name)| name == token.profile.as_str())
            && object.names.is_some_and(|names| names.iter().all(|name| token.terms.allows_text(name)));
        allowed.then(|| Ground {
            policy: format!("enrollment-token:{}", token.id).into(),
            number: 0,
            statement: "the enrolment token".into(),
        })
    }
}

impl CertificateGrant {
    /// The holder of a certificate's key may have the same CA sign the same names with the same profile.
    fn decide(&self, permission: Permission, object: &Object<'_>) -> Option<Ground> {
        let row = &*self.0;
        // The row has the first commonName alone.
        let in_subject = |name: &str| {
            read_certificate(&row.certificate).is_ok_and(|read| read.subject.names().any(|one| one == name))
        };
        let known = |name: &String| {
            *name == row.common_name || row.names.iter().any(|one| one.to_string() == *name) || in_subject(name)
        };
        let allowed = permission == Permission::CaIssue
            && object.ca.is_some_and(|(id, _)| id == row.ca_id.as_str())
            && object.profile.is_some_and(|(_, name)| name == row.profile)
            && object.names.is_some_and(|names| names.iter().all(known));
        allowed.then(|| Ground {
            policy: format!("certificate:{}", row.serial).into(),
            number: 0,
            statement: "the certificate itself".into(),
        })
    }
}

/// What those decide who may do what they were given, and nothing by policies; `None`: policies decide.
fn given(caller: &Caller, permission: Permission, object: &Object<'_>) -> Option<Option<Ground>> {
    match &*caller.principal {
        Principal::AcmeAccount(grant) => Some(grant.decide(permission, object)),
        Principal::Enrollment(grant) => Some(grant.decide(permission, object)),
        Principal::Certificate(grant) => Some(grant.decide(permission, object)),
        Principal::System(_) | Principal::User(_) | Principal::Workload(_) => None,
    }
}

fn no_policies() -> Error {
    Error::Internal("no policies were read before a decision".into())
}

/// A use case asks on behalf of its operation for nothing that the table does not say.
fn named_by_operation(call: &Call, permission: Permission) -> Result<(), Error> {
    match call.operation.filter(|operation| !operation.names(permission)) {
        None => Ok(()),
        Some(operation) => {
            let permission = permission.as_str();
            Err(Error::Internal(format!("operation {} does not name the permission {permission}", operation.id)))
        }
    }
}

impl Snapshot {
    /// What conditions see of a call.
    pub(super) fn facts<'a>(
        &'a self,
        call: &'a Call,
        (who, user): (&'a Who, Option<&'a KnownUser>),
        permission: &'a str,
        object: Option<&'a Object<'a>>,
        now: Timestamp,
    ) -> RequestFacts<'a> {
        RequestFacts { asker: Asker::Call(call), snapshot: self, user, who, permission, object, now }
    }

    /// The statement that lets the caller do this, if there is one, and if the scopes of its token leave room for it.
    pub(super) fn decide(
        &self,
        call: &Call,
        permission: Permission,
        object: &Object<'_>,
        now: Timestamp,
    ) -> Option<Ground> {
        let asked = permission.asked()?;
        let (who, user) = self.who(call, now)?;
        let facts = self.facts(call, (&who, user), permission.as_str(), Some(object), now);
        let ground = self.policies.decide(&who, asked, &object.compartment, &facts)?;
        let scopes = &call.caller.scopes;
        let room = |scope| self.policies.leaves_room(scope, asked, &object.compartment, &facts);
        (scopes.is_empty() || scopes.iter().any(room)).then(|| ground.clone())
    }

    /// Would a statement let the caller do this, whatever the scopes of its token say?
    fn states(&self, call: &Call, permission: Permission, object: &Object<'_>, now: Timestamp) -> bool {
        let (Some(asked), Some((who, user))) = (permission.asked(), self.who(call, now)) else { return false };
        let facts = self.facts(call, (&who, user), permission.as_str(), Some(object), now);
        self.policies.decide(&who, asked, &object.compartment, &facts).is_some()
    }

    /// Could the caller be let do this to some object, somewhere?
    fn could(&self, call: &Call, permission: Permission, now: Timestamp) -> bool {
        let (Some(asked), Some((who, user))) = (permission.asked(), self.who(call, now)) else { return false };
        let facts = self.facts(call, (&who, user), permission.as_str(), None, now);
        self.policies.could(&who, asked, &facts)
    }

    /// Could the caller have this CA sign other names, or with another profile?
    fn could_sign(&self, call: &Call, permission: Permission, object: &Object<'_>, now: Timestamp) -> bool {
        let (Some(asked), Some((who, user))) = (permission.asked(), self.who(call, now)) else { return false };
        let facts = self.facts(call, (&who, user), permission.as_str(), Some(object), now);
        self.policies.could_sign(&who, asked, &object.compartment, &facts)
    }

    /// What the caller is, to policies; `None`: a user that is gone or put out of use.
    pub(super) fn who<'a>(&'a self, call: &'a Call, now: Timestamp) -> Option<(Who, Option<&'a KnownUser>)> {
        let caller = &call.caller;
        let (mut who, user) = match &*caller.principal {
            Principal::System(_) | Principal::AcmeAccount(_) | Principal::Enrollment(_) | Principal::Certificate(_) => {
                return None;
            }
            Principal::User(name) => {
                let known = self.users.get(name).filter(|user| user.enabled)?;
                let user = (name.clone(), known.id.as_str().to_owned());
                (Who { user, groups: known.groups.clone(), dynamic_groups: Vec::new() }, Some(known))
            }
            Principal::Workload(workload) => {
                let mut groups: Vec<u32> =
                    workload.groups.iter().filter_map(|name| self.policies.group(name)).collect();
                groups.sort_unstable();
                (Who { groups, ..Who::default() }, None)
            }
        };
        if !self.rules.is_empty() {
            let facts = self.facts(call, (&who, user), "", None, now);
            let taken = self.rules.iter().filter(|(_, rule)| rule.matches(&facts)).map(|(number, _)| *number);
            let mut taken: Vec<u32> = taken.collect();
            taken.sort_unstable();
            who.dynamic_groups = taken;
        }
        Some((who, user))
    }

    /// Is there a user of this name, in use?
    pub(crate) fn knows(&self, caller: &Caller) -> bool {
        match &*caller.principal {
            Principal::User(name) => self.users.get(name).is_some_and(|user| user.enabled),
            Principal::System(_)
            | Principal::Workload(_)
            | Principal::AcmeAccount(_)
            | Principal::Enrollment(_)
            | Principal::Certificate(_) => true,
        }
    }

    fn refusal(&self, call: &Call, permission: Permission, object: &Object<'_>, now: Timestamp) -> Error {
        let place = self.policies.tree().place(&object.compartment);
        let forbidden = |lack| Error::Forbidden { permission: permission.as_str(), place, lack };
        // Where statements give leave and none was given, it was the scopes that left no room for it.
        let lack = match self.states(call, permission, object, now) {
            true => Lack::Scope,
            false => Lack::Statement,
        };
        let Some(reference) = object.reference else { return forbidden(lack) };
        if object.names.is_some() && self.could_sign(call, permission, object, now) {
            return forbidden(if lack == Lack::Scope { lack } else { Lack::Names });
        }
        let seen = [permission.inspecting(), object.seen_with].into_iter().flatten();
        match seen.into_iter().any(|permission| self.decide(call, permission, object, now).is_some()) {
            true => forbidden(lack),
            false => Error::not_found(object.kind, reference),
        }
    }

    /// Leave of a CA itself.
    pub(crate) fn require_for_ca(
        &self,
        ca: &CaPrincipal<'_>,
        permission: Permission,
        object: &Object<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (who, facts) = ca_facts(self, ca, permission.as_str(), object, now);
        let asked =
            permission.asked().ok_or_else(|| Error::Internal("a permission that policies do not know".into()))?;
        match self.policies.decide(&who, asked, &object.compartment, &facts) {
            Some(_) => Ok(()),
            None => Err(ca_not_allowed(ca, asked, object, &self.policies.tree().place(&object.compartment))),
        }
    }
}

/// What a CA is, to policies, and what they see of what it asks for.
pub(super) fn ca_facts<'a>(
    snapshot: &'a Snapshot,
    ca: &'a CaPrincipal<'a>,
    permission: &'a str,
    object: &'a Object<'a>,
    now: Timestamp,
) -> (Who, RequestFacts<'a>) {
    static NOBODY: LazyLock<Who> = LazyLock::new(Who::default);
    let object = Some(object);
    let facts = RequestFacts { asker: Asker::Ca(ca), snapshot, user: None, who: &NOBODY, permission, object, now };
    // A CA may be in a dynamic group: `resource.type = 'certificateauthority'`.
    let taken = snapshot.rules.iter().filter(|(_, rule)| rule.matches(&facts)).map(|(number, _)| *number);
    let mut dynamic_groups: Vec<u32> = taken.collect();
    dynamic_groups.sort_unstable();
    (Who { dynamic_groups, ..Who::default() }, facts)
}

impl Permission {
    /// The permission that lets one know that such a thing is there.
    fn inspecting(self) -> Option<Self> {
        let (resource, _) = self.as_str().split_once(':')?;
        let inspects = |other: &Self| other.as_str().strip_suffix(":inspect") == Some(resource);
        Self::ALL.iter().copied().find(inspects)
    }
}

fn ca_not_allowed(ca: &CaPrincipal<'_>, asked: Asked, object: &Object<'_>, place: &str) -> Error {
    let (verb, resource) = (asked.verb.as_str(), asked.resource.as_str());
    let what = object.itself.map_or_else(String::new, |(_, name)| format!(" {name}"));
    Error::conflict(
        "ca_not_allowed",
        format!("No policy lets CA {} {verb} {resource}{what} in {place}.", ca.name),
        format!(
            "Add the statement `Allow any-user to {verb} {resource} in {place} where \
             request.principal.type='certificateauthority'` to a policy."
        ),
    )
}

#[cfg(test)]
mod tests;
