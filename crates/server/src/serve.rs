//! Serving: listeners and background work until a signal, then an orderly end.

use crate::config::{Loaded, Settings, Sources, TlsSource};
use crate::logging::LogLevel;
use crate::net::{Bounds, Listener};
use crate::signals::{Signals, Wish};
use crate::start::{self, Started};
use crate::tls::{self, HotCertificate, OwnCertificate};
use crate::workers::{Workers, reason};
use crate::{Error, background, crls, deliveries, doors, proofs, publications, shipping, telemetry, wiring};
use axum::Router;
use certwright_app::App;
use certwright_store::Store;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long each of the last steps may take after the listeners are closed: background work, the audit trail, leases, the
/// database. The documentation of `shutdown_deadline` names the sum.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// Seats of the plain listener for this machine alone: its health is asked for there, and a crowd that fetches revocation lists
/// must not make a server look dead.
const OWN_SEATS: usize = 4;

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Requests were finished or their time was up, and everything was closed.
    Orderly,
    /// A second signal cut it short: the process should exit at once.
    Forced,
}

/// Serves until SIGTERM or SIGINT. `sources` are read again on SIGHUP.
pub async fn serve(sources: &Sources, loaded: &Loaded, level: &LogLevel) -> Result<Ended, Error> {
    let settings = &loaded.settings;
    loaded.doubts().iter().for_each(|doubt| tracing::warn!("{doubt}"));
    let mut signals = Signals::listen()?;
    match signals.unless_stopped(start::start(settings)).await {
        Ok(started) => run((sources, settings, level), signals, started?, || Ok(())).await,
        Err(signal) => Ok(stopped_early(signal)),
    }
}

/// The end of a start that a signal cut off. What was made is what a crash would leave: the next start takes it up.
pub(crate) fn stopped_early(signal: &'static str) -> Ended {
    tracing::info!(signal, "stopped before anything was served");
    Ended::Orderly
}

/// Serves what was started; `greet` is called as soon as somebody answers.
pub(crate) async fn run(
    (sources, settings, level): (&Sources, &Settings, &LogLevel),
    mut signals: Signals,
    started: Started,
    greet: impl FnOnce() -> Result<(), Error>,
) -> Result<Ended, Error> {
    let mut house = House::new(started.app.clone(), started.store.clone());
    let served = house.serve((sources, settings, level), &mut signals, started, greet).await;
    match &served {
        Ok(why) => {
            tracing::info!(signal = why, deadline = ?settings.shutdown_deadline, "stopping; a second signal stops at once");
        }
        // Leases are given back and the audit trail is written all the same.
        Err(error) => tracing::error!(%error, deadline = ?settings.shutdown_deadline, "stopping"),
    }
    let ended = tokio::select! {
        biased;
        signal = signals.stop() => {
            tracing::warn!(signal, "stopped at once");
            Ended::Forced
        }
        () = house.close(settings.shutdown_deadline) => {
            tracing::info!("stopped");
            Ended::Orderly
        }
    };
    served.map(|_| ended)
}

/// What runs, and how it is ended.
struct House {
    app: App,
    store: Store,
    /// Ends the listeners.
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
    /// Ends the workers.
    halt: watch::Sender<bool>,
    workers: Workers,
    /// What the API's listener shows.
    certificate: Option<Arc<HotCertificate>>,
}

impl House {
    fn new(app: App, store: Store) -> Self {
        let (stop, halt) = (watch::Sender::new(false), watch::Sender::new(false));
        Self { app, store, stop, listeners: JoinSet::new(), halt, workers: Workers::default(), certificate: None }
    }

    /// Opens, greets and waits; the name of the signal that ended it.
    async fn serve(
        &mut self,
        (sources, settings, level): (&Sources, &Settings, &LogLevel),
        signals: &mut Signals,
        started: Started,
        greet: impl FnOnce() -> Result<(), Error>,
    ) -> Result<&'static str, Error> {
        start::first_token(settings, &started.app).await?;
        start::warn(settings);
        match signals.unless_stopped(self.open(settings, started)).await {
            Ok(opened) => opened?,
            Err(signal) => return Ok(signal),
        }
        announce(settings, &self.store);
        greet()?;
        self.wait(signals, sources, level).await
    }

    /// Begins background work and listening. May be cut off: what runs by then is ended by [`House::close`].
    async fn open(&mut self, settings: &Settings, started: Started) -> Result<(), Error> {
        let Started { api_socket, plain_socket, app, entropy, trust, .. } = started;
        let halted = self.halt.subscribe();
        self.certificate = match &settings.tls {
            TlsSource::Off => None,
            TlsSource::Files { certificate, key } => Some(HotCertificate::new(tls::from_files(certificate, key)?)),
            TlsSource::Service { names } => {
                let (own, renew_at) = OwnCertificate::begin(app.clone(), settings, names).await?;
                let hot = own.hot();
                self.workers.spawn("renewal", background::renewal(own, entropy.clone(), renew_at, halted.clone()));
                Some(hot)
            }
        };
        let acceptor = match &self.certificate {
            Some(hot) => Some(TlsAcceptor::from(tls::server_config(Arc::clone(hot))?)),
            None => None,
        };
        let workers = &mut self.workers;
        workers.spawn("jobs", background::jobs(app.clone(), entropy.clone(), halted.clone()));
        workers.spawn("refusals", background::refusals(app.clone(), halted.clone()));
        workers.spawn("crls", crls::run(app.clone(), halted.clone()));
        workers.spawn("proofs", proofs::run(app.clone(), halted.clone()));
        workers.spawn("publications", publications::run(app.clone(), Arc::clone(&trust), halted.clone()));
        workers.spawn("shipping", shipping::run(app.clone(), Arc::clone(&trust), entropy.clone(), halted.clone()));
        workers.spawn("deliveries", deliveries::run(app.clone(), trust, halted.clone()));

        let mut beside = Router::new();
        if settings.metrics {
            let handle = telemetry::install()?;
            beside = telemetry::router(handle.clone());
            workers.spawn("metrics", telemetry::upkeep(handle, halted));
        }
        let doors::Doors { api, plain } = doors::open(&app, settings, entropy, beside)?;
        let bounds = Bounds::from(&settings.limits);
        let listener = Listener { name: "api", socket: api_socket, tls: acceptor, door: api, bounds };
        self.listeners.spawn(listener.run(self.stop.subscribe()));
        if let Some(socket) = plain_socket {
            let bounds = Bounds { own: OWN_SEATS, ..bounds };
            let listener = Listener { name: "plain", socket, tls: None, door: plain, bounds };
            self.listeners.spawn(listener.run(self.stop.subscribe()));
        }
        Ok(())
    }

    /// Waits for a signal to stop; reloads on the way. An error: a listener or background work is not there any more. A server
    /// that makes no more revocation lists, say, must not look like one that does: whoever supervises it starts it again.
    async fn wait(
        &mut self,
        signals: &mut Signals,
        sources: &Sources,
        level: &LogLevel,
    ) -> Result<&'static str, Error> {
        loop {
            tokio::select! {
                biased;
                wish = signals.next() => match wish {
                    Wish::Stop(name) => return Ok(name),
                    Wish::Reload => reload(sources, level, self.certificate.as_deref()),
                },
                Some(ended) = self.listeners.join_next() => {
                    let why = ended.err().map_or_else(|| "it ended".to_owned(), reason);
                    return Err(Error::System { doing: "keep a listener", why });
                }
                (worker, why) = self.workers.ended() => {
                    tracing::error!(worker, why, "background work ended before its time");
                    return Err(Error::System { doing: "keep background work", why: format!("`{worker}`: {why}") });
                }
            }
        }
    }

    /// Stops listening, gives requests in work their time, ends background work, gives leases back and closes the store: each
    /// step in its time, whatever the others did.
    async fn close(mut self, deadline: Duration) {
        self.stop.send_replace(true);
        if timeout(deadline, drained(&mut self.listeners)).await.is_err() {
            tracing::warn!("some requests did not finish in time and are cut off");
        }
        self.halt.send_replace(true);
        in_time("background work did not end in time", self.workers.drained()).await;
        self.workers.abort();
        let app = self.app;
        in_time("what was left of the audit trail was not written in time", async {
            app.settle().await;
            if let Err(error) = app.last_checkpoint().await {
                tracing::warn!(%error, "the audit trail got no last checkpoint");
            }
        })
        .await;
        in_time("leases were not given back in time", async {
            if let Err(error) = app.release_leases().await {
                tracing::warn!(%error, "leases were not given back; they run out by themselves");
            }
        })
        .await;
        in_time("the database was not closed in time", self.store.close()).await;
    }
}

/// SIGHUP: the log level and the operator's TLS files. What is wrong leaves everything as it was.
fn reload(sources: &Sources, level: &LogLevel, certificate: Option<&HotCertificate>) {
    let settings = match sources.load() {
        Ok(loaded) => loaded.settings,
        Err(faults) => {
            for fault in faults {
                tracing::error!(%fault, "the configuration was not read again");
            }
            return;
        }
    };
    if let Err(error) = level.set(&settings.log_level) {
        tracing::error!(%error, "the log level stays as it was");
    }
    if let (TlsSource::Files { certificate: chain, key }, Some(hot)) = (&settings.tls, certificate) {
        match tls::from_files(chain, key) {
            Ok(next) => {
                hot.swap(next);
                tracing::info!(path = %chain.display(), "the TLS certificate was read again");
            }
            Err(error) => tracing::error!(%error, "the TLS certificate stays as it was"),
        }
    }
    tracing::info!(log_level = settings.log_level, "reloaded");
}

/// Waits for the end of all of these.
async fn drained(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

async fn in_time(complaint: &str, step: impl Future<Output = ()>) {
    if timeout(LAST_STEPS, step).await.is_err() {
        tracing::warn!("{complaint}");
    }
}

fn announce(settings: &Settings, store: &Store) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        url = settings.public_url.as_str(),
        listen = %settings.listen,
        http_listen = %settings.http_listen.map_or_else(|| "off".to_owned(), |address| address.to_string()),
        pki_url = settings.pki_url.as_str(),
        data = %settings.data.display(),
        database = wiring::kind(store),
        "serving"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;
    use crate::logging;
    use std::path::Path;

    fn sources(data: &Path) -> Sources {
        // Two ports that were free a moment ago.
        let sockets = [0, 0].map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
        let [listen, http] = sockets.each_ref().map(|socket| socket.local_addr().unwrap().to_string());
        Sources::new()
            .with("data", data.to_str().unwrap(), Origin::Flag("data"))
            .with("listen", &listen, Origin::Flag("listen"))
            .with("http_listen", &http, Origin::Flag("http-listen"))
    }

    #[test]
    fn nobody_is_killed_who_ends_in_time() {
        let last_steps = LAST_STEPS * 4;
        let most = Sources::new().load().unwrap().settings.shutdown_deadline + last_steps;
        let compose = include_str!("../../../docker-compose.yml");
        let graces: Vec<Duration> = compose
            .lines()
            .filter_map(|line| line.trim().strip_prefix("stop_grace_period: ")?.strip_suffix('s')?.parse().ok())
            .map(Duration::from_secs)
            .collect();
        let [grace] = graces[..] else { panic!("{graces:?}") };
        assert!(grace > most, "{grace:?} for what may take {most:?}");
        assert!(crate::config::example().contains("20 s longer") && last_steps == Duration::from_secs(20));
    }

    #[tokio::test]
    async fn work_that_panics_ends_the_server() {
        let home = tempfile::tempdir().unwrap();
        let sources = sources(&home.path().join("data"));
        let settings = sources.load().unwrap_or_else(|faults| panic!("{faults:?}")).settings;
        let started = start::start(&settings).await.unwrap();
        let mut house = House::new(started.app.clone(), started.store.clone());
        house.open(&settings, started).await.unwrap();
        house.workers.spawn("clumsy", async { panic!("fell") });
        let mut signals = Signals::listen().unwrap();
        let why = house.wait(&mut signals, &sources, &logging::LogLevel::detached("info").unwrap()).await.unwrap_err();
        assert!(why.to_string().contains("`clumsy`: it panicked: fell"), "{why}");
        house.close(Duration::from_secs(30)).await;
    }

    #[tokio::test]
    async fn an_error_after_the_start_closes_everything() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let sources = sources(&data);
        let settings = sources.load().unwrap_or_else(|faults| panic!("{faults:?}")).settings;
        let started = start::start(&settings).await.unwrap();
        let (store, level) = (started.store.clone(), logging::LogLevel::detached("info").unwrap());
        let greet = || Err(Error::NotInitialised(data.clone()));
        let ended = run((&sources, &settings, &level), Signals::listen().unwrap(), started, greet).await;
        assert!(matches!(ended, Err(Error::NotInitialised(_))));
        assert!(store.read().await.is_err(), "the store is closed");
        assert!(!data.join("certwright.db-wal").exists(), "and nothing is left beside the database");
    }
}
