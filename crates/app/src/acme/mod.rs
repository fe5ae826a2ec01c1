//! ACME (RFC 8555): directories, accounts, orders and their proofs. The protocol itself (JWS, URLs, problems) is the door's.

mod validator;

pub use validator::{CaaCheck, ChallengeCheck, Validator};
