//! Policies: who may do what, in statements that OCI's operators know. Everything is denied that no statement allows.

mod condition;
mod decide;
mod fact;
mod parser;
mod resource;
mod statement;
mod syntax;
mod tree;

pub use condition::{Comparison, Condition};
pub use decide::{Asked, Decision, Directory, Inert, InertReason, Policies, Policy, Principal, StatementRef, Why};
pub use fact::{CLAIM_PREFIX, Facts, Known, Value, Variable};
pub use resource::{Covered, Family, ResourceSet, ResourceType, Verb};
pub use statement::{DEEPEST, Grant, LONGEST, Location, MatchingRule, Narrowing, Statement, Subject, WIDEST, Who};
pub use syntax::SyntaxError;
pub use tree::{CompartmentTree, Misplaced, TreeFault};

#[cfg(test)]
mod tests;
