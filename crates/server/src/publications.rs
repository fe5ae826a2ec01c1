//! Writing to targets, beside requests. Any node may do it at any time (see `certwright_app`: claims); each target has a
//! task of its own while something is due there.

use crate::deliveries::read_roots;
use crate::outbound::Trust;
use certwright_app::{App, PublicationHealth, PublicationReport};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How often is looked for what has become due, or what another node has left. A list made on this node wakes us at once.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How old what we know of our own roots may be.
const ROOTS: Duration = Duration::from_secs(5);
/// How often the metrics are brought up to date.
const MEASURE: Duration = Duration::from_secs(15);

/// Writes until `stop`. What is cut off then is written again when its claim ends.
pub(crate) async fn run(app: App, trust: Arc<Trust>, mut stop: watch::Receiver<bool>) {
    let mut running: JoinSet<Result<PublicationReport, certwright_app::Error>> = JoinSet::new();
    let (mut roots_read, mut measured): (Option<Instant>, Option<Instant>) = (None, None);
    let mut pause = LOOK;
    loop {
        let failed = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            Some(done) = running.join_next() => told(done),
            () = sleep(pause) => false,
            () = app.publication_wanted(), if pause == LOOK => false,
        };
        pause = if failed { AFTER_FAILURE } else { LOOK };
        if failed {
            continue;
        }
        match app.publication_targets_due().await {
            Ok(due) => {
                if !due.is_empty() && roots_read.is_none_or(|at| at.elapsed() > ROOTS) {
                    read_roots(&app, &trust).await;
                    roots_read = Some(Instant::now());
                }
                for target in due {
                    let app = app.clone();
                    running.spawn(async move { app.publish_to(&target).await });
                }
            }
            Err(error) => {
                tracing::error!(%error, "what is to be published elsewhere was not read");
                pause = AFTER_FAILURE;
            }
        }
        if measured.is_none_or(|at| at.elapsed() > MEASURE) {
            match app.publication_health().await {
                Ok(health) => measure(&health),
                Err(error) => tracing::warn!(%error, "the state of publication was not read"),
            }
            measured = Some(Instant::now());
        }
    }
}

/// Did it fail?
fn told(done: Result<Result<PublicationReport, certwright_app::Error>, tokio::task::JoinError>) -> bool {
    match done {
        Ok(Ok(_)) => false,
        Ok(Err(error)) => {
            tracing::error!(%error, "objects were not published");
            true
        }
        Err(error) => {
            tracing::error!(%error, "publication ended badly");
            true
        }
    }
}

fn measure(health: &[PublicationHealth]) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    let set = |name: &'static str, one: &PublicationHealth, value: i64| {
        metrics::gauge!(name, "ca" => one.ca_name.clone(), "target" => one.target.to_string()).set(value as f64);
    };
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    for one in health {
        set("certwright_publication_objects", one, whole(one.objects));
        set("certwright_publication_failing", one, whole(one.failing));
        set("certwright_publication_waiting", one, whole(one.waiting));
        if let Some(at) = one.last_published_at {
            set("certwright_publication_last_success_timestamp_seconds", one, at.unix_s());
        }
    }
}
