//! Read connections. Each is made when it is first needed and kept; a reader that is given back costs nothing. (The driver's
//! own pool asks a connection for a sign of life each time that it comes back: one more turn of its thread for every read.)

use super::{ACQUIRE_TIMEOUT, Connection, Error};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// Most of them.
const READERS: usize = 8;

/// A place for a connection.
#[derive(Default)]
struct Place {
    connection: Arc<tokio::sync::Mutex<Option<Connection>>>,
    /// What happened on the connection leaves its state unknown.
    broken: AtomicBool,
}

/// All read connections of a file. Cheap to clone.
#[derive(Clone)]
pub(super) struct Readers {
    options: Arc<SqliteConnectOptions>,
    permits: Arc<Semaphore>,
    all: Arc<Vec<Arc<Place>>>,
    /// Nobody's now: at least as many as there are permits. The one that was used last comes first, its pages are in memory.
    free: Arc<Mutex<Vec<Arc<Place>>>>,
}

/// A read connection in use.
pub(crate) struct Reader {
    connection: OwnedMappedMutexGuard<Option<Connection>, Connection>,
    /// Dropped after the connection was given back.
    back: Back,
}

struct Back {
    place: Arc<Place>,
    free: Arc<Mutex<Vec<Arc<Place>>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Back {
    fn drop(&mut self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&self.place));
    }
}

impl Reader {
    /// Not to be used again.
    pub(super) fn discard(&mut self) {
        self.back.place.broken.store(true, Ordering::Release);
    }
}

impl Deref for Reader {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Readers {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        let all: Vec<Arc<Place>> = std::iter::repeat_with(Arc::default).take(READERS).collect();
        let free = Arc::new(Mutex::new(all.clone()));
        Self { options: Arc::new(options), permits: Arc::new(Semaphore::new(READERS)), all: Arc::new(all), free }
    }

    /// A connection that nobody uses, once there is one.
    pub(super) async fn take(&self) -> Result<Reader, Error> {
        let permit = tokio::time::timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| Error::Unavailable("all readers of the database are busy".to_owned()))?
            .map_err(|_| Error::Unavailable("the store is closed".to_owned()))?;
        let place = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let place = place.ok_or_else(|| Error::Unavailable("there is no reader of the database".to_owned()))?;
        let back = Back { place, free: Arc::clone(&self.free), _permit: permit };
        let mut guard = Arc::clone(&back.place.connection).lock_owned().await;
        if back.place.broken.swap(false, Ordering::AcqRel) {
            *guard = None;
        }
        if guard.is_none() {
            *guard = Some(self.options.connect().await.map_err(Error::from_driver)?);
        }
        OwnedMutexGuard::try_map(guard, Option::as_mut)
            .map(|connection| Reader { connection, back })
            .map_err(|_| Error::Unavailable("a reader has no connection".to_owned()))
    }

    /// Closes all of them; those in use are waited for.
    pub(super) async fn close(&self) {
        self.permits.close();
        for place in self.all.iter() {
            if let Some(connection) = place.connection.lock().await.take()
                && let Err(error) = connection.close().await
            {
                tracing::warn!(%error, "a reader of the database file was not closed cleanly");
            }
        }
    }
}
