//! A connection that gives up on clients who are too slow.
//!
//! The HTTP library has one timer for a request head that also runs while a kept-alive connection idles, and none
//! before the preface of HTTP/2 or against a client that stops reading. So the bytes are watched here: a new connection
//! must bring its first request within the header timeout, an HTTP/1.1 head must be whole within the header timeout
//! from its first byte, and nothing may stand still for longer than the idle timeout.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What the HTTP side tells the bytes' side about a connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    in_work: AtomicUsize,
    any_request: AtomicBool,
}

/// One request in work; dropped when its answer's head is there, or when it is given up.
#[derive(Debug)]
pub(crate) struct InWork(Arc<Activity>);

impl Activity {
    /// A request head has been read.
    pub(crate) fn begin(self: &Arc<Self>) -> InWork {
        self.any_request.store(true, Ordering::Relaxed);
        self.in_work.fetch_add(1, Ordering::Relaxed);
        InWork(Arc::clone(self))
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.in_work.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The bounds of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a request head, and for the first request of a connection.
    pub(crate) head: Duration,
    /// For anything else.
    pub(crate) idle: Duration,
    /// Do heads come one after another (HTTP/1.1)? With HTTP/2 bytes between requests mean nothing.
    pub(crate) one_at_a_time: bool,
}

/// A stream that ends with [`io::ErrorKind::TimedOut`] when its client is too slow.
pub(crate) struct Guarded<S> {
    inner: S,
    activity: Arc<Activity>,
    patience: Patience,
    opened: Instant,
    last_byte: Instant,
    head_began: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl<S> Guarded<S> {
    /// Watches a stream that was opened just now.
    pub(crate) fn new(inner: S, activity: Arc<Activity>, patience: Patience) -> Self {
        let now = Instant::now();
        let timer = Box::pin(sleep_until(later(now, patience.head)));
        Self { inner, activity, patience, opened: now, last_byte: now, head_began: None, timer }
    }

    /// When the connection ends unless something happens.
    fn deadline(&self) -> Instant {
        let idle = later(self.last_byte, self.patience.idle);
        if self.activity.in_work.load(Ordering::Relaxed) > 0 {
            return idle;
        }
        if !self.activity.any_request.load(Ordering::Relaxed) {
            return later(self.opened, self.patience.head);
        }
        self.head_began.map_or(idle, |began| later(began, self.patience.head))
    }

    /// Called when the stream had nothing to give or could take nothing: is it time to give up?
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let deadline = self.deadline();
        // Moving a timer costs; one that is too early is moved when it fires.
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(io::Error::from(io::ErrorKind::TimedOut));
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn moved(&mut self) {
        self.last_byte = Instant::now();
    }

    fn read(&mut self) {
        self.moved();
        let in_work = self.activity.in_work.load(Ordering::Relaxed) > 0;
        if in_work {
            self.head_began = None;
        } else if self.patience.one_at_a_time && self.head_began.is_none() {
            self.head_began = Some(self.last_byte);
        }
    }

    fn wrote(&mut self) {
        self.moved();
        // An answer goes out, so the head before it was whole.
        self.head_began = None;
    }
}

fn later(from: Instant, by: Duration) -> Instant {
    // A span too long for the clock means never; an hour is the longest that the configuration takes.
    from.checked_add(by).unwrap_or(from)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if buf.filled().len() > before {
                    self.read();
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_deadline(cx).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write(cx, bytes) {
            Poll::Ready(result) => {
                self.wrote();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_deadline(cx).map(Err),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_deadline(cx).map(Err),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_deadline(cx).map(Err),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write_vectored(cx, bytes) {
            Poll::Ready(result) => {
                self.wrote();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_deadline(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const PATIENCE: Patience =
        Patience { head: Duration::from_secs(10), idle: Duration::from_secs(60), one_at_a_time: true };

    /// What reading to the end gives, and after how many seconds of the paused clock.
    async fn outcome<S: AsyncRead + Unpin>(stream: &mut Guarded<S>) -> (io::ErrorKind, u64) {
        let began = Instant::now();
        let error = loop {
            let mut byte = [0];
            match stream.read_exact(&mut byte).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        (error.kind(), began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_asks_ends_after_the_head_timeout() {
        let (ours, _theirs) = duplex(64);
        let mut stream = Guarded::new(ours, Arc::default(), PATIENCE);
        assert_eq!(outcome(&mut stream).await, (io::ErrorKind::TimedOut, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn dripping_a_head_does_not_stretch_the_time() {
        let (ours, mut theirs) = duplex(64);
        let activity = Arc::<Activity>::default();
        drop(activity.begin());
        let mut stream = Guarded::new(ours, activity, PATIENCE);
        let drip = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(3)).await;
                if theirs.write_all(b"x").await.is_err() {
                    break;
                }
            }
        });
        // The first byte comes after three seconds, the head must be whole ten seconds later.
        assert_eq!(outcome(&mut stream).await, (io::ErrorKind::TimedOut, 13));
        drop(stream);
        drip.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_connection_may_idle_and_a_request_may_work() {
        let (ours, _theirs) = duplex(64);
        let activity = Arc::<Activity>::default();
        drop(activity.begin());
        let mut stream = Guarded::new(ours, Arc::clone(&activity), PATIENCE);
        assert_eq!(outcome(&mut stream).await, (io::ErrorKind::TimedOut, 60));

        let (ours, _theirs) = duplex(64);
        let in_work = activity.begin();
        let mut stream = Guarded::new(ours, Arc::clone(&activity), PATIENCE);
        assert_eq!(outcome(&mut stream).await, (io::ErrorKind::TimedOut, 60));
        drop(in_work);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let (ours, _theirs) = duplex(8);
        let activity = Arc::<Activity>::default();
        let _in_work = activity.begin();
        let mut stream = Guarded::new(ours, activity, PATIENCE);
        let began = Instant::now();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn with_http2_bytes_between_requests_are_no_head() {
        let (ours, mut theirs) = duplex(64);
        let activity = Arc::<Activity>::default();
        drop(activity.begin());
        let mut stream = Guarded::new(ours, activity, Patience { one_at_a_time: false, ..PATIENCE });
        theirs.write_all(b"ping").await.unwrap();
        assert_eq!(outcome(&mut stream).await, (io::ErrorKind::TimedOut, 60));
    }
}
