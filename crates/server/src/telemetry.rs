//! Prometheus metrics, rendered on our own route.

use crate::Error;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Bounds of the histograms, in seconds: from a signature to a request that times out.
const SECONDS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Starts collecting for the whole process.
pub(crate) fn install() -> Result<PrometheusHandle, Error> {
    let failed = |why: String| Error::System { doing: "start the metrics", why };
    let builder = PrometheusBuilder::new().set_buckets(SECONDS).map_err(|error| failed(error.to_string()))?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| failed(error.to_string()))?;
    metrics::gauge!("certwright_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// `/metrics`.
pub(crate) fn router(handle: PrometheusHandle) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let text = handle.render();
            async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
        }),
    )
}

/// Moves samples out of the recorder's buffers, so that they do not grow when nobody scrapes.
pub(crate) async fn upkeep(handle: PrometheusHandle, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(Duration::from_secs(5)) => handle.run_upkeep(),
        }
    }
}
