//! Webhooks, deliveries, and when a delivery is tried again.

use crate::algorithm::named_enum;
use crate::event::EventKind;
use crate::http_url::HttpUrl;
use crate::id::{DeliveryId, EventId, WebhookId};
use crate::key::SealedBlob;
use crate::name::ResourceName;
use crate::time::{Span, Timestamp};

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Id.
    pub id: WebhookId,
    /// Name, unique.
    pub name: ResourceName,
    /// The receiver.
    pub url: HttpUrl,
    /// Kinds it gets; empty: all.
    pub kinds: Vec<EventKind>,
    /// A webhook that is not gets no events, and what waits for it goes on waiting.
    pub enabled: bool,
    /// The secret that deliveries are signed with.
    pub secret: SealedBlob,
    /// The root key that sealed it.
    pub root_key_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

impl Webhook {
    /// Does it get events of this kind? None gets `webhook.test`, which goes to one webhook by name.
    pub fn wants(&self, kind: EventKind) -> bool {
        kind != EventKind::WebhookTest && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }
}

named_enum! {
    /// State of a delivery.
    DeliveryState, "invalid_delivery_state", "state of a delivery" {
        /// Not taken yet; it will be tried (again).
        Pending = "PENDING",
        /// The receiver took it.
        Delivered = "DELIVERED",
        /// Given up; it can be sent again by hand.
        Failed = "FAILED",
    }
}

/// The delivery of one event to one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Id within the webhook.
    pub id: DeliveryId,
    /// The event.
    pub event_id: EventId,
    /// When it was made.
    pub created_at: Timestamp,
    /// State.
    pub state: DeliveryState,
    /// How often it was tried since it was made or sent again by hand.
    pub attempts: u32,
    /// When it will be tried; while it is being tried: when another node may take it over.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// The status that the receiver last answered.
    pub last_status: Option<u16>,
    /// Why there was no answer; never anything that the receiver said.
    pub last_error: Option<String>,
    /// Grows with every change.
    pub revision: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// How long it asks us to wait.
        retry_after: Option<Span>,
    },
    /// There was no answer.
    Failed {
        /// Why, in our words.
        error: String,
    },
}

/// The pauses between attempts: 10 s, 1 min, 5 min, 30 min, 2 h, 6 h, 12 h, 24 h, all longer or shorter with the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    first: Span,
}

/// The pauses in units of the first.
const PAUSES: [i64; 8] = [1, 6, 30, 180, 720, 2160, 4320, 8640];
/// The longest wait that a receiver can ask for.
const LONGEST_WISH: Span = Span::from_hours(24);

impl Schedule {
    /// A schedule whose first pause is this.
    pub const fn starting_with(first: Span) -> Self {
        Self { first }
    }

    /// The pause after so many failed attempts; `None`: enough is enough.
    pub fn pause_after(self, attempts: u32) -> Option<Span> {
        let index = usize::try_from(attempts.checked_sub(1)?).ok()?;
        PAUSES.get(index).map(|units| Span::from_ms(self.first.ms().saturating_mul(*units)))
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::starting_with(Span::from_s(10))
    }
}

impl Delivery {
    /// The delivery of `event` to a webhook, due at once.
    pub fn new(webhook_id: WebhookId, event: &EventId, now: Timestamp) -> Self {
        Self {
            webhook_id,
            id: DeliveryId::of(event),
            event_id: event.clone(),
            created_at: now,
            state: DeliveryState::Pending,
            attempts: 0,
            next_attempt_at: Some(now),
            last_attempt_at: None,
            last_status: None,
            last_error: None,
            revision: 1,
        }
    }

    /// Taken by a node that tries it now. Should the node die, it is due again after `until`.
    #[must_use]
    pub fn claimed(self, now: Timestamp, until: Timestamp) -> Self {
        let attempts = self.attempts.saturating_add(1);
        Self { attempts, last_attempt_at: Some(now), next_attempt_at: Some(until), ..self }
    }

    /// After an attempt that ended at `now`: taken, due again, or given up.
    #[must_use]
    pub fn settled(self, outcome: &Outcome, schedule: Schedule, now: Timestamp) -> Self {
        let (status, error, wish) = match outcome {
            Outcome::Answered { status, retry_after } => (Some(*status), None, *retry_after),
            Outcome::Failed { error } => (None, Some(error.clone()), None),
        };
        let (state, next_attempt_at) = match schedule.pause_after(self.attempts) {
            _ if status.is_some_and(|status| (200..300).contains(&status)) => (DeliveryState::Delivered, None),
            Some(pause) => {
                let pause = pause.max(wish.unwrap_or(Span::ZERO).min(LONGEST_WISH));
                (DeliveryState::Pending, Some(now.plus(pause)))
            }
            None => (DeliveryState::Failed, None),
        };
        Self { state, next_attempt_at, last_status: status, last_error: error, ..self }
    }

    /// Given up, because its event is not kept any more.
    #[must_use]
    pub fn without_event(self) -> Self {
        let last_error = Some("the event is not kept any more".to_owned());
        Self { state: DeliveryState::Failed, next_attempt_at: None, last_error, ..self }
    }

    /// Sent again by hand: as if it were new.
    #[must_use]
    pub fn resent(self, now: Timestamp) -> Self {
        Self { state: DeliveryState::Pending, attempts: 0, next_attempt_at: Some(now), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_s(START.saturating_add(seconds))
    }

    fn delivery() -> Delivery {
        let event = EventId::new(at(0), [1; 10]);
        Delivery::new(WebhookId::new(at(0), [2; 10]), &event, at(0))
    }

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    #[test]
    fn pauses_grow_and_end() {
        let mut delivery = delivery();
        let mut now = at(0);
        let mut pauses = Vec::new();
        while delivery.state == DeliveryState::Pending {
            delivery = delivery.claimed(now, now.plus(Span::from_minutes(1))).settled(
                &answered(500),
                Schedule::default(),
                now,
            );
            if let Some(next) = delivery.next_attempt_at {
                pauses.push(next.ms_since(now) / 1000);
                now = next;
            }
        }
        assert_eq!(pauses, [10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400]);
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Failed, 9));
        assert_eq!((delivery.next_attempt_at, delivery.last_status), (None, Some(500)));
        let again = delivery.resent(now);
        assert_eq!((again.state, again.attempts, again.next_attempt_at), (DeliveryState::Pending, 0, Some(now)));
    }

    #[test]
    fn another_first_pause_changes_them_all() {
        let schedule = Schedule::starting_with(Span::from_s(1));
        assert_eq!(schedule.pause_after(1), Some(Span::from_s(1)));
        assert_eq!(schedule.pause_after(8), Some(Span::from_s(8640)));
        assert_eq!((schedule.pause_after(0), schedule.pause_after(9)), (None, None));
    }

    #[test]
    fn two_hundreds_are_taken_and_nothing_else() {
        for (status, state) in [
            (199, DeliveryState::Pending),
            (200, DeliveryState::Delivered),
            (204, DeliveryState::Delivered),
            (299, DeliveryState::Delivered),
            (301, DeliveryState::Pending),
            (410, DeliveryState::Pending),
            (500, DeliveryState::Pending),
        ] {
            let tried = delivery().claimed(at(0), at(60)).settled(&answered(status), Schedule::default(), at(1));
            assert_eq!((tried.state, tried.last_status), (state, Some(status)), "{status}");
        }
        let failed = Outcome::Failed { error: "no answer within 10 seconds".into() };
        let tried = delivery().claimed(at(0), at(60)).settled(&failed, Schedule::default(), at(1));
        assert_eq!((tried.state, tried.last_status), (DeliveryState::Pending, None));
        assert_eq!(tried.last_error.as_deref(), Some("no answer within 10 seconds"));
        let taken = tried.claimed(at(11), at(71)).settled(&answered(204), Schedule::default(), at(12));
        assert_eq!((taken.last_error, taken.attempts, taken.last_attempt_at), (None, 2, Some(at(11))));
    }

    #[test]
    fn a_receivers_wish_lengthens_the_pause_within_bounds() {
        for (wish, pause) in [(0, 10), (5, 10), (120, 120), (86_400, 86_400), (1_000_000_000, 86_400)] {
            let outcome = Outcome::Answered { status: 503, retry_after: Some(Span::from_s(wish)) };
            let tried = delivery().claimed(at(0), at(60)).settled(&outcome, Schedule::default(), at(0));
            assert_eq!(tried.next_attempt_at, Some(at(pause)), "{wish}");
        }
    }
}
