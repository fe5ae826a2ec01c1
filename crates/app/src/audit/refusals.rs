//! Audit events that no transaction carries: refusals and failed logins. They wait in a bounded queue and are written
//! together; nobody waits for them.
//!
//! **Bounded.** What finds the queue full is counted, and one event `audit.dropped` says how many. Failed logins of one
//! address (of one /64 for IPv6) are one event at once and at most one more for each minute, which says how many there were.
//! Refusals to one caller are told one by one up to sixty a minute; of the others one event `refusals` says how many there were.
//! So neither who guesses tokens nor who has one can fill the database with what it may not do.
//!
//! **Once each.** What was taken out of the queue stays one batch until it is known to be written: after a commit whose outcome
//! is unknown the same batch is tried again, alone, before anything that came later. Then ids that exist say that all of it is there.

use super::Target;
use crate::{App, Call, Error};
use certwright_domain::audit::{AuditEvent, Outcome};
use certwright_domain::id::AuditId;
use certwright_domain::rate::client_of;
use certwright_domain::time::{Span, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Events that may wait.
const QUEUE: usize = 1024;
/// Addresses whose failed logins are counted at a time.
const ADDRESSES: usize = 1024;
/// Events of one transaction.
const BATCH: usize = 256;
/// Callers whose refusals are counted at a time.
const CALLERS: usize = 4096;
/// Refusals to one caller that are told one by one within [`SUM`].
const TOLD: u64 = 60;
/// Failed logins of one address and refusals to one caller are summed up for so long.
const SUM: Span = Span::from_minutes(1);
/// Characters of a reason that are kept.
const REASON: usize = 500;

/// The queue.
#[derive(Default)]
pub(crate) struct Refusals {
    state: Mutex<State>,
    waiting: Notify,
    /// The batch that is being written, or was not (known to be) written. Held while one is: a second writer waits, and one that
    /// is cut off leaves its batch behind.
    writing: tokio::sync::Mutex<Option<Batch>>,
}

/// Events of one transaction. They are written together or not at all.
struct Batch {
    events: Vec<AuditEvent>,
    /// Was a commit of it not heard of?
    in_doubt: bool,
}

#[derive(Default)]
struct State {
    events: VecDeque<AuditEvent>,
    logins: HashMap<Option<IpAddr>, Logins>,
    callers: HashMap<String, Refused>,
    dropped: u64,
}

/// Refusals to a caller since the minute began.
struct Refused {
    since: Timestamp,
    count: u64,
    /// Who was refused, by which door, from where: an event without its particulars.
    like: AuditEvent,
}

/// Failed logins of an address since its last event.
struct Logins {
    since: Timestamp,
    count: u64,
    address: Option<IpAddr>,
}

impl Refusals {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, event: AuditEvent) {
        if self.events.len() < QUEUE {
            self.events.push_back(event);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn refused(&mut self, event: AuditEvent, now: Timestamp) {
        if self.callers.len() >= CALLERS && !self.callers.contains_key(&event.actor) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let first = || Refused { since: now, count: 0, like: event.clone() };
        let known = self.callers.entry(event.actor.clone()).or_insert_with(first);
        known.count = known.count.saturating_add(1);
        if known.count <= TOLD {
            self.put(event);
        }
    }
}

impl App {
    /// Notes that something was refused to a caller: `action` on the target of this kind and id, because of `reason` (a rule,
    /// a permission). Returns at once; the event is written soon after.
    pub fn note_refusal(&self, call: &Call, action: &'static str, target: (&'static str, &str), reason: &str) {
        let target = Target { kind: target.0, id: target.1, name: "" };
        let reason: String = reason.chars().take(REASON).collect();
        let event = self.inner.audit(call, action, target, &[]).decided_by(reason).ended(Outcome::Refused);
        self.inner.refusals.state().refused(event, self.now());
        self.inner.refusals.waiting.notify_one();
    }

    /// Notes that somebody at this address did not get in through `door`. Returns at once.
    pub fn note_failed_login(&self, address: Option<IpAddr>, request_id: &str, door: &'static str) {
        let now = self.now();
        let mut state = self.inner.refusals.state();
        let key = address.map(client_of);
        if let Some(logins) = state.logins.get_mut(&key) {
            logins.count = logins.count.saturating_add(1);
            return;
        }
        if state.logins.len() >= ADDRESSES {
            state.dropped = state.dropped.saturating_add(1);
            return;
        }
        state.logins.insert(key, Logins { since: now, count: 0, address });
        state.put(self.login_event(address, request_id, door, 1));
        drop(state);
        self.inner.refusals.waiting.notify_one();
    }

    /// Notes what the rules refused, and passes it on.
    pub(crate) fn note_if_refused<T>(
        &self,
        call: &Call,
        action: &'static str,
        target: (&'static str, &str),
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        if let Err(Error::Rejected(violations)) = &outcome
            && !call.dry_run
        {
            let rules: Vec<&str> = violations.iter().map(|violation| violation.rule).collect();
            self.note_refusal(call, action, target, &rules.join(" "));
        }
        outcome
    }

    /// Waits until there is a refusal to write, or sums to look at.
    pub async fn refusal_noted(&self) {
        self.inner.refusals.waiting.notified().await;
    }

    /// Writes what waits: refusals, and the sums of failed logins and refusals whose minute is over (`all`: every sum).
    pub async fn write_refusals(&self, all: bool) -> Result<(), Error> {
        self.sum_up_logins(all);
        self.sum_up_refusals(all);
        while self.write_batch().await? {}
        Ok(())
    }

    fn sum_up_logins(&self, all: bool) {
        let now = self.now();
        let mut state = self.inner.refusals.state();
        let is_over = |logins: &Logins| all || now.ms_since(logins.since) >= SUM.ms();
        let over: Vec<Logins> =
            state.logins.extract_if(|_, logins| is_over(logins)).map(|(_, logins)| logins).collect();
        for logins in over.into_iter().filter(|logins| logins.count > 0) {
            state.put(self.login_event(logins.address, "", "token", logins.count));
        }
    }

    fn sum_up_refusals(&self, all: bool) {
        let now = self.now();
        let mut state = self.inner.refusals.state();
        let is_over = |refused: &Refused| all || now.ms_since(refused.since) >= SUM.ms();
        let over: Vec<Refused> =
            state.callers.extract_if(|_, refused| is_over(refused)).map(|(_, refused)| refused).collect();
        for refused in over {
            let more = refused.count.saturating_sub(TOLD);
            if more > 0 {
                state.put(AuditEvent {
                    id: AuditId::new(now, self.inner.id_entropy()),
                    at: now,
                    action: "refusals",
                    target_kind: "server",
                    target_id: String::new(),
                    target_name: String::new(),
                    request_id: String::new(),
                    decided_by: String::new(),
                    details: format!("{{\"count\":\"{more}\"}}"),
                    ..refused.like
                });
            }
        }
    }

    /// One transaction; false: nothing waits.
    async fn write_batch(&self) -> Result<bool, Error> {
        let mut writing = self.inner.refusals.writing.lock().await;
        if writing.is_none() {
            *writing = self.next_refusals();
        }
        let Some(batch) = writing.as_mut() else { return Ok(false) };
        let mut tx = self.inner.store.begin("audit.refusals").await?;
        for event in &batch.events {
            tx.insert_audit(event).await?;
        }
        // Also for who is cut off while the commit is under way.
        let was_in_doubt = std::mem::replace(&mut batch.in_doubt, true);
        match tx.commit().await {
            Ok(()) => {}
            // Written by the commit that was not heard of.
            Err(certwright_store::Error::Conflict { .. }) if was_in_doubt => {}
            Err(error) => {
                // A conflict is an answer: nothing was written.
                batch.in_doubt = !matches!(error, certwright_store::Error::Conflict { .. });
                return Err(error.into());
            }
        }
        *writing = None;
        Ok(true)
    }

    /// Takes out of the queue what one transaction writes, and what was dropped. `None`: nothing waits.
    fn next_refusals(&self) -> Option<Batch> {
        let (mut events, dropped) = {
            let mut state = self.inner.refusals.state();
            let count = state.events.len().min(BATCH);
            (state.events.drain(..count).collect::<Vec<_>>(), std::mem::take(&mut state.dropped))
        };
        if dropped > 0 {
            let call = Call::system("audit");
            let target = Target { kind: "audit", id: "", name: "" };
            let count = dropped.to_string();
            let event = self.inner.audit(&call, "audit.dropped", target, &[("count", &count)]);
            events.push(event.ended(Outcome::Failed));
            metrics::counter!("certwright_audit_dropped_total").increment(dropped);
        }
        (!events.is_empty()).then_some(Batch { events, in_doubt: false })
    }

    fn login_event(&self, address: Option<IpAddr>, request_id: &str, door: &'static str, count: u64) -> AuditEvent {
        let at = self.now();
        AuditEvent {
            id: AuditId::new(at, self.inner.id_entropy()),
            at,
            actor: "anonymous".to_owned(),
            actor_name: "anonymous".to_owned(),
            action: "login",
            target_kind: "server",
            target_id: String::new(),
            target_name: String::new(),
            request_id: request_id.to_owned(),
            door,
            address,
            decided_by: String::new(),
            outcome: Outcome::Failed,
            details: format!("{{\"count\":\"{count}\"}}"),
        }
    }
}
