//! What a large CRL costs, step by step, in one thread: `cargo bench -p certwright-pki --bench crl [-- entries]`.
//!
//! CPU time, so that what others do on the machine does not count, and the peak of the resident memory after each step.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a program that measures and prints"
)]

#[expect(dead_code, reason = "shared with the tests, which use the rest")]
#[path = "../tests/pki/support.rs"]
mod support;

use certwright_domain::revocation::{CrlEntry, EntryKind, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_domain::time::Span;
use certwright_pki::{CrlBuilder, CrlHeader, CrlKind, MAX_CRL_BYTES, read_crl};
use std::hint::black_box;
use std::time::Duration;
use support::{now, p256, root};

/// Entries that the caller has at hand at once, as a page of the database.
const PAGE: usize = 1000;

fn main() {
    let entries = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000_usize);
    let key = p256();
    let ca = root(&key);
    let header = CrlHeader {
        number: 1,
        this_update: now(),
        next_update: now().plus(Span::from_days(1)),
        kind: CrlKind::Full { freshest: Vec::new() },
        distribution_point: Vec::new(),
    };
    println!("{:<44} {:>9} {:>11}", "step", "CPU", "peak RSS");
    let before = peak();
    println!("{:<44} {:>9} {:>8} MB", "(before)", "", before);

    let mut total = Duration::ZERO;
    let mut builder = CrlBuilder::new(&ca, key.algorithm, header).unwrap();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut push = Duration::ZERO;
    let mut left = entries;
    while left > 0 {
        let page: Vec<CrlEntry> = (0..left.min(PAGE)).map(|_| random.entry()).collect();
        left = left.saturating_sub(page.len());
        push += timed(|| page.iter().for_each(|entry| builder.push(entry).unwrap())).0;
    }
    let mut step = |what: &str, time: Duration| {
        total += time;
        println!("{what:<44} {:>7.3} s {:>8} MB", time.as_secs_f64(), peak());
    };
    step("push (encode, tally)", push);
    let (time, prepared) = timed(|| builder.finish_tbs().unwrap());
    step("finish_tbs (assemble, read back, compare)", time);
    let (time, signature) = timed(|| key.sign(key.algorithm, prepared.tbs()));
    step("sign (P-256)", time);
    let (time, crl) = timed(|| prepared.finish(&signature).unwrap());
    step("finish (verify, read back, compare, hash)", time);
    println!("{:<44} {:>7.3} s", "all of it", total.as_secs_f64());
    let (entries, bytes) = (crl.entry_count(), crl.der().len());
    let beyond = peak().saturating_sub(before).saturating_sub(bytes >> 20);
    println!("{entries} entries, {bytes} bytes; {beyond} MB of memory beyond these at most");

    if bytes <= MAX_CRL_BYTES {
        let (time, read) = timed(|| read_crl(crl.der(), &ca).unwrap());
        println!("{:<44} {:>7.3} s {:>8} MB", "read_crl", time.as_secs_f64(), peak());
        let (time, count) = timed(|| read.entries().count());
        assert_eq!(count, entries);
        println!("{:<44} {:>7.3} s {:>8} MB", "its entries once more", time.as_secs_f64(), peak());
    }
}

/// CPU time of this thread, and what was made.
fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let thread_time = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
    };
    let start = thread_time();
    let made = black_box(run());
    (thread_time() - start, made)
}

/// Most memory that was resident so far, in MB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// Numbers that only need to differ (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Serial, time and reason as a busy CA has them: four of five with a reason.
    fn entry(&mut self) -> CrlEntry {
        let mut serial = [0; 20];
        serial[..8].copy_from_slice(&self.next().to_be_bytes());
        serial[8..16].copy_from_slice(&self.next().to_be_bytes());
        serial[16..].copy_from_slice(&self.next().to_be_bytes()[..4]);
        let reasons = [0, 1, 4, 4, 5].map(|code| RevocationReason::from_code(code).unwrap());
        let kind = EntryKind::Revoked(reasons[usize::try_from(self.next() % 5).unwrap()]);
        let ago = Span::from_s(i64::try_from(self.next() % 31_536_000).unwrap());
        CrlEntry { serial: Serial::from_random(serial), revoked_at: now().minus(ago), kind }
    }
}
