//! The certificate that the service CA gives us: asked for at start, renewed before it ends, its root kept for clients.

use super::{HotCertificate, from_parts};
use crate::config::Settings;
use crate::{Error, folder};
use certwright_app::{App, ServerCertificate};
use certwright_domain::time::Timestamp;
use rustls::sign::CertifiedKey;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Pauses, in milliseconds, between attempts while another node is making the service CA.
const PAUSES_MS: [u64; 5] = [100, 200, 400, 800, 1600];

/// What it takes to have our own certificate renewed.
pub(crate) struct OwnCertificate {
    app: App,
    names: Vec<String>,
    root_path: PathBuf,
    hot: Arc<HotCertificate>,
}

impl OwnCertificate {
    /// Asks for the first certificate. Returns it in force, with when to renew it.
    pub(crate) async fn begin(app: App, settings: &Settings, names: &[String]) -> Result<(Self, Timestamp), Error> {
        let root_path = settings.tls_root_path();
        let (first, renew_at) = ask(&app, names, &root_path).await?;
        let hot = HotCertificate::new(first);
        Ok((Self { app, names: names.to_vec(), root_path, hot }, renew_at))
    }

    /// What the listener serves.
    pub(crate) fn hot(&self) -> Arc<HotCertificate> {
        Arc::clone(&self.hot)
    }

    /// Asks for the next one and puts it in force. Returns when to do so again.
    pub(crate) async fn renew(&self) -> Result<Timestamp, Error> {
        let (next, renew_at) = ask(&self.app, &self.names, &self.root_path).await?;
        self.hot.swap(next);
        Ok(renew_at)
    }

    /// The time it lives by.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.now()
    }
}

async fn ask(app: &App, names: &[String], root_path: &PathBuf) -> Result<(CertifiedKey, Timestamp), Error> {
    let failed = |source| Error::App { doing: "make the server's own certificate", source };
    let ServerCertificate { chain, key, root_pem, renew_at } = issued(app, names).await.map_err(failed)?;
    let certified = from_parts(&chain, &key)?;
    // The root comes first: whoever sees the new certificate can find what it is trusted by.
    if std::fs::read(root_path).ok().as_deref() != Some(root_pem.as_bytes()) {
        folder::write_file(root_path, root_pem.as_bytes(), 0o644)?;
    }
    Ok((certified, renew_at))
}

/// Nodes that start together meet half-made things of one another: a conflict is a reason to look again.
async fn issued(app: &App, names: &[String]) -> Result<ServerCertificate, certwright_app::Error> {
    for pause in PAUSES_MS.map(Duration::from_millis) {
        match app.server_certificate(names).await {
            Err(certwright_app::Error::Conflict { detail, .. }) => {
                tracing::debug!(reason = detail, "another node makes the service CA; looking again");
                sleep(pause).await;
            }
            other => return other,
        }
    }
    app.server_certificate(names).await
}
