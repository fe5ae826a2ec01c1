//! Known-weak public keys (CA/Browser Forum Baseline Requirements 6.1.1.3): pure arithmetic on the modulus.
