//! The words and rules of Certwright.
//!
//! Everything here is pure: no IO, no clock, no randomness, no wire formats. `now` and random bytes are parameters.
//! A value of one of these types is proof that its rule holds; raw input becomes one through a constructor that
//! returns a [`violation::Invalid`] or a list of [`violation::Violation`]s.

pub mod access;
pub mod acme;
pub mod algorithm;
pub mod ambient;
pub mod audit;
pub mod ca;
pub mod ca_bundle;
pub mod constraints;
pub mod crl;
pub mod dn;
pub mod egress;
pub mod enrollment;
pub mod event;
mod faults;
pub mod http_url;
pub mod id;
pub mod identity;
pub mod issued;
pub mod key;
pub mod known_serial;
pub mod managed;
pub mod name;
pub mod ocsp;
pub mod policy;
pub mod principal;
pub mod profile;
pub mod public_key;
pub mod publication;
pub mod rate;
pub mod renewal;
pub mod revocation;
pub mod rules;
pub mod san;
pub mod secret;
pub mod serial;
pub mod stage;
pub mod time;
pub mod token;
pub mod validity;
pub mod violation;
pub mod weak_key;
pub mod webhook;
