//! The conformance suite of storage: one body of tests, mounted once per database. It executes every statement.
#![expect(clippy::duplicate_mod, reason = "one suite, two databases")]
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests")]

mod fixtures;
mod postgres;
mod sqlite;
