//! The bare cryptography of a call, per second of one core.

use crate::Call;
use anyhow::{Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use std::hint::black_box;
use std::time::Duration;

/// CPU time that one measurement takes.
const LENGTH: Duration = Duration::from_millis(500);
/// A certificate to be signed has about so many bytes.
const TO_BE_SIGNED: [u8; 500] = [0x5a; 500];
/// A certification request's signed part.
const REQUEST: [u8; 250] = [0xa5; 250];

/// CPU time of this thread so far. Time slices that others got do not count.
pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How often one core does the call's cryptography in a second: verify and sign for `sign`, make a key (with its PKCS#8)
/// and sign for `issue`.
pub(crate) fn rate(call: Call) -> Result<f64> {
    let failed = |_| anyhow!("the crypto library failed");
    let random = SystemRandom::new();
    let ca = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
    let requester = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
    let signature = requester.sign(&random, &REQUEST).map_err(failed)?;
    let (start, mut done) = (thread_time(), 0_u32);
    loop {
        for _ in 0..100 {
            match call {
                Call::Sign | Call::SignDistinct => {
                    // The key is parsed each time, as for every request.
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, requester.public_key().as_ref())
                        .verify(black_box(&REQUEST), signature.as_ref())
                        .map_err(failed)?;
                }
                Call::Issue => {
                    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
                    black_box(key.to_pkcs8v1().map_err(failed)?);
                }
            }
            black_box(ca.sign(&random, black_box(&TO_BE_SIGNED)).map_err(failed)?);
            done = done.saturating_add(1);
        }
        let spent = thread_time().saturating_sub(start);
        if spent >= LENGTH {
            return Ok(f64::from(done) / spent.as_secs_f64());
        }
    }
}
