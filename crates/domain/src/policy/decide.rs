//! Compiled policies, and what they allow.

use super::condition::Condition;
use super::fact::Facts;
use super::resource::{ResourceType, Verb};
use super::statement::{Grant, MatchingRule, Narrowing, Statement, Subject, Who};
use super::tree::{CompartmentTree, Misplaced};
use crate::id::{CompartmentId, DynamicGroupId, GroupId, PolicyId, UserId};
use crate::principal::PrincipalName;
use std::collections::HashMap;
use std::sync::Arc;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Of what.
    pub resource: ResourceType,
    /// How much.
    pub verb: Verb,
}

/// Who asks. Members of dynamic groups are found by the facts.
#[derive(Debug, Clone, Copy)]
pub struct Principal<'a> {
    /// The user, if it is one.
    pub user: Option<&'a UserId>,
    /// The groups of the user.
    pub groups: &'a [GroupId],
    /// What the credential is good for, at most; `None` is no limit, and an empty list allows nothing.
    pub narrowings: Option<&'a [Narrowing]>,
}

/// Names that statements use, and what they mean at the moment.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Users by name.
    pub users: HashMap<PrincipalName, UserId>,
    /// Groups by name.
    pub groups: HashMap<PrincipalName, GroupId>,
    /// Dynamic groups by name.
    pub dynamic_groups: HashMap<PrincipalName, (DynamicGroupId, MatchingRule)>,
}

/// A policy as it is stored.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// The compartment that it is attached to.
    pub attached: CompartmentId,
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// A statement, by its policy and its place there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRef {
    /// The policy.
    pub policy: PolicyId,
    /// The name of the policy.
    pub name: Arc<str>,
    /// The place among the policy's statements, from 0.
    pub index: usize,
    /// The statement as it was written.
    pub text: Arc<str>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Allowed by this statement.
    Allowed(&'a StatementRef),
    /// No statement allows it.
    Denied,
}

/// Why a statement that covers the type of resource did not allow something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is about somebody else.
    Subject,
    /// It grants less.
    Verb,
    /// It holds elsewhere.
    Location,
    /// Its condition does not hold.
    Condition,
    /// Nothing: it allows it, unless the credential is narrowed.
    Allows,
}

/// A statement that cannot count at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inert {
    /// The statement.
    pub statement: StatementRef,
    /// Why.
    pub reason: InertReason,
}

/// Why a statement cannot count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InertReason {
    /// Its location is not there, or not reached.
    #[error(transparent)]
    Location(#[from] Misplaced),
    /// None of its names means anybody.
    #[error("nobody is called as the statement says: {0}")]
    Nobody(Subject),
}

#[derive(Debug, Clone)]
enum Whom {
    AnyUser,
    AnyGroup,
    Groups(Vec<GroupId>),
    Users(Vec<UserId>),
    Dynamic(Vec<usize>),
}

#[derive(Debug, Clone)]
struct Compiled {
    reference: StatementRef,
    whom: Whom,
    grant: Grant,
    place: CompartmentId,
}

/// All policies, ready to decide.
#[derive(Debug, Clone)]
pub struct Policies {
    tree: CompartmentTree,
    statements: Vec<Compiled>,
    /// Places in `statements` by what is asked for: those that cover the type and grant the verb.
    index: HashMap<Asked, Candidates>,
    rules: Vec<MatchingRule>,
    inert: Vec<Inert>,
}

#[derive(Debug, Clone, Default)]
struct Candidates {
    anybody: Vec<usize>,
    groups: HashMap<GroupId, Vec<usize>>,
    users: HashMap<UserId, Vec<usize>>,
    dynamic: Vec<usize>,
}

impl Policies {
    /// Resolves locations and names. What names nobody, or a place that is not there, stays inert until it is compiled again.
    pub fn compile(tree: CompartmentTree, policies: impl IntoIterator<Item = Policy>, directory: &Directory) -> Self {
        let mut all =
            Self { tree, statements: Vec::new(), index: HashMap::new(), rules: Vec::new(), inert: Vec::new() };
        let mut dynamic = HashMap::new();
        let mut by_name = HashMap::new();
        for (name, (id, rule)) in &directory.dynamic_groups {
            dynamic.insert(id.clone(), all.rules.len());
            by_name.insert(name.clone(), id.clone());
            all.rules.push(rule.clone());
        }
        for policy in policies {
            let name: Arc<str> = policy.name.into();
            for (index, statement) in policy.statements.into_iter().enumerate() {
                let text = statement.text().into();
                let reference = StatementRef { policy: policy.id.clone(), name: Arc::clone(&name), index, text };
                let whom = match statement.subject() {
                    Subject::AnyUser => Some(Whom::AnyUser),
                    Subject::AnyGroup => Some(Whom::AnyGroup),
                    Subject::Group(who) => named(who, &directory.groups).map(Whom::Groups),
                    Subject::User(who) => named(who, &directory.users).map(Whom::Users),
                    Subject::DynamicGroup(who) => named(who, &by_name)
                        .map(|ids| ids.iter().filter_map(|id| dynamic.get(id).copied()).collect::<Vec<usize>>())
                        .filter(|rules| !rules.is_empty())
                        .map(Whom::Dynamic),
                };
                let place = statement.check_location(&all.tree, &policy.attached).map_err(InertReason::from);
                let whom = whom.ok_or_else(|| InertReason::Nobody(statement.subject().clone()));
                match place.and_then(|place| Ok((place, whom?))) {
                    Ok((place, whom)) => all.add(Compiled { reference, whom, grant: statement.grant().clone(), place }),
                    Err(reason) => all.inert.push(Inert { statement: reference, reason }),
                }
            }
        }
        all
    }

    fn add(&mut self, statement: Compiled) {
        let place = self.statements.len();
        for resource in statement.grant.covered().set().types() {
            for verb in Verb::ALL.iter().copied().filter(|verb| *verb <= statement.grant.verb()) {
                let candidates = self.index.entry(Asked { resource, verb }).or_default();
                match &statement.whom {
                    Whom::AnyUser | Whom::AnyGroup => candidates.anybody.push(place),
                    Whom::Dynamic(_) => candidates.dynamic.push(place),
                    Whom::Groups(ids) => {
                        ids.iter().for_each(|id| candidates.groups.entry(id.clone()).or_default().push(place));
                    }
                    Whom::Users(ids) => {
                        ids.iter().for_each(|id| candidates.users.entry(id.clone()).or_default().push(place));
                    }
                }
            }
        }
        self.statements.push(statement);
    }

    /// The tree that the policies were compiled with.
    pub fn tree(&self) -> &CompartmentTree {
        &self.tree
    }

    /// Statements that do not count, and why.
    pub fn inert(&self) -> &[Inert] {
        &self.inert
    }

    /// May the principal do this in the compartment? Allowed only by a statement; everything else is denied.
    pub fn decide(
        &self,
        who: Principal<'_>,
        asked: Asked,
        compartment: &CompartmentId,
        facts: &(impl Facts + ?Sized),
    ) -> Decision<'_> {
        let first = self.allowing(who, asked, compartment, facts).next();
        first.map_or(Decision::Denied, |statement| Decision::Allowed(&statement.reference))
    }

    /// Every statement that allows this.
    pub fn decide_all(
        &self,
        who: Principal<'_>,
        asked: Asked,
        compartment: &CompartmentId,
        facts: &(impl Facts + ?Sized),
    ) -> Vec<&StatementRef> {
        let mut all: Vec<_> =
            self.allowing(who, asked, compartment, facts).map(|statement| &statement.reference).collect();
        all.sort_by_key(|one| (&one.policy, one.index));
        all.dedup();
        all
    }

    fn allowing<'s: 'a, 'a, F: Facts + ?Sized>(
        &'s self,
        who: Principal<'a>,
        asked: Asked,
        compartment: &'a CompartmentId,
        facts: &'a F,
    ) -> impl Iterator<Item = &'s Compiled> + use<'s, 'a, F> {
        let narrowed = who.narrowings.is_some_and(|narrowings| {
            !narrowings.iter().any(|narrowing| self.reaches(narrowing.grant(), asked, Some(compartment), facts))
        });
        let above: Vec<&CompartmentId> = self.tree.up_from(compartment).collect();
        self.candidates(who, asked)
            .filter(move |_| !narrowed)
            .filter(move |statement| above.contains(&&statement.place))
            .filter(move |statement| self.is_about(&statement.whom, who, facts))
            .filter(|statement| statement.grant.condition().is_none_or(|condition| condition.holds(facts)))
    }

    /// Is there a statement that could allow this somewhere, for some target? For lists, whose items are then judged each.
    pub fn may_anywhere(&self, who: Principal<'_>, asked: Asked, facts: &(impl Facts + ?Sized)) -> bool {
        let narrowed = who.narrowings.is_some_and(|narrowings| {
            !narrowings.iter().any(|narrowing| self.reaches(narrowing.grant(), asked, None, facts))
        });
        !narrowed
            && self.candidates(who, asked).any(|statement| {
                self.is_about(&statement.whom, who, facts)
                    && statement.grant.condition().is_none_or(|condition| condition.may_hold(facts))
            })
    }

    /// Every statement that covers the type of resource, and why it did or did not allow this.
    pub fn explain(
        &self,
        who: Principal<'_>,
        asked: Asked,
        compartment: &CompartmentId,
        facts: &(impl Facts + ?Sized),
    ) -> Vec<(&StatementRef, Why)> {
        let why = |statement: &Compiled| {
            if !self.is_about(&statement.whom, who, facts) {
                Why::Subject
            } else if statement.grant.verb() < asked.verb {
                Why::Verb
            } else if !self.tree.is_at_or_below(compartment, &statement.place) {
                Why::Location
            } else if !statement.grant.condition().is_none_or(|condition| condition.holds(facts)) {
                Why::Condition
            } else {
                Why::Allows
            }
        };
        let covering = self.statements.iter().filter(|one| one.grant.covered().set().has(asked.resource));
        covering.map(|statement| (&statement.reference, why(statement))).collect()
    }

    fn candidates<'s: 'a, 'a>(
        &'s self,
        who: Principal<'a>,
        asked: Asked,
    ) -> impl Iterator<Item = &'s Compiled> + use<'s, 'a> {
        let found = self.index.get(&asked);
        let places = found.into_iter().flat_map(move |found| {
            let user = who.user.and_then(|user| found.users.get(user));
            let groups = who.groups.iter().filter_map(|group| found.groups.get(group));
            let lists = [&found.anybody, &found.dynamic].into_iter().chain(user).chain(groups);
            lists.flatten()
        });
        places.filter_map(|place| self.statements.get(*place))
    }

    fn is_about(&self, whom: &Whom, who: Principal<'_>, facts: &(impl Facts + ?Sized)) -> bool {
        match whom {
            Whom::AnyUser => true,
            Whom::AnyGroup => !who.groups.is_empty(),
            Whom::Groups(ids) => who.groups.iter().any(|group| ids.contains(group)),
            Whom::Users(ids) => who.user.is_some_and(|user| ids.contains(user)),
            Whom::Dynamic(rules) => {
                rules.iter().any(|rule| self.rules.get(*rule).is_some_and(|rule| rule.condition().holds(facts)))
            }
        }
    }

    fn reaches(
        &self,
        grant: &Grant,
        asked: Asked,
        compartment: Option<&CompartmentId>,
        facts: &(impl Facts + ?Sized),
    ) -> bool {
        let place = self.tree.find(grant.location());
        let condition = |condition: &Condition| match compartment {
            Some(_) => condition.holds(facts),
            None => condition.may_hold(facts),
        };
        grant.covered().set().has(asked.resource)
            && grant.verb() >= asked.verb
            && place.is_some_and(|place| compartment.is_none_or(|at| self.tree.is_at_or_below(at, &place)))
            && grant.condition().is_none_or(condition)
    }

    /// May the grantor give away what the statement grants, in a policy that is attached there? Nobody can grant what
    /// they lack: for every covered type one of the grantor's own statements must reach as far, without a condition or
    /// with the same one. What depends on who asks (dynamic groups, conditions of the principal) does not count: it may
    /// hold for the receiver and not for the grantor.
    pub fn covers(&self, grantor: Principal<'_>, statement: &Statement, attached: &CompartmentId) -> bool {
        let Ok(place) = statement.check_location(&self.tree, attached) else { return false };
        let wanted = statement.grant();
        let includes = |own: &Grant, at: &CompartmentId, resource: ResourceType| {
            own.covered().set().has(resource)
                && own.verb() >= wanted.verb()
                && self.tree.is_at_or_below(&place, at)
                && own.condition().is_none_or(|own| !own.is_of_principal() && wanted.condition() == Some(own))
        };
        wanted.covered().set().types().all(|resource| {
            let asked = Asked { resource, verb: wanted.verb() };
            let narrowed = grantor.narrowings.is_some_and(|narrowings| {
                !narrowings
                    .iter()
                    .map(Narrowing::grant)
                    .any(|grant| self.tree.find(grant.location()).is_some_and(|at| includes(grant, &at, resource)))
            });
            !narrowed
                && self.candidates(grantor, asked).any(|own| {
                    let about = match &own.whom {
                        Whom::AnyUser => true,
                        Whom::AnyGroup => !grantor.groups.is_empty(),
                        Whom::Groups(_) | Whom::Users(_) => true,
                        Whom::Dynamic(_) => false,
                    };
                    about && includes(&own.grant, &own.place, resource)
                })
        })
    }
}

/// What the names mean; nothing if none means anything.
fn named<Id: Clone>(who: &Who<Id>, names: &HashMap<PrincipalName, Id>) -> Option<Vec<Id>> {
    match who {
        Who::Id(id) => Some(vec![id.clone()]),
        Who::Named(list) => {
            let ids: Vec<_> = list.iter().filter_map(|name| names.get(name).cloned()).collect();
            (!ids.is_empty()).then_some(ids)
        }
    }
}
