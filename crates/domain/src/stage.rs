//! Stages of the versions of a resource, with the meaning they have in OCI.

use crate::algorithm::named_enum;

named_enum! {
    /// A stage of a version. A version may be in several.
    Stage, "invalid_stage", "stage" {
        /// In use.
        Current = "CURRENT",
        /// Made after the current one and not yet taken into use.
        Pending = "PENDING",
        /// The newest.
        Latest = "LATEST",
        /// In use before the current one.
        Previous = "PREVIOUS",
        /// None of these; the only stage in which a version may be deleted.
        Deprecated = "DEPRECATED",
        /// Making it failed.
        Failed = "FAILED",
    }
}

/// What a resource knows of its versions; numbers start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionPointers {
    /// The version in use; `None` while nothing has been activated.
    pub current: Option<u32>,
    /// The version in use before that.
    pub previous: Option<u32>,
    /// The highest number ever given.
    pub latest: u32,
}

impl VersionPointers {
    /// The stages of version `number`. `failed`: making it failed.
    pub fn stages(&self, number: u32, failed: bool) -> Vec<Stage> {
        if failed {
            return vec![Stage::Failed];
        }
        let mut stages = Vec::new();
        if self.current == Some(number) {
            stages.push(Stage::Current);
        } else if self.current.is_none_or(|current| number > current) && self.previous != Some(number) {
            stages.push(Stage::Pending);
        }
        if self.latest == number {
            stages.push(Stage::Latest);
        }
        if self.previous == Some(number) {
            stages.push(Stage::Previous);
        }
        if stages.is_empty() {
            stages.push(Stage::Deprecated);
        }
        stages
    }

    /// The pointers after `number` was taken into use; `None` when it is deprecated, unknown or current already.
    /// Going back to the previous version is allowed.
    pub fn make_current(&self, number: u32) -> Option<Self> {
        let stages = self.stages(number, false);
        let may = number >= 1
            && number <= self.latest
            && (stages.contains(&Stage::Pending)
                || stages.contains(&Stage::Previous)
                || stages.contains(&Stage::Latest))
            && self.current != Some(number);
        may.then_some(Self { current: Some(number), previous: self.current, latest: self.latest })
    }
}

#[cfg(test)]
mod tests;
