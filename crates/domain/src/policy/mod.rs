//! Policies: statements in the grammar that OCI's operators know, and who may do what by them.
//!
//! A statement is read once ([`Statement::parse`]), brought into a form that decides quickly ([`Policies::compile`]), and
//! asked with the [`Facts`] of a request. There is no denying: what no statement allows is refused. Everything here is pure.

mod compile;
mod condition;
mod fault;
mod grammar;
mod kinds;
mod statement;
mod tree;
mod variable;

pub use compile::{Attached, Ground, Policies, Reason, Verdict, Who};
pub use condition::{Condition, Facts, MatchingRule, Value};
pub use fault::SyntaxError;
pub use kinds::{Asked, FAMILIES, ResourceSet, ResourceType, Verb};
pub use statement::{Location, Name, Narrowing, Statement, Subject};
pub use tree::{CompartmentTree, Misplaced};
pub use variable::{VARIABLES, Variable, VariableInfo};

#[cfg(test)]
mod tests;
