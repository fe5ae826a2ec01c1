//! DER as PEM (RFC 7468) that is written while it is sent: lists have tens of megabytes and slow readers, who all share the DER.

use axum::body::{Bytes, HttpBody};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Octets of a line, which has 64 characters then.
const LINE: usize = 48;
/// Octets that are written at a time: 66 KB of text.
const PIECE: usize = 1024 * LINE;

/// A body.
pub(crate) struct PemBody {
    label: &'static str,
    der: Bytes,
    begun: bool,
    /// Characters that are not written yet.
    left: u64,
}

impl PemBody {
    pub(crate) fn new(label: &'static str, der: Bytes) -> Self {
        let characters = der.len().div_ceil(3).saturating_mul(4).saturating_add(der.len().div_ceil(LINE));
        let around = begin(label).len().saturating_add(end(label).len());
        Self { label, der, begun: false, left: characters.saturating_add(around) as u64 }
    }

    fn next(&mut self) -> String {
        let piece = self.der.split_to(self.der.len().min(PIECE));
        let mut text = String::with_capacity(piece.len().div_ceil(LINE).saturating_mul(65).saturating_add(128));
        if !self.begun {
            self.begun = true;
            text.push_str(&begin(self.label));
        }
        for line in piece.chunks(LINE) {
            STANDARD.encode_string(line, &mut text);
            text.push('\n');
        }
        if self.der.is_empty() {
            text.push_str(&end(self.label));
        }
        text
    }
}

fn begin(label: &str) -> String {
    format!("-----BEGIN {label}-----\n")
}

fn end(label: &str) -> String {
    format!("-----END {label}-----\n")
}

impl HttpBody for PemBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.is_end_stream() {
            return Poll::Ready(None);
        }
        let text = this.next();
        this.left = this.left.saturating_sub(text.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use certwright_app::to_pem;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn the_text_is_as_if_written_at_once_and_never_there_as_a_whole() {
        for length in [0, 1, 47, 48, 49, 50, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 100] {
            let der: Bytes = (0..length).map(|number| u8::try_from(number % 251).unwrap()).collect();
            let mut body = PemBody::new("X509 CRL", der.clone());
            let whole = to_pem("X509 CRL", &der);
            assert_eq!(body.size_hint().exact(), Some(whole.len() as u64), "{length}");
            let mut text = Vec::new();
            while let Some(frame) = body.frame().await {
                let piece = frame.unwrap().into_data().unwrap();
                assert!(piece.len() < 70_000, "{length}");
                text.extend_from_slice(&piece);
                assert_eq!(body.size_hint().exact(), Some((whole.len() - text.len()) as u64), "{length}");
            }
            assert!(text == whole.as_bytes(), "{length}");
            assert!(body.is_end_stream());
        }
    }
}
