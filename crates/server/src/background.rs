//! Work beside requests: the jobs, and our own certificate.

use crate::tls::OwnCertificate;
use certwright_app::{App, JobReport};
use certwright_domain::ambient::Entropy;
use certwright_domain::time::{Span, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Between two rounds of the jobs.
const ROUND: Duration = Duration::from_secs(30);
/// How often sums of failed logins are looked at.
const SUMS: Duration = Duration::from_secs(10);
/// The pause after refusals could not be written.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(600);
/// The longest sleep before the clock is looked at again: a machine that was suspended wakes late.
const LOOK: Duration = Duration::from_secs(60);

/// Runs the jobs until `stop`. They are driven by state and leased, so any node may run them at any time.
pub(crate) async fn jobs(app: App, entropy: Arc<dyn Entropy>, mut stop: watch::Receiver<bool>) {
    // Nodes that start together do not ask for the lease together.
    let mut pause = spread(Duration::from_secs(2), fraction(&*entropy));
    let mut failures = 0_u32;
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(pause) => {}
        }
        match app.run_jobs().await {
            Ok(report) => {
                if failures > 0 {
                    tracing::info!(failures, "background jobs run again");
                }
                failures = 0;
                told(report);
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                metrics::counter!("certwright_job_failures_total").increment(1);
                tracing::error!(failures, error = %error, "background jobs failed");
            }
        }
        pause = next_pause(ROUND, failures, fraction(&*entropy));
    }
}

/// Writes audit events of refusals until `stop`; what is left then is written at the end of the shutdown.
pub(crate) async fn refusals(app: App, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = app.refusal_noted() => {}
            () = sleep(SUMS) => {}
        }
        if let Err(error) = app.write_refusals(false).await {
            tracing::error!(%error, "audit events of refusals wait: they could not be written");
            sleep(AGAIN).await;
        }
    }
}

/// Renews our own certificate when it is due, again and again, until `stop`.
pub(crate) async fn renewal(
    own: OwnCertificate,
    entropy: Arc<dyn Entropy>,
    first: Timestamp,
    mut stop: watch::Receiver<bool>,
) {
    let mut due = first;
    let mut failures = 0_u32;
    loop {
        let wait = until(own.now(), due);
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(wait.min(LOOK)) => {}
        }
        if own.now() < due {
            continue;
        }
        match own.renew().await {
            Ok(next) => {
                failures = 0;
                // A time in the past would make this a busy loop.
                due = next.max(own.now().plus(Span::from_minutes(1)));
                tracing::info!(renew_at = %due, "the server's own certificate was renewed");
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let pause = next_pause(ROUND, failures, fraction(&*entropy));
                due = own.now().plus(Span::from_ms(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)));
                tracing::error!(failures, next = %due, error = %error, "the server's own certificate was not renewed");
            }
        }
    }
}

fn told(report: JobReport) {
    if report == JobReport::default() {
        return;
    }
    tracing::info!(
        vault_keys_rewrapped = report.vault_keys_rewrapped,
        keys_rewrapped = report.keys_rewrapped,
        renewed = report.renewed,
        renewals_failed = report.renewals_failed,
        cas_renewed = report.cas_renewed,
        deleted = report.deleted,
        idempotency_forgotten = report.idempotency_forgotten,
        aged_out = report.aged_out,
        webhooks_rewrapped = report.webhooks_rewrapped,
        events_forgotten = report.events_forgotten,
        ocsp_responders_renewed = report.ocsp_responders_renewed,
        ocsp_responders_retired = report.ocsp_responders_retired,
        "background jobs did something"
    );
}

/// The pause before the next try: `round`, doubled with each failure up to [`LONGEST`], less up to a quarter by chance.
pub(crate) fn next_pause(round: Duration, failures: u32, fraction: u8) -> Duration {
    let doubled = round.saturating_mul(1_u32.checked_shl(failures.min(10)).unwrap_or(u32::MAX)).min(LONGEST.max(round));
    doubled.saturating_sub(spread(doubled, fraction / 4))
}

/// `fraction` 256ths of a span.
fn spread(span: Duration, fraction: u8) -> Duration {
    span.saturating_mul(u32::from(fraction)).checked_div(256).unwrap_or(span)
}

/// A byte by chance.
pub(crate) fn fraction(entropy: &dyn Entropy) -> u8 {
    let mut byte = [0];
    entropy.fill(&mut byte);
    let [byte] = byte;
    byte
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(due.ms_since(now)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_never_vanish() {
        assert_eq!(next_pause(ROUND, 0, 0), ROUND);
        assert_eq!(next_pause(ROUND, 1, 0), Duration::from_secs(60));
        assert_eq!(next_pause(ROUND, 3, 0), Duration::from_secs(240));
        for failures in 5..40 {
            assert_eq!(next_pause(ROUND, failures, 0), LONGEST);
        }
        for failures in 0..10 {
            for fraction in [0, 128, 255] {
                let whole = next_pause(ROUND, failures, 0);
                let spread = next_pause(ROUND, failures, fraction);
                assert!(spread <= whole && spread >= whole.mul_f64(0.75));
            }
        }
    }

    #[test]
    fn a_time_that_has_passed_is_due_now() {
        let now = Timestamp::from_unix_s(1_000);
        assert_eq!(until(now, Timestamp::from_unix_s(900)), Duration::ZERO);
        assert_eq!(until(now, Timestamp::from_unix_s(1_005)), Duration::from_secs(5));
    }
}
