//! The tree of compartments below the tenancy.

use super::statement::{Location, Statement};
use crate::id::CompartmentId;
use crate::principal::canonical;
use std::collections::HashMap;

/// How many compartments may stand below each other, the tenancy not counted.
pub(super) const DEEPEST: usize = 6;

/// Rows that are no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeFault {
    /// Two compartments have one name.
    #[error("two compartments are called `{0}`; upper and lower case are the same")]
    Twice(String),
    /// Two compartments have one id, or one has that of the tenancy.
    #[error("the compartment `{0}` is there twice")]
    SameId(CompartmentId),
    /// The parent is not there, there is a circle, or the tree is too deep.
    #[error("the compartment `{0}` does not lead to the tenancy within {DEEPEST} steps")]
    NotBelowTenancy(CompartmentId),
}

/// Why a statement's location does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// There is no such compartment.
    #[error("there is no `{0}` here; name a compartment that exists, or use its id")]
    Unknown(Location),
    /// It is there, but the policy does not reach it.
    #[error("`{0}` is not the policy's own compartment and not below it; attach the policy higher up")]
    Outside(Location),
}

#[derive(Debug, Clone)]
struct Node {
    name: String,
    /// The parent and those above it, the nearest first; the tenancy has none.
    above: Vec<CompartmentId>,
}

/// Every compartment with those above it. The tenancy is always there.
#[derive(Debug, Clone)]
pub struct CompartmentTree {
    nodes: HashMap<CompartmentId, Node>,
    names: HashMap<String, CompartmentId>,
}

impl CompartmentTree {
    /// Builds the tree from (id, parent, name); the tenancy is not among them.
    pub fn build(rows: impl IntoIterator<Item = (CompartmentId, CompartmentId, String)>) -> Result<Self, TreeFault> {
        let mut parents = HashMap::new();
        let mut names = HashMap::new();
        let tenancy = CompartmentId::tenancy();
        for (id, parent, name) in rows {
            if names.insert(canonical(&name), id.clone()).is_some() {
                return Err(TreeFault::Twice(name));
            }
            if id == tenancy || parents.insert(id.clone(), (parent, name)).is_some() {
                return Err(TreeFault::SameId(id));
            }
        }
        let mut nodes = HashMap::from([(tenancy.clone(), Node { name: "tenancy".to_owned(), above: Vec::new() })]);
        for (id, (parent, name)) in &parents {
            let mut above = vec![parent.clone()];
            let mut at = parent;
            while *at != tenancy {
                match parents.get(at) {
                    Some((next, _)) if above.len() < DEEPEST => {
                        above.push(next.clone());
                        at = next;
                    }
                    _ => return Err(TreeFault::NotBelowTenancy(id.clone())),
                }
            }
            nodes.insert(id.clone(), Node { name: name.clone(), above });
        }
        Ok(Self { nodes, names })
    }

    /// The name of a compartment.
    pub fn name(&self, id: &CompartmentId) -> Option<&str> {
        self.nodes.get(id).map(|node| node.name.as_str())
    }

    /// The compartment that a name means, in any case.
    pub fn by_name(&self, name: &str) -> Option<&CompartmentId> {
        self.names.get(&canonical(name))
    }

    /// The compartment in which this one lies; the tenancy lies in none.
    pub fn parent(&self, id: &CompartmentId) -> Option<&CompartmentId> {
        self.nodes.get(id)?.above.first()
    }

    /// The compartment itself and those above it; nothing if it is not there.
    pub fn up_from<'a>(&'a self, id: &'a CompartmentId) -> impl Iterator<Item = &'a CompartmentId> {
        let node = self.nodes.get(id);
        node.map(|_| id).into_iter().chain(node.into_iter().flat_map(|node| &node.above))
    }

    /// Is it the ancestor itself, or below it?
    pub fn is_at_or_below(&self, id: &CompartmentId, ancestor: &CompartmentId) -> bool {
        self.up_from(id).any(|one| one == ancestor)
    }

    /// Is it below the ancestor, and not the ancestor itself?
    pub fn is_below(&self, id: &CompartmentId, ancestor: &CompartmentId) -> bool {
        id != ancestor && self.is_at_or_below(id, ancestor)
    }

    /// The compartment that a location means, wherever it stands.
    pub fn find(&self, location: &Location) -> Option<CompartmentId> {
        match location {
            Location::Tenancy => Some(CompartmentId::tenancy()),
            Location::Id(id) => self.nodes.contains_key(id).then(|| id.clone()),
            Location::Path(path) => {
                let (first, rest) = path.split_first()?;
                let mut at = self.by_name(first)?;
                for name in rest {
                    let next = self.by_name(name)?;
                    if self.parent(next)? != at {
                        return None;
                    }
                    at = next;
                }
                Some(at.clone())
            }
        }
    }
}

impl Statement {
    /// Where the statement holds, if the policy is attached there: a policy reaches its own compartment and those below.
    pub fn check_location(&self, tree: &CompartmentTree, attached: &CompartmentId) -> Result<CompartmentId, Misplaced> {
        let location = self.grant().location();
        let id = tree.find(location).ok_or_else(|| Misplaced::Unknown(location.clone()))?;
        if tree.is_at_or_below(&id, attached) { Ok(id) } else { Err(Misplaced::Outside(location.clone())) }
    }
}
