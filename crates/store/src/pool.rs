//! Connections of one kind, made when they are first needed and kept. One that is given back costs nothing. (The driver's own
//! pool asks a connection for a sign of life each time that it comes back: one more turn of its thread, or one more round trip,
//! for every use.)

use crate::Error;
use sqlx::Connection;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// A connection that is older is replaced: servers behind a name move.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Longest wait for a sign of life.
const PING: Duration = Duration::from_secs(6);

type Connecting<C> = Pin<Box<dyn Future<Output = sqlx::Result<C>> + Send>>;

/// How connections are made and how many.
pub(crate) struct Plan<C> {
    /// Makes one.
    pub(crate) connect: Box<dyn Fn() -> Connecting<C> + Send + Sync>,
    /// Most of them.
    pub(crate) most: usize,
    /// Waiting for one longer is [`Error::Unavailable`].
    pub(crate) patience: Duration,
    /// One that was idle for longer is tried before use: the server may have gone meanwhile.
    pub(crate) try_after: Duration,
}

/// A place for a connection.
struct Place<C> {
    held: Arc<tokio::sync::Mutex<Option<Open<C>>>>,
    /// What happened on the connection leaves its state unknown.
    broken: AtomicBool,
    /// A turn was begun and has not ended: whoever waited for it has gone away, the server may be at it still.
    unsettled: AtomicBool,
}

impl<C> Default for Place<C> {
    fn default() -> Self {
        Self { held: Arc::default(), broken: AtomicBool::default(), unsettled: AtomicBool::default() }
    }
}

struct Open<C> {
    connection: C,
    made: Instant,
    used: Instant,
}

type Free<C> = Arc<Mutex<Vec<Arc<Place<C>>>>>;

/// All connections of a kind. Cheap to clone.
pub(crate) struct Pool<C> {
    plan: Arc<Plan<C>>,
    permits: Arc<Semaphore>,
    all: Arc<Vec<Arc<Place<C>>>>,
    /// Nobody's now: at least as many as there are permits. The last one is the next to be used: the one that was used last, whose
    /// pages are in memory.
    free: Free<C>,
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self {
            plan: Arc::clone(&self.plan),
            permits: Arc::clone(&self.permits),
            all: Arc::clone(&self.all),
            free: Arc::clone(&self.free),
        }
    }
}

/// A connection in use.
pub(crate) struct Taken<C> {
    open: OwnedMappedMutexGuard<Option<Open<C>>, Open<C>>,
    /// Dropped after the connection was given back.
    back: Back<C>,
}

struct Back<C> {
    place: Arc<Place<C>>,
    free: Free<C>,
    _permit: OwnedSemaphorePermit,
}

impl<C> Drop for Back<C> {
    fn drop(&mut self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Arc::clone(&self.place);
        match place.unsettled.load(Ordering::Acquire) || place.broken.load(Ordering::Acquire) {
            true => free.insert(0, place),
            false => free.push(place),
        }
    }
}

impl<C> Taken<C> {
    /// Not to be used again.
    pub(crate) fn discard(&mut self) {
        self.back.place.broken.store(true, Ordering::Release);
    }

    /// A turn begins, or has ended.
    pub(crate) fn settle(&mut self, is_settled: bool) {
        self.back.place.unsettled.store(!is_settled, Ordering::Release);
        if is_settled {
            self.open.used = Instant::now();
        }
    }
}

impl<C> Deref for Taken<C> {
    type Target = C;
    fn deref(&self) -> &C {
        &self.open.connection
    }
}

impl<C> DerefMut for Taken<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.open.connection
    }
}

impl<C: Connection + 'static> Pool<C> {
    pub(crate) fn new(plan: Plan<C>) -> Self {
        let all: Vec<Arc<Place<C>>> = std::iter::repeat_with(Arc::default).take(plan.most).collect();
        let free = Arc::new(Mutex::new(all.clone()));
        let permits = Arc::new(Semaphore::new(plan.most));
        Self { plan: Arc::new(plan), permits, all: Arc::new(all), free }
    }

    /// A connection that nobody uses, once there is one.
    pub(crate) async fn take(&self) -> Result<Taken<C>, Error> {
        let unavailable = |text: &str| Error::Unavailable(text.to_owned());
        timeout(self.plan.patience, self.take_in_time())
            .await
            .unwrap_or_else(|_| Err(unavailable("no connection to the database became free in time")))
    }

    async fn take_in_time(&self) -> Result<Taken<C>, Error> {
        let unavailable = |text: &str| Error::Unavailable(text.to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| unavailable("the store is closed"))?;
        let place = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let place = place.ok_or_else(|| unavailable("there is no place for a connection"))?;
        let back = Back { place, free: Arc::clone(&self.free), _permit: permit };
        let mut guard = Arc::clone(&back.place.held).lock_owned().await;
        let unsettled = back.place.unsettled.swap(true, Ordering::AcqRel);
        let broken = back.place.broken.swap(false, Ordering::AcqRel);
        if let Some(open) = guard.as_mut() {
            let is_alive = !broken
                && open.made.elapsed() < LIFETIME
                && (!unsettled && open.used.elapsed() < self.plan.try_after || answers(&mut open.connection).await);
            if !is_alive {
                *guard = None;
            }
        }
        if guard.is_none() {
            let connection = (self.plan.connect)().await.map_err(Error::from_driver)?;
            let now = Instant::now();
            *guard = Some(Open { connection, made: now, used: now });
        }
        back.place.unsettled.store(false, Ordering::Release);
        OwnedMutexGuard::try_map(guard, Option::as_mut)
            .map(|open| Taken { open, back })
            .map_err(|_| unavailable("a connection to the database is gone"))
    }

    /// Closes all of them; those in use are waited for.
    pub(crate) async fn close(&self) {
        self.permits.close();
        for place in self.all.iter() {
            if let Some(open) = place.held.lock().await.take()
                && let Err(error) = open.connection.close().await
            {
                tracing::warn!(%error, "a connection to the database was not closed cleanly");
            }
        }
    }
}

async fn answers<C: Connection>(connection: &mut C) -> bool {
    matches!(timeout(PING, connection.ping()).await, Ok(Ok(())))
}
