//! Entries, summed up: equal tallies mean the same entries in the same order.

use aws_lc_rs::digest;
use certwright_domain::revocation::EntryKind;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;

/// A running SHA-256 over serial, time and kind of every entry. Its input is made of values, not of DER, so that what the
/// encoder wrote and what the reader understood meet on neutral ground.
#[derive(Clone)]
pub(super) struct Tally {
    digest: digest::Context,
    pub(super) count: usize,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { digest: digest::Context::new(&digest::SHA256), count: 0 }
    }

    /// `serial` is a magnitude of at most 20 octets without leading zeros.
    pub(super) fn add(&mut self, serial: &[u8], revoked_at: Timestamp, kind: EntryKind) {
        // 20 octets of serial, right-aligned, 8 of time, one of kind: every entry takes as many, so none runs into the next.
        let mut record = [0_u8; 29];
        let (place, rest) = record.split_at_mut(20);
        let padding = place.len().saturating_sub(serial.len());
        place.get_mut(padding..).unwrap_or_default().iter_mut().zip(serial).for_each(|(to, from)| *to = *from);
        let seconds = revoked_at.unix_s().to_be_bytes();
        rest.iter_mut().zip(seconds.iter().chain(&[kind.code()])).for_each(|(to, from)| *to = *from);
        self.digest.update(&record);
        self.count = self.count.saturating_add(1);
    }

    /// How many entries, and the digest over them.
    pub(super) fn finish(self) -> Sum {
        let mut sha256 = [0; 32];
        for (to, from) in sha256.iter_mut().zip(self.digest.finish().as_ref()) {
            *to = *from;
        }
        Sum { count: self.count, sha256: Sha256(sha256) }
    }
}

/// A finished [`Tally`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) count: usize,
    sha256: Sha256,
}
