//! A sink of the audit trail that exists in memory: it remembers what it took, and fails when a test wants.

use async_trait::async_trait;
use certwright_app::{AuditSink, SinkError, SinkEvent};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A receiver.
#[derive(Default)]
pub(crate) struct Receiver {
    lines: Mutex<Vec<String>>,
    failures: Mutex<VecDeque<SinkError>>,
    largest: Mutex<usize>,
    /// The next batch is never answered.
    mute: Mutex<bool>,
    waits: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Everything that it took, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    /// The next batches arrive in half, and then fail so.
    pub(crate) fn will_fail(&self, failures: impl IntoIterator<Item = SinkError>) {
        lock(&self.failures).extend(failures);
    }

    /// The next batch is taken and never answered.
    pub(crate) fn hang_next(&self) {
        *lock(&self.mute) = true;
    }

    /// Waits until a batch hangs.
    pub(crate) async fn hung(&self) {
        self.waits.notified().await;
    }

    /// The size of the largest batch.
    pub(crate) fn largest(&self) -> usize {
        *lock(&self.largest)
    }
}

#[async_trait]
impl AuditSink for Receiver {
    async fn ship(&self, events: &[SinkEvent]) -> Result<(), SinkError> {
        if std::mem::take(&mut *lock(&self.mute)) {
            self.waits.notify_one();
            std::future::pending::<()>().await;
        }
        let mut largest = lock(&self.largest);
        *largest = events.len().max(*largest);
        let failure = lock(&self.failures).pop_front();
        let taken = if failure.is_some() { events.len().div_ceil(2) } else { events.len() };
        lock(&self.lines).extend(events.iter().take(taken).map(|event| event.line.clone()));
        failure.map_or(Ok(()), Err)
    }
}

#[tokio::test]
async fn the_receiver_of_every_test_takes_half_of_what_fails() {
    let app = super::TestApp::sqlite().await;
    let (at, action, line) = (super::start(), "a".to_owned(), "line".to_owned());
    let event = SinkEvent { at, action, succeeded: true, short: line.clone(), line };
    app.receiver.will_fail([SinkError::Busy]);
    assert_eq!(app.receiver.ship(&[event.clone(), event.clone()]).await, Err(SinkError::Busy));
    assert_eq!(app.receiver.ship(&[event]).await, Ok(()));
    assert_eq!((app.receiver.lines().len(), app.receiver.largest()), (2, 2));
}
