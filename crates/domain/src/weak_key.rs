//! Known-weak public keys (CA/Browser Forum Baseline Requirements 6.1.1.3): pure arithmetic on the modulus.
//!
//! Three tests that find keys whose private half can be computed: a small prime factor, the fingerprint of the ROCA
//! library (CVE-2017-15361), and two prime factors so close that Fermat's method finds them (CVE-2022-26320).
//! Sizes and exponents are judged by `rules`. The order is by cost; a good 2048-bit key passes all in a fraction of a
//! millisecond.

use num_bigint::BigUint;

/// Why an RSA modulus is weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It has this small prime factor.
    SmallFactor(u32),
    /// It carries the fingerprint of keys made by the Infineon library (ROCA).
    Roca,
    /// Its prime factors are close to each other.
    ClosePrimes,
}

impl Weakness {
    /// One half-sentence: "the modulus …".
    pub fn reason(self) -> String {
        match self {
            Self::SmallFactor(prime) => format!("is divisible by {prime}"),
            Self::Roca => "carries the ROCA fingerprint (CVE-2017-15361)".into(),
            Self::ClosePrimes => "is the product of two close primes (CVE-2022-26320)".into(),
        }
    }
}

/// The weaknesses of an RSA modulus (big-endian).
pub fn rsa_weakness(modulus: &[u8]) -> Option<Weakness> {
    let n = BigUint::from_bytes_be(modulus);
    // Little-endian 32-bit digits: remainders by small numbers need no big division.
    let digits = n.to_u32_digits();
    if let Some(prime) = small_factor(&digits) {
        return Some(Weakness::SmallFactor(prime));
    }
    if has_roca_fingerprint(&digits) {
        return Some(Weakness::Roca);
    }
    has_close_primes(&n).then_some(Weakness::ClosePrimes)
}

/// Trial division goes up to here, the bound of the Baseline Requirements' recommendation (SP 800-89 section 5.3.3).
const TRIAL_BOUND: u32 = 752;

/// The remainder by `divisor`, which is not zero.
fn remainder(digits: &[u32], divisor: u32) -> u32 {
    let divisor = u64::from(divisor.max(1));
    let rest = digits.iter().rev().fold(0_u64, |rest, digit| ((rest << 32) | u64::from(*digit)).rem_euclid(divisor));
    // Smaller than the divisor, which was 32 bits wide.
    u32::try_from(rest).unwrap_or(u32::MAX)
}

fn primes(bound: u32) -> impl Iterator<Item = u32> {
    (2..=bound).filter(|n| (2..*n).take_while(|d| d.saturating_mul(*d) <= *n).all(|d| n.rem_euclid(d) != 0))
}

/// The smallest prime up to [`TRIAL_BOUND`] that divides the modulus. Primes are multiplied together as long as the
/// product fits a digit, so that one pass over the modulus serves several of them.
fn small_factor(digits: &[u32]) -> Option<u32> {
    let mut group: Vec<u32> = Vec::new();
    let mut product: u32 = 1;
    let divisor_in = |group: &[u32], product: u32| {
        let rest = remainder(digits, product);
        group.iter().copied().find(|prime| rest.rem_euclid(*prime) == 0)
    };
    for prime in primes(TRIAL_BOUND) {
        match product.checked_mul(prime) {
            Some(larger) => product = larger,
            None => {
                if let Some(found) = divisor_in(&group, product) {
                    return Some(found);
                }
                group.clear();
                product = prime;
            }
        }
        group.push(prime);
    }
    divisor_in(&group, product)
}

/// The primes of the published test; each prime factor of a ROCA key is a power of 65537 modulo their product.
const ROCA_LARGEST: u32 = 167;

/// Is the modulus a power of 65537 modulo every prime from 3 to 167? A random key is so with a chance of 2^-28.
fn has_roca_fingerprint(digits: &[u32]) -> bool {
    primes(ROCA_LARGEST).skip(1).all(|prime| {
        let (goal, step) = (remainder(digits, prime), 65_537_u32.rem_euclid(prime));
        let mut power: u32 = 1;
        // The powers repeat after at most prime − 1 steps.
        (1..prime).any(|_| {
            let hit = power == goal;
            power = power.saturating_mul(step).rem_euclid(prime);
            hit
        })
    })
}

/// Rounds of Fermat's factorisation, as many as public CAs do.
const FERMAT_ROUNDS: usize = 110;

/// Fermat: with n = p·q = a² − b², close primes have `a` just above √n. One round tries one `a`.
#[expect(clippy::arithmetic_side_effects, reason = "big numbers do not overflow, and a² is not below n from √n up")]
fn has_close_primes(n: &BigUint) -> bool {
    let mut a = n.sqrt();
    if &a * &a < *n {
        a += 1_u32;
    }
    let mut b_squared = &a * &a - n;
    for _ in 0..FERMAT_ROUNDS {
        if is_square(&b_squared) {
            return true;
        }
        // (a + 1)² − n = (a² − n) + 2a + 1
        b_squared += &a << 1_u32;
        b_squared += 1_u32;
        a += 1_u32;
    }
    false
}

/// A square number? Two cheap looks at remainders send almost every other number away before the square root.
fn is_square(n: &BigUint) -> bool {
    let digits = n.iter_u32_digits().next().unwrap_or(0);
    if !is_square_modulo(digits & 0xff, 256) {
        return false;
    }
    let rest = remainder(&n.to_u32_digits(), 3 * 3 * 5 * 7 * 11 * 13);
    if ![9, 5, 7, 11, 13].iter().all(|modulus| is_square_modulo(rest.rem_euclid(*modulus), *modulus)) {
        return false;
    }
    n.sqrt().pow(2) == *n
}

fn is_square_modulo(rest: u32, modulus: u32) -> bool {
    (0..=modulus / 2).any(|root| root.saturating_mul(root).rem_euclid(modulus) == rest)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "big numbers do not overflow")]
mod tests;
