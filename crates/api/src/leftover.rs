//! What a request has left of its body when its answer is ready early.
//!
//! Over HTTP/2 a server that answers without having read the body resets the stream, and clients may lose the answer
//! (curl up to 8.x says "Stream error in the HTTP/2 framing layer"). So what is left is read first, within bounds.

use axum::body::{Body, Bytes, HttpBody};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Most bytes that are read to no purpose.
const MOST: usize = 64 * 1024;
/// Longest wait for them.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that a handler reads and the edge can empty afterwards.
struct Shared(Arc<Mutex<Body>>);

/// The edge's hold on the body.
pub(crate) struct Leftover(Arc<Mutex<Body>>);

/// Splits a body into the one that is handed on and the hold on what it leaves.
pub(crate) fn share(body: Body) -> (Body, Leftover) {
    let shared = Arc::new(Mutex::new(body));
    (Body::new(Shared(Arc::clone(&shared))), Leftover(shared))
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

impl Leftover {
    /// Reads what is left, at most 64 KiB and for a second.
    pub(crate) async fn drain(self) {
        let reading = async {
            let mut left = MOST;
            while let Some(Ok(frame)) = std::future::poll_fn(|context| self.poll(context)).await {
                match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // Whether it came to an end or not, the answer goes out.
        let _ = tokio::time::timeout(PATIENCE, reading).await;
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match body.is_end_stream() {
            true => Poll::Ready(None),
            false => Pin::new(&mut *body).poll_frame(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_handler_leaves_is_read_and_what_it_took_is_not_missed() {
        let (handed_on, leftover) = share(Body::from(vec![b'x'; 1000]));
        drop(handed_on);
        leftover.drain().await;
        let (handed_on, leftover) = share(Body::from("read"));
        assert_eq!(axum::body::to_bytes(handed_on, 10).await.unwrap(), "read");
        leftover.drain().await;
        let (_, leftover) = share(Body::empty());
        leftover.drain().await;
    }
}
