//! Weak keys are found; good ones pass.

use super::*;
use num_bigint::BigUint;

fn number(hex: &str) -> BigUint {
    BigUint::parse_bytes(hex.replace([' ', '\n'], "").as_bytes(), 16).unwrap()
}

/// Smallest number from `start` up that Fermat's little theorem takes for a prime, base 2 and 3.
fn prime_from(start: &BigUint) -> BigUint {
    let (two, three) = (BigUint::from(2_u32), BigUint::from(3_u32));
    let mut candidate = start | BigUint::from(1_u32);
    loop {
        let exponent = &candidate - 1_u32;
        let fine = small_factor(&candidate.to_u32_digits()).is_none()
            && two.modpow(&exponent, &candidate) == BigUint::from(1_u32)
            && three.modpow(&exponent, &candidate) == BigUint::from(1_u32);
        if fine {
            return candidate;
        }
        candidate += 2_u32;
    }
}

fn start(seed: u8) -> BigUint {
    let mut state = u32::from(seed) | 0x9e37_0001;
    let bytes: Vec<u8> = (0..64)
        .map(|index| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if index == 0 { 0xc1 } else { (state >> 16) as u8 }
        })
        .collect();
    BigUint::from_bytes_be(&bytes)
}

#[test]
fn an_ordinary_modulus_passes() {
    for seed in 1..4 {
        let n = prime_from(&start(seed)) * prime_from(&start(seed + 100));
        assert_eq!(rsa_weakness(&n.to_bytes_be()), None);
    }
}

#[test]
fn small_factors_are_found_up_to_the_bound() {
    let p = prime_from(&start(7));
    for prime in [2_u32, 3, 5, 17, 251, 257, 509, 743, 751] {
        assert_eq!(rsa_weakness(&(&p * prime).to_bytes_be()), Some(Weakness::SmallFactor(prime)));
    }
    // 757 is the first prime above the bound.
    assert_eq!(small_factor(&(&p * 757_u32).to_u32_digits()), None);
    assert_eq!(primes(30).collect::<Vec<_>>(), [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
}

#[test]
fn close_primes_are_found_and_distant_ones_are_not() {
    let p = prime_from(&start(9));
    let q = prime_from(&(&p + 2_u32));
    assert_eq!(rsa_weakness(&(&p * &q).to_bytes_be()), Some(Weakness::ClosePrimes));
    assert_eq!(rsa_weakness(&(&p * &p).to_bytes_be()), Some(Weakness::ClosePrimes));
    // Round k finds primes whose distance is about 2·sqrt(2k·sqrt(n)): beyond half of the bits they are safe.
    let far = prime_from(&(&p + (BigUint::from(1_u32) << 400_u32)));
    assert_eq!(rsa_weakness(&(&p * &far).to_bytes_be()), None);
}

#[test]
fn fermat_stops_after_its_rounds() {
    // n = a² − b² is found after about b²/2a rounds; `a` has 512 bits.
    let a = start(11);
    let found = |b_shift: u32| {
        let b = (BigUint::from(1_u32) << b_shift) + 1_u32;
        has_close_primes(&((&a - &b) * (&a + &b)))
    };
    assert!(found(200));
    assert!(!found(300));
}

#[test]
fn squares_are_told_from_their_neighbours() {
    for seed in 1..20_u8 {
        let root = start(seed);
        let square = &root * &root;
        assert!(is_square(&square));
        assert!(!is_square(&(&square + 1_u32)) && !is_square(&(&square - 1_u32)));
    }
    assert!(is_square(&BigUint::from(0_u32)));
}

#[test]
fn roca_keys_are_found() {
    // Made as the broken library does: p = k·M + (65537^a mod M), M the product of the first 39 primes.
    let m = primes(ROCA_LARGEST).fold(BigUint::from(1_u32), |m, prime| m * prime);
    let prime = |mut k: BigUint, a: u32| loop {
        let candidate = &k * &m + BigUint::from(65_537_u32).modpow(&BigUint::from(a), &m);
        if prime_from(&candidate) == candidate {
            return candidate;
        }
        k += 1_u32;
    };
    let n = prime(start(3) >> 260_u32, 1_234) * prime(start(4) >> 256_u32, 98_765);
    assert_eq!(rsa_weakness(&n.to_bytes_be()), Some(Weakness::Roca));
}

#[test]
fn a_published_roca_modulus_is_found() {
    // The 512-bit example of the detection tool's documentation.
    let n = number(
        "944e13208a280c37efc31c3114485e590192adbb8e11c87cad60cdef0037ce99
         278330d3f471a2538fa667802ed2a3c44a8b7dea826e888d0aa341fd664f7fa7",
    );
    assert!(has_roca_fingerprint(&n.to_u32_digits()));
}

#[test]
fn the_remainder_by_digits_is_the_remainder() {
    let n = start(5) * start(6);
    for divisor in [1_u32, 2, 3, 97, 45_045, 65_537, u32::MAX] {
        assert_eq!(BigUint::from(remainder(&n.to_u32_digits(), divisor)), &n % divisor);
    }
}
