//! What the use cases give to the door, and what they get from it.

use certwright_domain::acme::{Account, Authorization, Directory, Order, OrderError, OrderState};
use certwright_domain::identity::AllowedNames;
use certwright_domain::time::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;

/// Where a request came in.
#[derive(Debug, Clone)]
pub struct AcmeDoor {
    /// The directory that it came to.
    pub directory: Arc<Directory>,
    /// Id of the request.
    pub request_id: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// The names that the client certificate of this very connection vouches for, where the directory heeds one. `None`: there is
    /// none that a trust means.
    pub vouched: Option<AllowedNames>,
}

/// A request of an account that has proven itself by its key.
#[derive(Debug, Clone)]
pub struct AcmeCall {
    /// Where it came in.
    pub door: AcmeDoor,
    /// The account, as it was when its signature was verified, or a moment before.
    pub account: Arc<Account>,
}

/// An account to be made.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// Contacts as given.
    pub contacts: Vec<String>,
    /// Does its holder agree to the terms?
    pub terms_agreed: bool,
    /// Is only to be looked for one that is there?
    pub only_existing: bool,
    /// An external account binding, verified as far as its form goes.
    pub binding: Option<Binding>,
}

/// An external account binding (RFC 8555 section 7.3.4) whose form is right: the MAC is still to be verified.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The `kid`.
    pub key_id: String,
    /// The MAC's algorithm.
    pub algorithm: MacAlgorithm,
    /// What was signed: protected header, a dot, payload.
    pub message: Vec<u8>,
    /// The MAC.
    pub mac: Vec<u8>,
}

/// MACs of external account bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

/// An order to be made.
#[derive(Debug, Clone, Default)]
pub struct NewOrder {
    /// Types and values as given.
    pub identifiers: Vec<(String, String)>,
    /// notBefore as asked for.
    pub not_before: Option<Timestamp>,
    /// notAfter as asked for.
    pub not_after: Option<Timestamp>,
    /// The profile as asked for.
    pub profile: Option<String>,
    /// The certificate that it replaces, as RFC 9773 names it.
    pub replaces: Option<String>,
}

/// An order as it is now.
#[derive(Debug, Clone)]
pub struct OrderView {
    /// The order.
    pub order: Order,
    /// What it is.
    pub state: OrderState,
    /// Why it came to nothing.
    pub error: Option<OrderError>,
    /// Seconds after which it is worth asking again, where somebody looks at a proof.
    pub ask_again_s: Option<u32>,
    /// The authorization ids are the order's own; these are the rows, for whoever wants to know more.
    pub authorizations: Vec<Authorization>,
}

/// A certificate with what stands above it.
#[derive(Debug, Clone)]
pub struct CertificateChains {
    /// The first is the one to use.
    pub chains: Vec<CertificateChain>,
}

/// One way up from a certificate.
#[derive(Debug, Clone)]
pub struct CertificateChain {
    /// DER, leaf first, without the root.
    pub certificates: Vec<Vec<u8>>,
    /// Where the certificate of the issuer is, as the certificates that it signs say; none where nothing answers.
    pub issuer_urls: Vec<String>,
}
