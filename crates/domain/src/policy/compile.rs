//! Statements in a form that decides quickly, and decisions.

use super::condition::Facts;
use super::statement::{Location, Name, Narrowing, Subject};
use super::{Asked, CompartmentTree, Misplaced, ResourceType, Statement, Variable, Verb};
use crate::id::CompartmentId;
use std::collections::HashMap;
use std::sync::Arc;

/// A statement with the policy it stands in.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Name of the policy.
    pub policy: Arc<str>,
    /// Its place in the policy, from 0.
    pub number: usize,
    /// The compartment that the policy is attached to.
    pub compartment: CompartmentId,
    /// The statement.
    pub statement: Statement,
}

/// What let somebody through: a statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Name of the policy.
    pub policy: Arc<str>,
    /// Place of the statement in it, from 0.
    pub number: usize,
    /// The statement as it was written.
    pub statement: Arc<str>,
}

/// Why a statement did not let somebody through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is about others.
    Subject,
    /// Its verb is less than what is asked for.
    Verb,
    /// It is about another place.
    Location,
    /// Its condition does not hold.
    Condition,
    /// Its location does not exist, or is none of its policy's.
    Misplaced,
}

/// What a statement about the right kind of resource says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The statement.
    pub ground: Ground,
    /// Why it did not let the request through; `None`: it did.
    pub reason: Option<Reason>,
}

/// Who asks: numbers of groups, as [`Policies::group`] and [`Policies::dynamic_group`] give them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// Canonical name and id of the user; empty: no user.
    pub user: (String, String),
    /// Groups, in ascending order.
    pub groups: Vec<u32>,
    /// Dynamic groups, in ascending order.
    pub dynamic_groups: Vec<u32>,
}

#[derive(Debug)]
enum Whom {
    All,
    InAnyGroup,
    Groups(Vec<u32>),
    DynamicGroups(Vec<u32>),
    Users(Vec<Name>),
}

#[derive(Debug)]
struct Compiled {
    ground: Ground,
    whom: Whom,
    /// The compartment it speaks of, and its number; `None`: the statement is misplaced and says nothing.
    root: Option<(CompartmentId, u32)>,
    statement: Statement,
}

/// All policies of a tenancy.
#[derive(Debug)]
pub struct Policies {
    statements: Vec<Compiled>,
    /// Numbers of the statements about each resource type.
    about: Vec<Vec<u32>>,
    groups: HashMap<String, u32>,
    dynamic_groups: HashMap<String, u32>,
    tree: CompartmentTree,
}

impl Policies {
    /// Brings statements into form. `groups`, `dynamic_groups`: canonical names and ids of those that there are; a statement
    /// about one that is not there lets nobody through.
    pub fn compile<'a>(
        tree: CompartmentTree,
        groups: impl Iterator<Item = (&'a str, &'a str)>,
        dynamic_groups: impl Iterator<Item = (&'a str, &'a str)>,
        statements: impl Iterator<Item = Attached>,
    ) -> Self {
        let (groups, dynamic_groups) = (numbered(groups), numbered(dynamic_groups));
        let mut policies = Self {
            statements: Vec::new(),
            about: vec![Vec::new(); ResourceType::ALL.len()],
            groups,
            dynamic_groups,
            tree,
        };
        for attached in statements {
            policies.add(attached);
        }
        policies
    }

    fn add(&mut self, attached: Attached) {
        let Attached { policy, number, compartment, statement } = attached;
        let index = u32::try_from(self.statements.len()).unwrap_or(u32::MAX);
        for kind in statement.resources.iter() {
            if let Some(list) = self.about.get_mut(kind.index()) {
                list.push(index);
            }
        }
        let whom = match &statement.subject {
            Subject::AnyUser => Whom::All,
            Subject::AnyGroup => Whom::InAnyGroup,
            Subject::Groups(names) => Whom::Groups(find(&self.groups, names)),
            Subject::DynamicGroups(names) => Whom::DynamicGroups(find(&self.dynamic_groups, names)),
            Subject::Users(names) => Whom::Users(names.clone()),
        };
        let root = self.tree.resolve(&statement.location, &compartment).ok();
        let root = root.and_then(|root| self.tree.number(&root).map(|number| (root, number)));
        let ground = Ground { policy, number, statement: statement.text.as_str().into() };
        self.statements.push(Compiled { ground, whom, root, statement });
    }

    /// The number of a group, by canonical name or id.
    pub fn group(&self, name: &str) -> Option<u32> {
        self.groups.get(name).copied()
    }

    /// The number of a dynamic group, by canonical name or id.
    pub fn dynamic_group(&self, name: &str) -> Option<u32> {
        self.dynamic_groups.get(name).copied()
    }

    /// The tree of compartments.
    pub fn tree(&self) -> &CompartmentTree {
        &self.tree
    }

    /// Does any statement let this through? The first that does.
    pub fn decide(&self, who: &Who, asked: Asked, at: &CompartmentId, facts: &dyn Facts) -> Option<&Ground> {
        let lineage = self.tree.lineage(at);
        let mut about = self.about(asked.resource);
        about.find(|one| one.refuses(who, asked.verb, &lineage, facts).is_none()).map(|one| &one.ground)
    }

    /// Could any statement let this through somewhere, for some object? For lists.
    pub fn could(&self, who: &Who, asked: Asked, facts: &dyn Facts) -> bool {
        self.could_for(who, asked, None, facts, |variable| variable.name().starts_with("target."))
    }

    /// Could any statement let this through there, for other names or with another profile?
    pub fn could_sign(&self, who: &Who, asked: Asked, at: &CompartmentId, facts: &dyn Facts) -> bool {
        self.could_for(who, asked, Some(at), facts, |variable| {
            matches!(variable, Variable::TargetNames | Variable::TargetProfileName | Variable::TargetProfileId)
        })
    }

    fn could_for(
        &self,
        who: &Who,
        asked: Asked,
        at: Option<&CompartmentId>,
        facts: &dyn Facts,
        assumed: fn(&Variable) -> bool,
    ) -> bool {
        let lineage = at.map(|at| self.tree.lineage(at));
        self.about(asked.resource).any(|one| {
            let there = |(_, number): &(CompartmentId, u32)| lineage.as_ref().is_none_or(|line| line.contains(number));
            one.root.as_ref().is_some_and(there)
                && one.whom.holds(who)
                && one.statement.verb >= asked.verb
                && one.statement.condition.as_ref().is_none_or(|condition| condition.could_hold(facts, assumed))
        })
    }

    /// What every statement about the resource says, those that let through first.
    pub fn explain(&self, who: &Who, asked: Asked, at: &CompartmentId, facts: &dyn Facts) -> Vec<Verdict> {
        let lineage = self.tree.lineage(at);
        let verdict = |one: &Compiled| {
            let reason = one.refuses(who, asked.verb, &lineage, facts);
            Verdict { ground: one.ground.clone(), reason }
        };
        let mut verdicts: Vec<Verdict> = self.about(asked.resource).map(verdict).collect();
        verdicts.sort_by_key(|verdict| verdict.reason.is_some());
        verdicts
    }

    /// Does a narrowing of a token leave room for this?
    pub fn leaves_room(&self, narrowing: &Narrowing, asked: Asked, at: &CompartmentId, facts: &dyn Facts) -> bool {
        let Narrowing { verb, resources, location, condition, .. } = narrowing;
        resources.contains(asked.resource)
            && *verb >= asked.verb
            && self.tree.resolve(location, &CompartmentId::tenancy()).is_ok_and(|root| self.tree.is_within(at, &root))
            && condition.as_ref().is_none_or(|condition| condition.holds(facts))
    }

    /// May somebody who is `who` hand this on? Only when for every type in it there is a statement that gives `who` at
    /// least the verb, at the place or above it, without a condition or under the very same one. Unsure is no.
    pub fn covers(&self, who: &Who, statement: &Statement, attached: &CompartmentId) -> Result<(), Asked> {
        let root = self.tree.resolve(&statement.location, attached).ok();
        self.lacking(who, statement, root.as_ref()).map_or(Ok(()), Err)
    }

    /// May somebody who is `who` make somebody into what `receiver` is, say by putting it into a group or by acting for it?
    /// Only when `who` could hand on every statement that lets `receiver` do something. Brings the first that it lacks. The
    /// dynamic groups of `receiver` are all that it could come to be in.
    pub fn covers_all_of(&self, who: &Who, receiver: &Who) -> Result<(), Ground> {
        // A misplaced statement gives nothing to anybody, and what is for CAs alone nothing to the receiver.
        let gives = |one: &&Compiled| {
            let for_cas =
                one.statement.condition.as_ref().is_some_and(|condition| !condition.could_hold_from_outside());
            one.root.is_some() && one.whom.holds(receiver) && !for_cas
        };
        let mut lacking = self.statements.iter().filter(gives);
        let lacking = lacking.find(|one| self.lacking(who, &one.statement, one.place()).is_some());
        lacking.map_or(Ok(()), |one| Err(one.ground.clone()))
    }

    /// The same for whoever will be in the dynamic group of this name and id, which may not be there yet.
    pub fn covers_all_named(&self, who: &Who, name: &str, id: &str) -> Result<(), Ground> {
        let names = |one: &Name| {
            matches!(one, Name::Named(text) if text == name) || matches!(one, Name::Id(text) if text == id)
        };
        let gives = |one: &&Compiled| match &one.statement.subject {
            Subject::DynamicGroups(groups) => one.root.is_some() && groups.iter().any(names),
            Subject::AnyUser | Subject::AnyGroup | Subject::Groups(_) | Subject::Users(_) => false,
        };
        let mut given = self.statements.iter().filter(gives);
        let lacking = given.find(|one| self.lacking(who, &one.statement, one.place()).is_some());
        lacking.map_or(Ok(()), |one| Err(one.ground.clone()))
    }

    /// What of a statement `who` has not itself. What `who` has by a dynamic group, or under a condition on who asks, it may
    /// have now and here alone, and it may hold for others who have nothing else: that is not handed on.
    fn lacking(&self, who: &Who, statement: &Statement, root: Option<&CompartmentId>) -> Option<Asked> {
        let same = |condition| Some(condition) == statement.condition.as_ref();
        let covered = |kind: &ResourceType| {
            root.is_some_and(|root| {
                self.about(*kind).any(|one| {
                    let lasting = !matches!(one.whom, Whom::DynamicGroups(_))
                        && one.statement.condition.as_ref().is_none_or(|condition| !condition.is_about_the_asker());
                    lasting
                        && one.whom.holds(who)
                        && one.statement.verb >= statement.verb
                        && one.root.as_ref().is_some_and(|(upper, _)| self.tree.is_within(root, upper))
                        && one.statement.condition.as_ref().is_none_or(same)
                })
            })
        };
        let lacking = statement.resources.iter().find(|kind| !covered(kind));
        lacking.map(|resource| Asked { resource, verb: statement.verb })
    }

    /// Does a statement speak of a place that its policy may speak of?
    pub fn check_location(tree: &CompartmentTree, statement: &Statement, at: &CompartmentId) -> Result<(), Misplaced> {
        tree.resolve(&statement.location, at).map(drop)
    }

    fn about(&self, kind: ResourceType) -> impl Iterator<Item = &Compiled> {
        let numbers = self.about.get(kind.index()).map_or(&[][..], Vec::as_slice);
        numbers.iter().filter_map(|number| self.statements.get(usize::try_from(*number).ok()?))
    }
}

impl Compiled {
    /// The compartment it speaks of.
    fn place(&self) -> Option<&CompartmentId> {
        self.root.as_ref().map(|(id, _)| id)
    }

    /// Why it does not let this through, the cheapest question first. `lineage`: the object's compartment and those above.
    fn refuses(&self, who: &Who, verb: Verb, lineage: &[u32], facts: &dyn Facts) -> Option<Reason> {
        if self.statement.verb < verb {
            return Some(Reason::Verb);
        }
        if !self.whom.holds(who) {
            return Some(Reason::Subject);
        }
        let Some((_, number)) = &self.root else { return Some(Reason::Misplaced) };
        if !lineage.contains(number) {
            return Some(Reason::Location);
        }
        let condition = self.statement.condition.as_ref();
        condition.is_some_and(|condition| !condition.holds(facts)).then_some(Reason::Condition)
    }
}

impl Whom {
    fn holds(&self, who: &Who) -> bool {
        let among = |mine: &[u32], named: &[u32]| named.iter().any(|number| mine.binary_search(number).is_ok());
        match self {
            Self::All => true,
            Self::InAnyGroup => !who.groups.is_empty(),
            Self::Groups(named) => among(&who.groups, named),
            Self::DynamicGroups(named) => among(&who.dynamic_groups, named),
            Self::Users(names) => names.iter().any(|name| match name {
                Name::Named(name) => !name.is_empty() && *name == who.user.0,
                Name::Id(id) => !id.is_empty() && *id == who.user.1,
            }),
        }
    }
}

/// Names and ids, each pair with a number of its own.
fn numbered<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> HashMap<String, u32> {
    let pairs = (0..).zip(pairs);
    pairs.flat_map(|(number, (name, id))| [(name.to_owned(), number), (id.to_owned(), number)]).collect()
}

fn find(known: &HashMap<String, u32>, names: &[Name]) -> Vec<u32> {
    let text = |name: &Name| match name {
        Name::Named(text) | Name::Id(text) => known.get(text).copied(),
    };
    names.iter().filter_map(text).collect()
}

impl Statement {
    /// Where it speaks of.
    pub fn location(&self) -> &Location {
        &self.location
    }
}
