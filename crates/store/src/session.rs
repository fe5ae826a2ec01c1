//! Transactions and readers as callers hold them.

use crate::{CommitFaults, Error, Queries, postgres, sqlite};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tokio::sync::Notify;

/// A transaction on one of the two databases.
pub(crate) enum Session {
    Sqlite(sqlite::queries::Session),
    Postgres(postgres::queries::Session),
}

impl Session {
    async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(session) => session.commit().await,
            Self::Postgres(session) => session.commit().await,
        }
    }

    async fn rollback(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(session) => session.rollback().await,
            Self::Postgres(session) => session.rollback().await,
        }
    }

    fn delivery_is_due(&self) -> bool {
        match self {
            Self::Sqlite(session) => session.delivery_is_due(),
            Self::Postgres(session) => session.delivery_is_due(),
        }
    }

    fn queries(&self) -> &(dyn Queries + 'static) {
        match self {
            Self::Sqlite(session) => session,
            Self::Postgres(session) => session,
        }
    }

    fn queries_mut(&mut self) -> &mut (dyn Queries + 'static) {
        match self {
            Self::Sqlite(session) => session,
            Self::Postgres(session) => session,
        }
    }
}

/// An open write transaction. [`Tx::commit`] makes it durable; dropping it rolls back.
pub struct Tx<'s> {
    session: Session,
    name: &'static str,
    faults: Arc<dyn CommitFaults>,
    deliveries: Arc<Notify>,
    store: PhantomData<&'s ()>,
}

impl Tx<'_> {
    pub(crate) fn new(
        session: Session,
        name: &'static str,
        faults: Arc<dyn CommitFaults>,
        deliveries: Arc<Notify>,
    ) -> Self {
        Self { session, name, faults, deliveries, store: PhantomData }
    }

    /// Makes the transaction durable. After an error of the kind [`Error::Unavailable`] it is unknown whether it was.
    pub async fn commit(self) -> Result<(), Error> {
        if let Err(error) = self.faults.before(self.name) {
            self.session.rollback().await?;
            return Err(error);
        }
        let delivery_is_due = self.session.delivery_is_due();
        self.session.commit().await?;
        if delivery_is_due {
            self.deliveries.notify_one();
        }
        tracing::trace!(transaction = self.name, "committed");
        self.faults.after(self.name)
    }

    /// Undoes it.
    pub async fn rollback(self) -> Result<(), Error> {
        self.session.rollback().await
    }
}

/// A read connection: sees committed data only; writing on it fails. Either all its reads see one snapshot
/// ([`crate::Store::read`]), or each sees its own ([`crate::Store::glance`]).
pub struct Reader<'s> {
    session: Session,
    store: PhantomData<&'s ()>,
}

impl Reader<'_> {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, store: PhantomData }
    }
}

impl<'s> Deref for Tx<'s> {
    type Target = dyn Queries + 's;
    fn deref(&self) -> &Self::Target {
        self.session.queries()
    }
}
impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.session.queries_mut()
    }
}
impl<'s> Deref for Reader<'s> {
    type Target = dyn Queries + 's;
    fn deref(&self) -> &Self::Target {
        self.session.queries()
    }
}
impl DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.session.queries_mut()
    }
}
