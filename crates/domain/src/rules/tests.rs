//! Every rule, one table per concern; properties in their own module.

mod authority;
mod fixtures;
#[expect(clippy::arithmetic_side_effects, reason = "big numbers do not overflow")]
mod keys;
mod lifetimes;
mod names;
mod properties;
mod responder;
