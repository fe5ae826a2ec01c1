//! Sending events to webhooks, beside requests. Any node may do it at any time (see `certwright_app`: claims); each
//! webhook has a task of its own while something is due for it.

use crate::outbound::Trust;
use certwright_app::App;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How often is looked for what has become due, or what another node has left. An event of this node wakes us at once.
const LOOK: Duration = Duration::from_secs(2);
/// The pause after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How old what we know of our own roots may be.
const ROOTS: Duration = Duration::from_secs(5);
/// For requests under way when we are to stop.
const LAST: Duration = Duration::from_secs(4);

/// Sends until `stop`.
pub(crate) async fn run(app: App, trust: Arc<Trust>, mut stop: watch::Receiver<bool>) {
    let mut running: JoinSet<Result<u64, certwright_app::Error>> = JoinSet::new();
    let mut roots_read: Option<Instant> = None;
    let mut pause = LOOK;
    loop {
        let failed = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(done) = running.join_next() => told(done),
            () = sleep(pause) => false,
            () = app.delivery_stored(), if pause == LOOK => false,
        };
        pause = if failed { AFTER_FAILURE } else { LOOK };
        if failed {
            continue;
        }
        match app.webhooks_due().await {
            Ok(due) if due.is_empty() => {}
            Ok(due) => {
                if roots_read.is_none_or(|at| at.elapsed() > ROOTS) {
                    read_roots(&app, &trust).await;
                    roots_read = Some(Instant::now());
                }
                for webhook in due {
                    let app = app.clone();
                    running.spawn(async move { app.deliver_to(&webhook).await });
                }
            }
            Err(error) => {
                tracing::error!(%error, "the webhooks that have something to get were not read");
                pause = AFTER_FAILURE;
            }
        }
    }
    // What is cut off is sent again when its claim ends.
    let _ = timeout(LAST, async { while running.join_next().await.is_some() {} }).await;
}

/// Did it fail?
fn told(done: Result<Result<u64, certwright_app::Error>, tokio::task::JoinError>) -> bool {
    match done {
        Ok(Ok(_)) => false,
        Ok(Err(error)) => {
            tracing::error!(%error, "events were not sent");
            true
        }
        Err(error) => {
            tracing::error!(%error, "sending events ended badly");
            true
        }
    }
}

/// Receivers whose certificate comes from a CA of ours are trusted.
pub(crate) async fn read_roots(app: &App, trust: &Trust) {
    let read = match app.trusted_roots().await {
        Ok(roots) => trust.set_own(roots.into_iter().map(|root| root.certificate.der).collect()),
        Err(error) => {
            tracing::warn!(%error, "the roots of our own CAs were not read");
            Ok(())
        }
    };
    if let Err(error) = read {
        tracing::warn!(%error, "the roots of our own CAs were not taken");
    }
}
