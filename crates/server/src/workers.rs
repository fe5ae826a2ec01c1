//! The tasks beside requests, by name. None of them ends before it is told to: one that does has panicked or has a fault, and what
//! it was there for is not done any more.

use std::collections::HashMap;
use std::future::{Future, pending};
use tokio::task::{Id, JoinError, JoinSet};

/// The tasks.
#[derive(Default)]
pub(crate) struct Workers {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Workers {
    /// Starts one; the name is for the log.
    pub(crate) fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.names.insert(task.id(), name);
    }

    /// Waits until one has ended: its name, and why. Waits for ever when there are none.
    pub(crate) async fn ended(&mut self) -> (&'static str, String) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => (self.name(id), "it ended".to_owned()),
            Some(Err(error)) => (self.name(error.id()), reason(error)),
            None => pending().await,
        }
    }

    /// Waits until all have ended, as they were told to.
    pub(crate) async fn drained(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Err(error) = ended {
                let (name, why) = (self.name(error.id()), reason(error));
                tracing::error!(worker = name, why, "background work ended badly");
            }
        }
    }

    /// Ends those that are left.
    pub(crate) fn abort(&mut self) {
        self.tasks.abort_all();
    }

    fn name(&self, id: Id) -> &'static str {
        self.names.get(&id).copied().unwrap_or("unknown")
    }
}

/// Why a task is not there any more: the message of its panic, where it has one.
pub(crate) fn reason(error: JoinError) -> String {
    match error.try_into_panic() {
        Err(error) => error.to_string(),
        Ok(panic) => match (panic.downcast_ref::<&'static str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => format!("it panicked: {text}"),
            (None, Some(text)) => format!("it panicked: {text}"),
            (None, None) => "it panicked".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_ended_is_told_with_its_reason() {
        let mut workers = Workers::default();
        workers.spawn("patient", pending());
        workers.spawn("hasty", async {});
        assert_eq!(workers.ended().await, ("hasty", "it ended".to_owned()));
        workers.spawn("clumsy", async { panic!("fell over {}", "a stone") });
        assert_eq!(workers.ended().await, ("clumsy", "it panicked: fell over a stone".to_owned()));
        workers.abort();
        workers.drained().await;
    }
}
