//! The ACME door with the whole application behind it: every behaviour that RFC 8555 and its kin ask for, by the numbers of
//! the list that it is built to (T transport, N nonces, D directory, A accounts, E bindings, K key change, O orders, H proofs,
//! F finalizing, C certificates, R revoking, I renewal information, P profiles, L limits).

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod bindings;
mod certificates;
mod client;
mod client_certificates;
mod confusion;
mod csr;
mod first_look;
mod key_change;
mod limits;
mod orders;
mod paths;
mod proofs;
mod renewal;
mod server;
mod side_by_side;
mod transport;
