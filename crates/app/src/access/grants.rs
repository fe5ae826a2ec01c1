//! Nobody can grant what they lack: neither by a statement, nor by a group, nor by a token of somebody else.

use super::receiver::Receiver;
use super::snapshot::Snapshot;
use super::{Call, Object, Permission};
use crate::context::IssuerContext;
use crate::{App, Error};
use certwright_domain::access::{DynamicGroup, Group, Policy, User};
use certwright_domain::id::CompartmentId;
use certwright_domain::policy::{Ground, Statement, Who};
use certwright_domain::principal::PrincipalName;
use certwright_store::Queries;
use std::sync::Arc;

/// What gives away all that the CAs of a compartment may sign.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Giving {
    /// An ACME directory.
    Directory,
    /// A key for external account bindings that names what needs no challenge.
    BindingKey,
}

impl App {
    /// May the caller do everything that these statements would let others do?
    pub(crate) async fn may_grant(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        policy: &Policy,
        statements: &[Statement],
    ) -> Result<(), Error> {
        let Some((snapshot, who)) = self.grantor(queries, call).await? else { return Ok(()) };
        for statement in statements {
            if let Err(lacking) = snapshot.policies.covers(&who, statement, &policy.compartment) {
                let detail = format!("You lack `{lacking}` where `{}` would give it.", statement.text());
                return Err(self.cannot_grant(call, ("policy", policy.name.as_str()), detail));
            }
        }
        Ok(())
    }

    /// May the caller put this user into this group? Only who has all that the group has, and all that the dynamic groups have
    /// which that could bring it into.
    pub(crate) async fn may_join(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        group: &Group,
        user: &User,
    ) -> Result<(), Error> {
        let Some((snapshot, who)) = self.grantor(queries, call).await? else { return Ok(()) };
        let name = user.name.as_str();
        let known = snapshot.users.get(name).ok_or_else(|| Error::Internal(format!("user {name} is not known")))?;
        let receiver = joining(&snapshot, &Receiver::user(&snapshot, name, known), std::slice::from_ref(group));
        self.must_have_all_of(call, &snapshot, (&who, &receiver), ("group", group.name.as_str()))
    }

    /// May the caller have machines put into all of these groups at once?
    pub(crate) async fn may_admit(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        groups: &[Group],
    ) -> Result<(), Error> {
        let Some((snapshot, who)) = self.grantor(queries, call).await? else { return Ok(()) };
        if groups.is_empty() {
            return Ok(());
        }
        let receiver = joining(&snapshot, &Receiver::machine(&snapshot), groups);
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        self.must_have_all_of(call, &snapshot, (&who, &receiver), ("group", &names.join(", ")))
    }

    /// May the caller decide who belongs to this dynamic group? The statements may have been there before it.
    pub(crate) async fn may_shape(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        group: &DynamicGroup,
    ) -> Result<(), Error> {
        let Some((snapshot, who)) = self.grantor(queries, call).await? else { return Ok(()) };
        let named = snapshot.policies.covers_all_named(&who, group.name.as_str(), group.id.as_str());
        named.map_err(|ground| self.lacks(call, &ground, ("dynamic group", group.name.as_str())))
    }

    /// May the caller act for this user? For oneself always; for others only who has all that they have.
    pub(crate) async fn may_act_for(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        user: &PrincipalName,
    ) -> Result<(), Error> {
        let Some((snapshot, who)) = self.grantor(queries, call).await? else { return Ok(()) };
        if call.caller.user() == Some(user.as_str()) {
            return Ok(());
        }
        let Some(known) = snapshot.users.get(user.as_str()) else { return Ok(()) };
        let receiver = Who {
            user: (user.as_str().to_owned(), known.id.as_str().to_owned()),
            groups: known.groups.clone(),
            dynamic_groups: Receiver::user(&snapshot, user.as_str(), known).dynamic_groups(),
        };
        self.must_have_all_of(call, &snapshot, (&who, &receiver), ("user", user.as_str()))
    }

    /// May the caller change what holds for everything in a compartment, by moving or renaming it?
    pub(crate) async fn may_uproot(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        compartment: &CompartmentId,
    ) -> Result<(), Error> {
        let text = format!("Allow any-user to manage all-resources in compartment id {compartment}");
        let why = "Moving or renaming a compartment changes who may do what in it";
        self.must_cover(queries, call, compartment, &text, why).await
    }

    /// May the caller have the CAs of a compartment sign whatever it likes, and so give that away?
    pub(crate) async fn may_give_signing(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        compartment: &CompartmentId,
        giving: Giving,
    ) -> Result<(), Error> {
        let text = format!("Allow any-user to use certificate-authority-delegates in compartment id {compartment}");
        let why = match giving {
            Giving::Directory => "An ACME directory gives away what its CA may sign",
            Giving::BindingKey => "A key whose names need no challenge gives away what its directory's CA may sign",
        };
        self.must_cover(queries, call, compartment, &text, why).await
    }

    /// Does the caller have all that this statement about a compartment would give? `why`: what asks for it.
    async fn must_cover(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        compartment: &CompartmentId,
        text: &str,
        why: &str,
    ) -> Result<(), Error> {
        let Some((snapshot, who)) = self.grantor(queries, call).await? else { return Ok(()) };
        let statement = Statement::parse(text).map_err(|error| Error::Internal(error.to_string()))?;
        let covered = snapshot.policies.covers(&who, &statement, &CompartmentId::tenancy());
        covered.map_err(|lacking| {
            self.cannot_grant(
                call,
                ("compartment", compartment.as_str()),
                format!("{why}, and you lack `{lacking}` there."),
            )
        })
    }

    /// May the caller have this CA sign for exactly these names with this profile, all of them and each alone, and so give that
    /// away? A condition may let a pair of names through and neither of the two.
    pub(crate) async fn may_give_names(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        issuer: &IssuerContext,
        profile: &str,
        names: &[String],
    ) -> Result<(), Error> {
        if call.caller.is_system() {
            return Ok(());
        }
        let snapshot = self.access_of(queries).await?;
        let now = self.now();
        for asked in std::iter::once(names).chain(names.chunks(1)) {
            let object = Object::signing(issuer, profile, asked);
            if snapshot.decide(call, Permission::CaIssue, &object, now).is_none() {
                let detail = format!(
                    "An enrolment token gives away what its CA may sign, and you may not have CA {} sign with profile {profile} \
                     for: {}.",
                    issuer.ca.name,
                    asked.join(", ")
                );
                return Err(self.cannot_grant(call, ("ca", issuer.ca.name.as_str()), detail));
            }
        }
        Ok(())
    }

    /// The caller as a grantor, by the policies of this transaction; `None`: the server itself, which lacks nothing. What a
    /// token is narrowed to cannot be compared with what is granted: such tokens grant nothing.
    async fn grantor(&self, queries: &mut dyn Queries, call: &Call) -> Result<Option<(Arc<Snapshot>, Who)>, Error> {
        if call.caller.is_system() {
            return Ok(None);
        }
        if !call.caller.scopes.is_empty() {
            let token = call.caller.token_id().map_or("", |id| id.as_str());
            return Err(self.cannot_grant(call, ("token", token), "A token with scopes grants nothing.".to_owned()));
        }
        let snapshot = self.access_of(queries).await?;
        let who = snapshot.who(call, self.now()).map(|(who, _)| who).unwrap_or_default();
        Ok(Some((snapshot, who)))
    }

    fn must_have_all_of(
        &self,
        call: &Call,
        snapshot: &Snapshot,
        (who, receiver): (&Who, &Who),
        named: (&'static str, &str),
    ) -> Result<(), Error> {
        let covered = snapshot.policies.covers_all_of(who, receiver);
        covered.map_err(|ground| self.lacks(call, &ground, named))
    }

    fn lacks(&self, call: &Call, ground: &Ground, (kind, name): (&'static str, &str)) -> Error {
        let detail =
            format!("You lack what `{}` (policy {}) gives to the {kind} {name}.", ground.statement, ground.policy);
        self.cannot_grant(call, (kind, name), detail)
    }

    /// The one place where a grant is refused: the audit trail is told.
    fn cannot_grant(&self, call: &Call, target: (&'static str, &str), detail: String) -> Error {
        self.note_refusal(call, "access.deny", target, &detail);
        Error::CannotGrant { detail }
    }
}

/// What somebody gets by joining these groups: the groups, and dynamic groups that look at them.
fn joining(snapshot: &Snapshot, before: &Receiver<'_>, groups: &[Group]) -> Who {
    let mut groups: Vec<u32> = groups.iter().filter_map(|group| snapshot.policies.group(group.id.as_str())).collect();
    groups.sort_unstable();
    let dynamic_groups = before.joining(&groups).gained(before);
    Who { groups, dynamic_groups, ..Who::default() }
}
