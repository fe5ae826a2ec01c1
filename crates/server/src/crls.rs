//! Making revocation lists, beside requests. Any node may do it at any time (see `certwright_app`: leases).

use certwright_app::{App, CrlHealth};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// How often is looked for what has become due, or what another node has left. A revocation on this node wakes us at once.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How often the metrics are brought up to date.
const MEASURE: Duration = Duration::from_secs(15);

/// Makes lists until `stop`. What is cut off then is made anew by whoever comes next.
pub(crate) async fn run(app: App, mut stop: watch::Receiver<bool>) {
    let mut pause = Duration::ZERO;
    let mut measured: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = app.crl_wanted(), if pause <= LOOK => {}
            () = sleep(pause) => {}
        }
        pause = match app.run_crls().await {
            Ok(_) => LOOK,
            Err(error) => {
                tracing::error!(%error, "revocation lists were not made");
                AFTER_FAILURE
            }
        };
        if measured.is_none_or(|at| at.elapsed() > MEASURE) {
            match app.crl_health().await {
                Ok(health) => measure(&app, &health),
                Err(error) => tracing::warn!(%error, "the state of revocation lists was not read"),
            }
            measured = Some(Instant::now());
        }
    }
}

/// Series are labelled by CA alone: shards and versions would be too many.
fn measure(app: &App, health: &[CrlHealth]) {
    let now = app.now();
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    let set = |name: &'static str, ca: &str, value: i64| {
        metrics::gauge!(name, "ca" => ca.to_owned()).set(value as f64);
    };
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    for one in health {
        let ca = one.ca_name.as_str();
        set("certwright_crl_lists", ca, whole(one.lists));
        set("certwright_crl_failing", ca, whole(one.failing));
        set("certwright_crl_lapsed", ca, whole(one.lapsed));
        set("certwright_crl_entries", ca, whole(one.entries));
        set("certwright_crl_bytes", ca, whole(one.size));
        if let Some(oldest) = one.oldest_this_update {
            set("certwright_crl_age_seconds", ca, now.ms_since(oldest) / 1000);
        }
        if let Some(first) = one.first_next_update {
            set("certwright_crl_next_update_timestamp_seconds", ca, first.unix_s());
        }
    }
}
