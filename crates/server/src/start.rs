//! From judged settings to an application that is ready to serve: sockets, data folder, database, keys, first token.

use crate::config::Settings;
use crate::wiring::{self, Wired};
use crate::{Error, folder, net};
use certwright_app::App;
use certwright_keystore::RootKeySource;
use certwright_store::Store;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Everything but the listeners' answers.
pub(crate) struct Started {
    pub(crate) api_socket: TcpListener,
    pub(crate) plain_socket: Option<TcpListener>,
    pub(crate) app: App,
    pub(crate) store: Store,
    pub(crate) entropy: Arc<crate::ambient::SystemEntropy>,
    pub(crate) trust: Arc<crate::outbound::Trust>,
    /// Had this database been set up before?
    pub(crate) was_initialised: bool,
}

/// Opens everything. Sockets come first: a taken port must not leave a half-made data folder behind.
pub(crate) async fn start(settings: &Settings) -> Result<Started, Error> {
    let api_socket = bind("listen", settings.listen)?;
    let plain_socket = match settings.http_listen {
        Some(address) => Some(bind("http_listen", address)?),
        None => None,
    };
    let Opened { wired: Wired { app, store, entropy, trust }, was_initialised } = open(settings).await?;
    Ok(Started { api_socket, plain_socket, app, store, entropy, trust, was_initialised })
}

/// An application that nobody reaches.
pub(crate) struct Opened {
    pub(crate) wired: Wired,
    /// Had this database been set up before?
    pub(crate) was_initialised: bool,
}

/// Data folder, database and keys: what can be done beside a server that runs.
pub(crate) async fn open(settings: &Settings) -> Result<Opened, Error> {
    // Libraries that ask for "the" provider get ours. A second call, in tests, finds it in place.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    for doubt in folder::prepare(settings.data())? {
        tracing::warn!("{doubt}");
    }
    let store = wiring::open_store(settings).await?;
    wiring::migrate(settings, &store).await?;
    let wired = wiring::wire(settings, store).await?;
    let failed = |source| Error::App { doing: "read the database", source };
    let was_initialised = wired.app.is_initialised().await.map_err(failed)?;
    Ok(Opened { wired, was_initialised })
}

/// Makes the first administrator token, on the first start alone. Not to be cut off by a signal: a token that is stored but not
/// written down is lost. It is over in time by the deadlines of statements.
pub(crate) async fn first_token(settings: &Settings, app: &App) -> Result<(), Error> {
    let failed = |source| Error::App { doing: "make the administrator token", source };
    let path = settings.token_path();
    let is_first = if app.is_initialised().await.map_err(failed)? {
        false
    } else {
        let drawn = app.draw_admin_token().map_err(failed)?;
        // Before it is in force: a disk that is full must not cost the only token.
        let draft = wiring::draft_token(settings, &drawn)?;
        let is_first = app.put_first_admin_token(&drawn).await.map_err(failed)?;
        if is_first {
            draft.put()?;
        }
        is_first
    };
    if is_first {
        tracing::info!(path = %path.display(), "wrote the administrator token");
    } else if !path.exists() {
        tracing::info!(
            path = %path.display(),
            "the administrator token was made elsewhere (another node, another data folder), or by a first start that was \
             interrupted before it had written it down; `certwright admin-token --rotate` makes a new one and revokes it"
        );
    }
    Ok(())
}

/// Says what could be safer.
pub(crate) fn warn(settings: &Settings) {
    if let RootKeySource::File { path, .. } = &settings.root_key {
        tracing::warn!(
            path = %path.display(),
            "the root key lies in a file beside the data it protects, so a copy of the folder is a copy of every key; \
             set root_key.source to `credential` (systemd LoadCredential, a mounted secret) or `passphrase`"
        );
    }
    if settings.pki_url.host() == "localhost" && !settings.listen.ip().is_loopback() {
        tracing::warn!(
            pki_url = settings.pki_url.as_str(),
            "other machines can reach the API, but certificates will point them at localhost for issuers and CRLs; \
             set public_url or pki_url before the first certificate"
        );
    }
    if settings.tls == crate::config::TlsSource::Off {
        tracing::warn!(
            "the API is served without TLS: tokens and private keys cross the loopback interface in the clear"
        );
    }
}

fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, Error> {
    net::bind(address).map_err(|source| Error::Listen { setting, address, source })
}
