//! SIGTERM and SIGINT stop, SIGHUP reloads.

use crate::Error;
use std::future::Future;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Stop; the name of the signal.
    Stop(&'static str),
    /// Read the files again.
    Reload,
}

/// The signals we listen to. From [`Signals::listen`] on none of them ends the process by itself: whatever may take long has to
/// be done in [`Signals::unless_stopped`].
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Self, Error> {
        let on =
            |kind| signal(kind).map_err(|error| Error::System { doing: "listen to signals", why: error.to_string() });
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// The next wish.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Wish::Stop("SIGINT"),
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }

    /// Does this, unless a signal to stop comes first: its name. What was begun is dropped then.
    pub(crate) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Result<T, &'static str> {
        tokio::select! {
            biased;
            signal = self.stop() => Err(signal),
            done = work => Ok(done),
        }
    }

    /// The next wish to stop; others are ignored.
    pub(crate) async fn stop(&mut self) -> &'static str {
        loop {
            if let Wish::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}
