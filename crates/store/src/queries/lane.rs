//! A lane of the group commit: takes what has queued up, stores it in one transaction, answers.

use super::super::{BEGIN_RECORD, KNOWN_FOR, LANES, STATEMENT_DEADLINE, insert_recordings, record_at_once};
use super::acme::endings::end;
use super::audit::{take_chain, taken_chain};
use super::session::{Session, roll_back, within};
use super::system::read_epoch;
use super::{Connection, Database, Error, Held, Result};
use crate::recorder::{Intake, Job};
use crate::rows::{Batch, Then, append, issued_rows};
use crate::{CommitFaults, IssuedQueries as _, Recording};
use certwright_domain::audit::chain::Head;
use certwright_domain::id::IssuedId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::Instant;

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
            let lane = Lane {
                database: database.clone(),
                faults: Arc::clone(faults),
                held: None,
                known: None,
                in_doubt: false,
            };
            tokio::spawn(lane.run(Arc::clone(intake)))
        })
        .collect()
}

struct Lane {
    database: Database,
    faults: Arc<dyn CommitFaults>,
    /// The connection, where one is kept between batches.
    held: Option<Held>,
    /// Where its chain ended when the last batch was committed, and when that was.
    known: Option<(Head, Instant)>,
    /// The server may be at the batch still, on a connection that is gone.
    in_doubt: bool,
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
        if let Some(stored) = self.at_once(recordings, &mut turn).await {
            return stored;
        }
        // What takes long, or has to wait for a connection, keeps no other lane from its batch.
        drop(turn);
        let in_doubt = std::mem::take(&mut self.in_doubt);
        let stored = self.store_again(recordings).await;
        if in_doubt { self.recognize(recordings, stored).await } else { stored }
    }

    /// What stands in the way of recordings may be themselves: the ids are nobody else's.
    async fn recognize(&self, recordings: &[Recording], stored: Result<Vec<Fate>>) -> Result<Vec<Fate>> {
        let mut fates = match stored {
            Err(error @ Error::Conflict { .. }) => vec![Err(error); recordings.len()],
            other => other?,
        };
        for (recording, fate) in recordings.iter().zip(&mut fates) {
            if matches!(fate, Err(Error::Conflict { .. })) && self.is_stored(&recording.issued.id).await? {
                *fate = Ok(());
            }
        }
        Ok(fates)
    }

    /// The long way.
    async fn store_again(&mut self, recordings: &[Recording]) -> Result<Vec<Fate>> {
        match self.attempt(recordings, Way::Together).await {
            Err(Error::Conflict { .. } | Error::Driver(_)) if recordings.len() > 1 => {
                self.attempt(recordings, Way::OneByOne).await
            }
            other => other,
        }
    }

    /// The batch as a transaction in one turn, by what is known since the batch before. `None`: something is not as it was, or speaks
    /// against a recording; nothing is stored, and the long way finds out what it is.
    async fn at_once(&mut self, recordings: &[Recording], turn: &mut Turn<'_>) -> Option<Result<Vec<Fate>>> {
        let (head, _) = self.known.take().filter(|(_, since)| since.elapsed() < KNOWN_FOR)?;
        let epoch = recordings.first()?.epoch;
        if recordings.iter().any(|recording| recording.epoch != epoch) {
            return None;
        }
        let mut held = match self.held.take() {
            Some(held) => held,
            None => {
                drop(turn.take());
                self.database.keyed_writer().await.ok()?
            }
        };
        let endings: Vec<_> = recordings.iter().filter_map(Recording::ends).collect();
        let (rows, names) = issued_rows(recordings.iter().map(|recording| &recording.issued));
        let audit = append(&head, recordings.iter().map(|recording| &recording.audit));
        let batch = Batch { rows: &rows, names: &names, audit: &audit, epoch, endings: &endings };
        if let Err(error) = self.faults.before(NAME) {
            self.held = held.keep();
            return Some(Err(error));
        }
        let begun = Instant::now();
        match tokio::time::timeout(STATEMENT_DEADLINE, record_at_once(&mut held, &batch, || drop(turn.take()))).await {
            Ok(Ok(())) => {
                self.held = held.keep();
                self.known = Some((audit.head.clone(), Instant::now()));
            }
            Ok(Err(error @ Error::Unavailable(_))) => {
                // The connection may have died before it, or with the answer: whether it is stored, the database knows.
                give_up(held, &error);
                drop(turn.take());
                match self.is_stored(&recordings.first()?.issued.id).await {
                    Ok(true) => {}
                    Ok(false) if begun.elapsed() < SOON => {
                        self.in_doubt = true;
                        return None;
                    }
                    // What was refused after a long wait would be so again, and the callers have waited enough.
                    Ok(false) => return Some(Err(error)),
                    Err(error) => return Some(Err(error)),
                }
            }
            Ok(Err(_)) => {
                self.held = held.keep();
                return None;
            }
            Err(_) => {
                let error = Error::Unavailable("the database did not answer in time".to_owned());
                give_up(held, &error);
                return Some(Err(error));
            }
        }
        Some(self.faults.after(NAME).map(|()| vec![Ok(()); recordings.len()]))
    }

    /// Is the certificate in the inventory? Then all of its batch are.
    async fn is_stored(&self, id: &IssuedId) -> Result<bool> {
        let mut tries = 0_u32;
        loop {
            let mut session = Session::glance(&self.database).await?;
            tries = tries.saturating_add(1);
            match session.issued(id).await {
                Err(_) if tries < MOST_DEAD => {}
                found => return found.map(|row| row.is_some()),
            }
        }
    }

    /// One transaction. Whatever goes wrong before its commit undoes it.
    async fn attempt(&mut self, recordings: &[Recording], way: Way) -> Result<Vec<Fate>> {
        let (mut held, begun) = self.begin().await?;
        let faults = Arc::clone(&self.faults);
        let work = async {
            faults.before(NAME)?;
            write(&mut held, recordings, begun, way).await
        };
        let outcome = match tokio::time::timeout(STATEMENT_DEADLINE, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Unavailable("the database did not answer in time".to_owned())),
        };
        match &outcome {
            Ok((_, head)) => {
                self.known = Some((head.clone(), Instant::now()));
                self.held = held.keep();
            }
            Err(error @ Error::Unavailable(_)) => give_up(held, error),
            Err(_) => match execute(&mut held, "ROLLBACK").await {
                Ok(()) => self.held = held.keep(),
                Err(_) => held.discard(),
            },
        }
        let (fates, _) = outcome?;
        self.faults.after(NAME)?;
        Ok(fates)
    }

    /// Begins on the connection kept from the last batch; where that has died meanwhile, on another one.
    async fn begin(&mut self) -> Result<(Held, Begun)> {
        if let Some(mut held) = self.held.take() {
            match begin_on(&mut held).await {
                Ok(begun) => return Ok((held, begun)),
                Err(_) => held.discard(),
            }
        }
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

/// After a failure of the connection.
fn give_up(mut held: Held, error: &Error) {
    tracing::warn!(%error, "the group commit failed");
    // The callers need not wait for a server that may not answer.
    held.discard();
    tokio::spawn(roll_back(held));
}

/// A failure within this time is that of a connection, and not of a database that others hold up.
const SOON: Duration = Duration::from_secs(1);

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

/// Writes the recordings of the epoch that holds, whose orders can end; the others are stale. Then commits. The end of the chain comes
/// with the fates.
async fn write(
    connection: &mut Connection,
    recordings: &[Recording],
    begun: Begun,
    way: Way,
) -> Result<(Vec<Fate>, Head)> {
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
                false => insert(connection, &mut head, &all, Then::Commit).await?,
            }
            Ok((fates, head))
        }
        Way::OneByOne => {
            let mut fates = Vec::with_capacity(recordings.len());
            for recording in recordings {
                fates.push(insert_guarded(connection, &mut head, recording, epoch).await?);
            }
            execute(connection, "COMMIT").await?;
            Ok((fates, head))
        }
    }
}

/// Ends the orders of the recordings of this epoch; which recordings may be stored.
async fn judge(connection: &mut Connection, recordings: &[Recording], epoch: i64) -> Result<Vec<Fate>> {
    let fresh = |recording: &Recording| recording.epoch == epoch;
    let endings: Vec<_> = recordings.iter().filter(|recording| fresh(recording)).filter_map(Recording::ends).collect();
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
        insert(connection, head, &[recording], Then::Nothing).await
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

/// Writes recordings; the head moves only when that worked.
async fn insert(connection: &mut Connection, head: &mut Head, recordings: &[&Recording], then: Then) -> Result<()> {
    let (rows, names) = issued_rows(recordings.iter().map(|recording| &recording.issued));
    let audit = append(head, recordings.iter().map(|recording| &recording.audit));
    insert_recordings(connection, &rows, &names, &audit, then).await?;
    *head = audit.head;
    Ok(())
}
