//! How many requests are in work at a time, whoever asks: one room for the API, another for `/pki`, so that a crowd in one costs
//! the other nothing.
//!
//! Whoever waits for the body of a stranger gives the place back meanwhile: a place is for work, and a body that never comes is
//! none. Bodies that are waited for have places of their own, as many again, and a few seconds each.

use crate::extract::read_body_within;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Longest wait for the body of somebody who has not said who it is: 32 KiB at the most.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(5);

/// Places of one kind of requests.
pub(crate) struct Room {
    work: Arc<Semaphore>,
    bodies: Semaphore,
}

/// A request's place.
pub(crate) struct Seat {
    room: Arc<Room>,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Room {
    /// With so many places.
    pub(crate) fn new(places: usize) -> Arc<Self> {
        let places = places.min(Semaphore::MAX_PERMITS);
        Arc::new(Self { work: Arc::new(Semaphore::new(places)), bodies: Semaphore::new(places) })
    }

    /// A place, if there is one.
    pub(crate) fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.work.try_acquire().ok()
    }

    /// The same to hand on with a request.
    pub(crate) fn sit(self: &Arc<Self>) -> Result<Seat, Problem> {
        Ok(Seat { held: Mutex::new(Some(self.place()?)), room: Arc::clone(self) })
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.work).try_acquire_owned().map_err(|_| overloaded())
    }
}

impl Seat {
    /// Reads a stranger's body, and works on when it is there.
    pub(crate) async fn read(&self, body: Body, most: usize) -> Result<Bytes, Problem> {
        let waiting = self.room.bodies.try_acquire().map_err(|_| overloaded())?;
        self.hold(None);
        let read = tokio::time::timeout(BODY_TIME, read_body_within(body, most)).await;
        drop(waiting);
        let body = read.map_err(|_| too_slow())??;
        self.hold(Some(self.room.place()?));
        Ok(body)
    }

    fn hold(&self, place: Option<OwnedSemaphorePermit>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

fn overloaded() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "The server has as many requests in flight as it takes.",
        "Repeat the request after the time in `Retry-After`.",
    )
    .retry_after(1)
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "body_too_slow",
        format!("The body was not there after {} seconds.", BODY_TIME.as_secs()),
        "Send the whole body at once.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::HttpBody;
    use futures_util::FutureExt;
    use http_body::Frame;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// A body that never comes.
    struct Never;

    impl HttpBody for Never {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    fn code(problem: &Problem) -> (u16, &str) {
        (problem.document().status, problem.document().code.as_str())
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_not_held_while_a_body_is_waited_for() {
        let room = Room::new(1);
        let seat = room.sit().unwrap();
        assert!(room.enter().is_none());
        let mut slow = Box::pin(seat.read(Body::new(Never), 10));
        assert!((&mut slow).now_or_never().is_none());
        let other = room.sit().unwrap();
        assert_eq!(
            code(&other.read(Body::from("x"), 10).await.unwrap_err()),
            (503, "overloaded"),
            "bodies are bounded"
        );
        assert!(room.enter().is_none(), "who did not wait keeps the place");
        drop(other);
        let started = tokio::time::Instant::now();
        assert_eq!(code(&slow.await.unwrap_err()), (408, "body_too_slow"));
        assert_eq!(started.elapsed(), BODY_TIME);
        assert!(room.enter().is_some());

        let seat = room.sit().unwrap();
        assert_eq!(seat.read(Body::from("read"), 10).await.unwrap(), "read");
        assert!(room.enter().is_none(), "work goes on in a place");
        drop(seat);
        assert!(room.enter().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_back_to_a_full_room_is_told_so() {
        let room = Room::new(1);
        let seat = room.sit().unwrap();
        let (sender, body) = tokio::sync::oneshot::channel::<Bytes>();
        let frames = futures_util::stream::once(body);
        let mut read = Box::pin(seat.read(Body::from_stream(frames), 10));
        assert!((&mut read).now_or_never().is_none());
        let _other = room.enter().unwrap();
        sender.send(Bytes::from_static(b"x")).unwrap();
        assert_eq!(code(&read.await.unwrap_err()), (503, "overloaded"));
    }
}
