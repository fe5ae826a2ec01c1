//! Shipping the audit trail, beside requests: a task for each sink, so that one that is slow or away delays no other, and
//! nothing else.

use crate::background::{fraction, next_pause};
use crate::deliveries::read_roots;
use crate::outbound::Trust;
use crate::workers::reason;
use certwright_app::{App, ShippingLag, ShippingReport};
use certwright_domain::ambient::Entropy;
use certwright_domain::name::ResourceName;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How often is looked for new events.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the first failure in a row.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it doubles: up to about a minute.
const DOUBLINGS: u32 = 6;
/// How often the metrics, and what we know of our own roots, are brought up to date.
const MEASURE: Duration = Duration::from_secs(15);

/// Ships until `stop`. What is cut off then is shipped again.
pub(crate) async fn run(app: App, trust: Arc<Trust>, entropy: Arc<dyn Entropy>, mut stop: watch::Receiver<bool>) {
    let mut sinks = JoinSet::new();
    for name in app.audit_sinks() {
        sinks.spawn(to_sink(app.clone(), name, Arc::clone(&entropy)));
    }
    if sinks.is_empty() {
        let _ = stop.wait_for(|stop| *stop).await;
        return;
    }
    loop {
        read_roots(&app, &trust).await;
        match app.audit_shipping_lag().await {
            Ok(lag) => measure(&lag, &app),
            Err(error) => tracing::warn!(%error, "how far the audit trail was shipped was not read"),
        }
        tokio::select! {
            biased;
            // Dropping the tasks ends them.
            _ = stop.wait_for(|stop| *stop) => return,
            // Only a panic ends one. Without it nothing goes to its sink any more, so we end as well, and that is noticed.
            Some(ended) = sinks.join_next() => {
                let why = ended.err().map(reason);
                tracing::error!(why, "shipping the audit trail to a sink ended");
                return;
            }
            () = sleep(MEASURE) => {}
        }
    }
}

/// Ships to a sink, for ever.
async fn to_sink(app: App, name: ResourceName, entropy: Arc<dyn Entropy>) {
    let mut failures = 0_u32;
    loop {
        let pause = match app.ship_audit(&name).await {
            Ok(ShippingReport::Shipped { more, .. }) => {
                if failures > 0 {
                    tracing::info!(sink = %name, failures, "the audit trail is shipped again");
                }
                failures = 0;
                // What came meanwhile waits a moment, so that it comes together.
                if more { Duration::ZERO } else { LOOK }
            }
            Ok(ShippingReport::Idle) => LOOK,
            Ok(ShippingReport::Failed(error, times)) => {
                failures = times;
                tracing::warn!(sink = %name, failures, %error, "the audit trail was not taken");
                next_pause(AGAIN, failures.min(DOUBLINGS), fraction(&*entropy))
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::error!(sink = %name, failures, %error, "the audit trail was not shipped");
                next_pause(AGAIN, failures.min(DOUBLINGS), fraction(&*entropy))
            }
        };
        if pause > Duration::ZERO {
            sleep(pause).await;
        }
    }
}

fn measure(lag: &[ShippingLag], app: &App) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    let set = |name: &'static str, sink: &str, value: i64| {
        metrics::gauge!(name, "sink" => sink.to_owned()).set(value as f64);
    };
    for one in lag {
        let age_ms = one.oldest.map_or(0, |oldest| app.now().ms_since(oldest).max(0));
        set("certwright_audit_shipping_lag_events", &one.sink, i64::try_from(one.events).unwrap_or(i64::MAX));
        set("certwright_audit_shipping_lag_seconds", &one.sink, age_ms.checked_div(1000).unwrap_or(0));
    }
}
