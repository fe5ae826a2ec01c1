//! Looking at ACME clients' proofs, beside requests: what was answered on this node at once, second attempts and what dead
//! nodes left when their time has come. Any node may look (see `certwright_app`: claims).

use certwright_app::{App, Error};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often is looked for what has become due.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Proofs that are looked at at a time.
const AT_ONCE: usize = 64;
/// Due proofs that are claimed at a time.
const BATCH: u32 = 32;
/// For proofs under way when we are to stop.
const LAST: Duration = Duration::from_secs(4);

/// Looks until `stop`.
pub(crate) async fn run(app: App, mut stop: watch::Receiver<bool>) {
    let mut running: JoinSet<Result<(), Error>> = JoinSet::new();
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let room = running.len() < AT_ONCE;
        let waited = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(done) = running.join_next() => {
                told(done);
                continue;
            }
            // Before the next one: what comes without a pause must not keep second attempts waiting.
            _ = tick.tick(), if room => None,
            proof = app.next_acme_proof(), if room => Some(proof),
        };
        let proofs = match waited {
            Some(proof) => Ok(vec![proof]),
            None => app.due_acme_proofs(BATCH).await,
        };
        match proofs {
            Ok(proofs) => {
                for proof in proofs {
                    let app = app.clone();
                    running.spawn(async move { app.look_at_acme_proof(&proof).await });
                }
            }
            Err(error) => {
                tracing::error!(%error, "the proofs that are due were not read");
                tick.reset_after(AFTER_FAILURE);
            }
        }
    }
    // What is cut off is looked at again when its claim ends.
    let _ = timeout(LAST, async { while running.join_next().await.is_some() {} }).await;
}

fn told(done: Result<Result<(), Error>, JoinError>) {
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "what a proof came to was not written; it is looked at again"),
        Err(error) => tracing::error!(%error, "looking at a proof ended badly; it is looked at again"),
    }
}
