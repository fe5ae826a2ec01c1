//! A seam for tests: commits that fail before or after they took effect.

use crate::Error;

/// A seam for tests: told of every commit, may turn it into a failure before or after it took effect.
pub trait CommitFaults: Send + Sync {
    /// Called before the commit of the transaction `name`; an error means it was not stored.
    fn before(&self, name: &'static str) -> Result<(), Error>;
    /// Called after the commit; an error means it was stored but the caller does not learn so.
    fn after(&self, name: &'static str) -> Result<(), Error>;
}

/// Production: no faults.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;
impl CommitFaults for NoFaults {
    fn before(&self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }
    fn after(&self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }
}
