//! A lane of the group commit: takes what has queued up, stores it in one transaction, answers.

use super::super::{BEGIN_RECORD, LANES, STATEMENT_DEADLINE, insert_recordings};
use super::acme::endings::end;
use super::audit::{take_chain, taken_chain};
use super::session::{roll_back, within};
use super::system::read_epoch;
use super::{Connection, Database, Error, Held, Result};
use crate::recorder::{Intake, Job};
use crate::rows::{Then, append, issued_rows};
use crate::{CommitFaults, Recording};
use certwright_domain::audit::chain::Head;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

/// The name of its transactions.
const NAME: &str = "record";

/// The right to take the next batch. A lane keeps it until its own batch waits for nothing but the disk: meanwhile the next one
/// grows, for the turns of a transaction cost the same whatever it holds.
type Turn<'i> = Option<MutexGuard<'i, Intake>>;

/// What became of one recording of a batch that was committed.
type Fate = Result<()>;

/// Starts the lanes.
pub(crate) fn spawn(
    database: &Database,
    intake: &Arc<Mutex<Intake>>,
    faults: &Arc<dyn CommitFaults>,
) -> Vec<JoinHandle<()>> {
    (0..LANES)
        .map(|_| {
            let lane = Lane { database: database.clone(), faults: Arc::clone(faults), held: None };
            tokio::spawn(lane.run(Arc::clone(intake)))
        })
        .collect()
}

struct Lane {
    database: Database,
    faults: Arc<dyn CommitFaults>,
    /// The connection, where one is kept between batches.
    held: Option<Held>,
}

/// How a batch is written.
#[derive(Clone, Copy)]
enum Way {
    /// A few statements for all of them.
    Together,
    /// One by one, each in a savepoint: the bad ones fall out.
    OneByOne,
}

impl Lane {
    async fn run(mut self, intake: Arc<Mutex<Intake>>) {
        let mut jobs: Vec<Job> = Vec::new();
        loop {
            let mut turn = intake.lock().await;
            if turn.take(&mut jobs).await == 0 {
                break;
            }
            let (recordings, replies): (Vec<_>, Vec<_>) = jobs.drain(..).map(|job| (job.recording, job.reply)).unzip();
            let fates = self.store(&recordings, Some(turn)).await;
            for (index, (recording, reply)) in recordings.into_iter().zip(replies).enumerate() {
                let fate = match &fates {
                    Ok(fates) => fates.get(index).cloned().unwrap_or(Ok(())),
                    Err(error) => Err(error.clone()),
                };
                // A caller that has gone away needs no answer.
                let _ = reply.send(fate.map(|()| recording.issued));
            }
        }
    }

    /// Stores the batch. An error means that nothing is known to be stored.
    async fn store(&mut self, recordings: &[Recording], mut turn: Turn<'_>) -> Result<Vec<Fate>> {
        let together = self.attempt(recordings, Way::Together, &mut turn).await;
        match together {
            Err(Error::Conflict { .. } | Error::Driver(_)) if recordings.len() > 1 => {
                self.attempt(recordings, Way::OneByOne, &mut turn).await
            }
            other => other,
        }
    }

    /// One transaction. Whatever goes wrong before its commit undoes it.
    async fn attempt(&mut self, recordings: &[Recording], way: Way, turn: &mut Turn<'_>) -> Result<Vec<Fate>> {
        let (mut held, begun) = self.begin(turn).await?;
        let faults = Arc::clone(&self.faults);
        let work = async {
            faults.before(NAME)?;
            write(&mut held, recordings, begun, way, turn).await
        };
        let outcome = match tokio::time::timeout(STATEMENT_DEADLINE, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Unavailable("the database did not answer in time".to_owned())),
        };
        match &outcome {
            Ok(_) => self.held = held.keep(),
            Err(Error::Unavailable(error)) => {
                tracing::warn!(%error, "the group commit failed");
                // The callers need not wait for a server that may not answer.
                held.discard();
                tokio::spawn(roll_back(held));
            }
            Err(_) => match execute(&mut held, "ROLLBACK").await {
                Ok(()) => self.held = held.keep(),
                Err(_) => held.discard(),
            },
        }
        let fates = outcome?;
        self.faults.after(NAME)?;
        Ok(fates)
    }

    /// Begins on the connection kept from the last batch; where that has died meanwhile, on another one.
    async fn begin(&mut self, turn: &mut Turn<'_>) -> Result<(Held, Begun)> {
        if let Some(mut held) = self.held.take() {
            match begin_on(&mut held).await {
                Ok(begun) => return Ok((held, begun)),
                Err(_) => held.discard(),
            }
        }
        // Whoever has to wait for a connection keeps no other lane from its batch.
        drop(turn.take());
        // Idle connections that died with the one before are found out one by one.
        let mut tries = 0_u32;
        loop {
            let mut held = self.database.keyed_writer().await?;
            tries = tries.saturating_add(1);
            match begin_on(&mut held).await {
                Ok(begun) => return Ok((held, begun)),
                Err(error) => {
                    held.discard();
                    if tries >= MOST_DEAD {
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// Connections that may turn out dead before a batch is given up.
const MOST_DEAD: u32 = 8;

/// What a transaction of the group commit knows when it begins; both hold until it ends.
struct Begun {
    epoch: i64,
    /// The end of the chain of audit events that it appends to; `None`: none was free.
    head: Option<Head>,
}

async fn begin_on(held: &mut Held) -> Result<Begun> {
    within(held, async |connection| {
        let rows = sqlx::raw_sql(BEGIN_RECORD).fetch_all(connection).await?;
        Ok(read_epoch(rows.last()).and_then(|epoch| Ok(Begun { epoch, head: taken_chain(&rows)? })))
    })
    .await?
}

async fn execute(connection: &mut Connection, statement: &'static str) -> Result<()> {
    sqlx::raw_sql(statement).execute(connection).await.map(drop).map_err(Error::from_driver)
}

/// Writes the recordings of the epoch that holds, whose orders can end; the others are stale. Then commits.
async fn write(
    connection: &mut Connection,
    recordings: &[Recording],
    begun: Begun,
    way: Way,
    turn: &mut Turn<'_>,
) -> Result<Vec<Fate>> {
    let epoch = begun.epoch;
    let mut head = match begun.head {
        Some(head) => head,
        None => take_chain(connection).await?,
    };
    match way {
        Way::Together => {
            let fates = judge(connection, recordings, epoch).await?;
            let all: Vec<&Recording> = recordings
                .iter()
                .zip(&fates)
                .filter(|(_, fate)| fate.is_ok())
                .map(|(recording, _)| recording)
                .collect();
            match all.is_empty() {
                true => execute(connection, "COMMIT").await?,
                false => insert(connection, &mut head, &all, Then::Commit, || drop(turn.take())).await?,
            }
            Ok(fates)
        }
        Way::OneByOne => {
            let mut fates = Vec::with_capacity(recordings.len());
            for recording in recordings {
                fates.push(insert_guarded(connection, &mut head, recording, epoch).await?);
            }
            execute(connection, "COMMIT").await?;
            Ok(fates)
        }
    }
}

/// Ends the orders of the recordings of this epoch; which recordings may be stored.
async fn judge(connection: &mut Connection, recordings: &[Recording], epoch: i64) -> Result<Vec<Fate>> {
    let fresh = |recording: &Recording| recording.epoch == epoch;
    let endings: Vec<_> = recordings
        .iter()
        .filter(|recording| fresh(recording))
        .filter_map(|recording| Some((recording.ending.as_ref()?, &recording.issued.id)))
        .collect();
    let ended = end(connection, &endings).await?;
    let fate = |recording: &Recording| match recording.ending {
        _ if !fresh(recording) => Err(Error::Stale { what: "epoch" }),
        Some(_) if !ended.contains(recording.issued.id.as_str()) => Err(Error::Stale { what: "acme_orders" }),
        _ => Ok(()),
    };
    Ok(recordings.iter().map(fate).collect())
}

/// Writes one recording in a savepoint. The outer error spoils the whole batch.
async fn insert_guarded(
    connection: &mut Connection,
    head: &mut Head,
    recording: &Recording,
    epoch: i64,
) -> Result<Fate> {
    execute(connection, "SAVEPOINT one").await?;
    let stored = async {
        judge(connection, std::slice::from_ref(recording), epoch).await?.into_iter().collect::<Fate>()?;
        insert(connection, head, &[recording], Then::Nothing, || ()).await
    };
    match stored.await {
        Ok(()) => {
            execute(connection, "RELEASE SAVEPOINT one").await?;
            Ok(Ok(()))
        }
        Err(error @ Error::Unavailable(_)) => Err(error),
        Err(error) => {
            execute(connection, "ROLLBACK TO SAVEPOINT one").await?;
            execute(connection, "RELEASE SAVEPOINT one").await?;
            Ok(Err(error))
        }
    }
}

/// Writes recordings; the head moves only when that worked. `committing`: what is done when nothing but the commit is left.
async fn insert(
    connection: &mut Connection,
    head: &mut Head,
    recordings: &[&Recording],
    then: Then,
    committing: impl FnOnce(),
) -> Result<()> {
    let (rows, names) = issued_rows(recordings.iter().map(|recording| &recording.issued));
    let audit = append(head, recordings.iter().map(|recording| &recording.audit));
    insert_recordings(connection, &rows, &names, &audit, then, committing).await?;
    *head = audit.head;
    Ok(())
}
