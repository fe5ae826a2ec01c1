//! What deciding and signing need, kept in memory and checked against the epoch.
pub(crate) struct Context {}
impl Context {
    pub(crate) fn new() -> Self {
        Self {}
    }
}
