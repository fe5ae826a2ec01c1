//! Nonces on SQLite: requests that come at once share a transaction, for there is one writer. Whoever has the turn takes all that wait.

use super::queries::{Session, nonces};
use super::{Database, Driver, Row};
use crate::{AcmeNonce, Error};
use sqlx::QueryBuilder;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Most that are taken at a time; more wait for the next turn.
const MOST: usize = 64;

/// Nonces that wait to be taken.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

struct Waiting {
    nonce: AcmeNonce,
    answer: oneshot::Sender<bool>,
}

/// Takes a nonce; false: it was used before.
pub(crate) async fn take_nonce(database: &Database, nonce: &AcmeNonce) -> Result<bool, Error> {
    let Queue { waiting, turn } = database.nonces.as_ref();
    let (answer, mut answered) = oneshot::channel();
    let waiting = || waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting().push_back(Waiting { nonce: nonce.clone(), answer });
    let _turn = turn.lock().await;
    loop {
        match answered.try_recv() {
            Ok(taken) => return Ok(taken),
            // Whoever had the turn failed or went away: the nonce may be gone.
            Err(oneshot::error::TryRecvError::Closed) => return Ok(false),
            Err(oneshot::error::TryRecvError::Empty) => {}
        }
        // Those in front, until ours was among them.
        let batch: Vec<Waiting> = {
            let mut waiting = waiting();
            let count = waiting.len().min(MOST);
            waiting.drain(..count).collect()
        };
        let (batch, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.nonce, one.answer)).unzip();
        let taken = nonces::take(database, &batch).await?;
        for (answer, taken) in answers.into_iter().zip(taken) {
            // Who does not listen any more has no use for it.
            let _ = answer.send(taken);
        }
    }
}

/// Takes a nonce while what `push` asks for is read: they are turns of different connections. `None`: it was used before.
pub(super) async fn take_nonce_and_read(
    database: &Database,
    nonce: &AcmeNonce,
    push: impl FnOnce(&mut QueryBuilder<Driver>),
) -> Result<Option<Vec<Row>>, Error> {
    let read = async {
        let mut query = QueryBuilder::new("");
        push(&mut query);
        Session::glance(database).await?.built(query).await
    };
    let (taken, rows) = tokio::join!(take_nonce(database, nonce), read);
    if taken? { rows.map(Some) } else { Ok(None) }
}
