//! The tree of compartments.

use super::statement::Location;
use crate::access::Compartment;
use crate::id::CompartmentId;
use std::collections::HashMap;

/// Longer ways up are no tree.
const MAX_STEPS: usize = 64;

/// Who lies in whom.
#[derive(Debug, Clone, Default)]
pub struct CompartmentTree {
    parents: HashMap<CompartmentId, Option<CompartmentId>>,
    numbers: HashMap<CompartmentId, u32>,
    ids: HashMap<String, CompartmentId>,
    names: HashMap<CompartmentId, String>,
}

/// A location that a policy cannot speak of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// Nothing has this name, or it does not lie in the one before it.
    #[error("there is no compartment `{0}` there")]
    Absent(String),
    /// A policy speaks of its own compartment and what lies below it.
    #[error("compartment {location} does not lie in compartment {attached}, which the policy is attached to")]
    Outside {
        /// What the statement speaks of.
        location: String,
        /// Where the policy is attached.
        attached: String,
    },
}

impl CompartmentTree {
    /// The tree of these compartments.
    pub fn new<'a>(compartments: impl IntoIterator<Item = &'a Compartment>) -> Self {
        let mut tree = Self::default();
        for (number, compartment) in (0..).zip(compartments) {
            tree.numbers.insert(compartment.id.clone(), number);
            tree.parents.insert(compartment.id.clone(), compartment.parent.clone());
            tree.ids.insert(compartment.name.as_str().to_ascii_lowercase(), compartment.id.clone());
            tree.names.insert(compartment.id.clone(), compartment.name.as_str().to_owned());
        }
        tree
    }

    /// The name of a compartment.
    pub fn name(&self, id: &CompartmentId) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    /// As statements say it: `tenancy` or `compartment NAME`.
    pub fn place(&self, id: &CompartmentId) -> String {
        match self.name(id) {
            Some(name) if !id.is_tenancy() => format!("compartment {name}"),
            _ => "tenancy".to_owned(),
        }
    }

    /// The number of a compartment.
    pub(super) fn number(&self, id: &CompartmentId) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// The numbers of a compartment and of those that it lies in.
    pub(super) fn lineage(&self, id: &CompartmentId) -> Vec<u32> {
        let upper = |id: &&CompartmentId| self.parents.get(*id).and_then(Option::as_ref);
        let ids = std::iter::successors(Some(id), upper).take(MAX_STEPS);
        ids.filter_map(|id| self.number(id)).collect()
    }

    /// Does a compartment lie in another, or is it the same?
    pub fn is_within(&self, id: &CompartmentId, upper: &CompartmentId) -> bool {
        let mut at = Some(id);
        for _ in 0..MAX_STEPS {
            match at {
                Some(here) if here == upper => return true,
                Some(here) => at = self.parents.get(here).and_then(Option::as_ref),
                None => return false,
            }
        }
        false
    }

    /// The compartment that a statement speaks of, when its policy is attached to `attached`.
    pub fn resolve(&self, location: &Location, attached: &CompartmentId) -> Result<CompartmentId, Misplaced> {
        let found = match location {
            Location::Tenancy => CompartmentId::tenancy(),
            Location::Id(id) => match self.parents.contains_key(id) {
                true => id.clone(),
                false => return Err(Misplaced::Absent(id.to_string())),
            },
            Location::Path(path) => self.walk(path)?,
        };
        match self.is_within(&found, attached) {
            true => Ok(found),
            false => {
                let shown = |id: &CompartmentId| self.name(id).unwrap_or("?").to_owned();
                Err(Misplaced::Outside { location: shown(&found), attached: shown(attached) })
            }
        }
    }

    /// Names are unique in the whole tree, so the last one decides; those before it must be right as well.
    fn walk(&self, path: &[String]) -> Result<CompartmentId, Misplaced> {
        let mut upper: Option<CompartmentId> = None;
        for name in path {
            let id = self.ids.get(&name.to_ascii_lowercase()).ok_or_else(|| Misplaced::Absent(name.clone()))?;
            let fits = upper.as_ref().is_none_or(|upper| self.parents.get(id).and_then(Option::as_ref) == Some(upper));
            if !fits {
                return Err(Misplaced::Absent(path.join(":")));
            }
            upper = Some(id.clone());
        }
        upper.ok_or_else(|| Misplaced::Absent(String::new()))
    }
}
