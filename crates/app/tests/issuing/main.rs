//! CAs and certificates through the use cases, on a real store with real keys and a clock moved by hand.

#[path = "../common/mod.rs"]
mod common;

mod certificates;
mod faults;
mod foreign;
mod kit;
mod setup;
