//! What making one certificate costs beside the bare cryptography, on this machine, in one thread.
//!
//! `cargo run --release -p certwright-pki --example cost`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an example that measures and prints"
)]

#[expect(dead_code, reason = "shared with the tests, which use the rest")]
#[path = "../tests/pki/support.rs"]
mod support;

use certwright_pki::{Issuer, parse_csr, prepare, verify_signature};
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{approve_leaf, cn, dn, issue, names, p256, root, rsa, serial, urls};

/// Microseconds of the fastest of several rounds: the machine may be busy with other things.
fn measure(what: &str, mut run: impl FnMut() -> Duration) -> f64 {
    const TIMES: u32 = 20;
    const ROUNDS: u32 = 300;
    let round = |_| (0..TIMES).map(|_| run()).sum::<Duration>().as_secs_f64() * 1e6 / f64::from(TIMES);
    let best = (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min);
    println!("{what:<58} {best:>8.1} µs");
    best
}

fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(run());
    start.elapsed()
}

fn main() {
    let key = p256();
    let ca = root(&key);
    let leaf = p256();
    let subject = dn(&[("country", "KR"), ("organization", "DDIM"), ("commonName", "service-a.example.com")]);
    let wanted = names(&["service-a.example.com", "service-b.example.com", "10.0.0.5"]);
    let approved = approve_leaf(&ca, &["serverAuth", "clientAuth"], subject, wanted, &leaf.public);
    let serial = serial();
    let urls = urls();
    let ready = || prepare(approved.clone(), serial.clone(), &Issuer::Ca(&ca), key.algorithm, &urls).unwrap();
    let certificate = issue(approved.clone(), &ca, &key, &urls);
    println!("leaf of {} bytes, P-256 throughout", certificate.der.len());

    let csr = csr_of(&leaf);
    let signed = key.sign(key.algorithm, ready().tbs());
    let spki = &ca.public_key.spki;
    let verify = measure("bare: verify a P-256 signature (key parse included)", || {
        let tbs = ready();
        timed(|| verify_signature(spki, key.algorithm, tbs.tbs(), &signed).is_ok())
    });
    let sign = measure("bare: sign with P-256", || {
        let tbs = ready();
        timed(|| key.sign(key.algorithm, tbs.tbs()))
    });
    let parsed = measure("parse_csr (verification included)", || timed(|| parse_csr(&csr).unwrap()));
    let prepared = measure("prepare (build, splice, read back, compare)", || {
        let approved = approved.clone();
        timed(|| prepare(approved, serial.clone(), &Issuer::Ca(&ca), key.algorithm, &urls).unwrap())
    });
    let finished = measure("finish (verify, assemble, read back, compare)", || {
        let ready = ready();
        let signature = key.sign(key.algorithm, ready.tbs());
        timed(|| ready.finish(&signature).unwrap())
    });
    println!("{:<58} {:>8.1} µs", "prepare + finish without the verification (estimate)", prepared + finished - verify);
    println!("{:<58} {:>8.1} µs", "one certificate from a CSR: all of it", parsed + prepared + sign + finished);

    let ca = root(rsa());
    let approved = approve_leaf(&ca, &["serverAuth"], cn("a.example.com"), names(&["a.example.com"]), &leaf.public);
    measure("finish under an RSA-2048 CA", || {
        let ready = prepare(approved.clone(), serial.clone(), &Issuer::Ca(&ca), rsa().algorithm, &urls).unwrap();
        let signature = rsa().sign(rsa().algorithm, ready.tbs());
        timed(|| ready.finish(&signature).unwrap())
    });
}

/// A CSR with a subject and three names, made by rcgen.
fn csr_of(key: &support::TestKey) -> Vec<u8> {
    let key = rcgen::KeyPair::from_pem(&key.pem).unwrap();
    let names = ["service-a.example.com", "service-b.example.com", "10.0.0.5"].map(str::to_owned);
    let params = rcgen::CertificateParams::new(names).unwrap();
    params.serialize_request(&key).unwrap().der().to_vec()
}
