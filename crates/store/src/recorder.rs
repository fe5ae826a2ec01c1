//! The group commit of the issuing path: the queue and its ends. The lanes that work it off are in `queries::lane`.

use crate::{Error, Recording};
use certwright_domain::issued::IssuedCertificate;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Most recordings of one transaction.
const MAX_BATCH: usize = 256;
/// Recordings that may wait; beyond it callers wait to get in.
const QUEUE: usize = 1024;
/// A caller is never left waiting longer than this, whatever happens to the database.
const PATIENCE: Duration = Duration::from_secs(15);

/// A recording on its way, with the place where its caller waits.
pub(crate) struct Job {
    pub(crate) recording: Recording,
    /// Gets the row back once it is stored.
    pub(crate) reply: oneshot::Sender<Result<IssuedCertificate, Error>>,
}

/// The far end of the queue, shared by the lanes: one takes a batch while the others commit theirs.
pub(crate) struct Intake {
    jobs: mpsc::Receiver<Job>,
    closing: watch::Receiver<bool>,
}

impl Intake {
    /// Waits for the next batch: everything that queued up while the last one was written, without lingering for more.
    /// Nothing means the queue is closed and empty.
    pub(crate) async fn take(&mut self, batch: &mut Vec<Job>) -> usize {
        loop {
            let closed = self.jobs.is_closed();
            tokio::select! {
                biased;
                count = self.jobs.recv_many(batch, MAX_BATCH) => return count,
                // An error means that the store is gone; its queue is finished all the same.
                _ = self.closing.wait_for(|closing| *closing), if !closed => self.jobs.close(),
            }
        }
    }
}

/// The group commit of the issuing path: concurrent [`Recorder::record`] calls share one durable transaction.
#[derive(Clone)]
pub struct Recorder {
    jobs: mpsc::Sender<Job>,
}

impl Recorder {
    /// A recorder, the intake of its lanes, and the switch that closes the queue.
    pub(crate) fn new() -> (Self, Intake, watch::Sender<bool>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (close, closing) = watch::channel(false);
        (Self { jobs: sender }, Intake { jobs: receiver, closing }, close)
    }

    /// Stores the certificate with its audit event. Returns the row once it is on disk. [`Error::Stale`]: the epoch is not
    /// the recording's any more, nothing was stored. [`Error::Conflict`]: the serial exists.
    /// One bad recording does not fail the others of its batch.
    ///
    /// A caller that goes away before the answer does not stop the recording.
    pub async fn record(&self, recording: Recording) -> Result<IssuedCertificate, Error> {
        let (reply, answer) = oneshot::channel();
        let send_and_wait = async {
            let closed = || Error::Unavailable("the store is closed".to_owned());
            self.jobs.send(Job { recording, reply }).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        };
        tokio::time::timeout(PATIENCE, send_and_wait)
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable("the group commit did not answer in time".to_owned())))
    }
}
