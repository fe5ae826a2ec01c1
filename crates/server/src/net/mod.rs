//! Listeners: accept, bound, hand to HTTP, and drain.

mod admission;
mod guard;
mod listener;
#[cfg(test)]
mod tests;

pub(crate) use listener::{Bounds, Listener, bind};
