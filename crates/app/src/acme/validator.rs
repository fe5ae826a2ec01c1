//! Proofs of control: what is to be looked at. The server brings the one that looks; tests bring one that knows.

use async_trait::async_trait;
use certwright_domain::acme::{Failure, Method};
use certwright_domain::san::{DnsName, San};
use ipnet::IpNet;

/// A challenge that is to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct ChallengeCheck<'a> {
    /// The way.
    pub method: Method,
    /// The name: a DNS name without `*.`, or an address.
    pub identifier: &'a San,
    /// The challenge's token, base64url.
    pub token: &'a str,
    /// `token.thumbprint` (RFC 8555 section 8.1).
    pub key_authorization: &'a str,
    /// Special-purpose ranges that the directory allows to be connected to, beyond the server's own list.
    pub allowed: &'a [IpNet],
}

/// CAA records that are to be looked at (RFC 8659).
#[derive(Debug, Clone, Copy)]
pub struct CaaCheck<'a> {
    /// The name, without `*.`.
    pub name: &'a DnsName,
    /// Is it for a wildcard (`issuewild`)?
    pub wildcard: bool,
    /// The way that proved control (RFC 8657, `validationmethods`).
    pub method: Method,
    /// The account's URL (RFC 8657, `accounturi`).
    pub account_url: &'a str,
    /// Domains that stand for this CA in CAA records; at least one.
    pub issuers: &'a [String],
}

/// Looks at proofs of control.
#[async_trait]
pub trait Validator: Send + Sync {
    /// Does the name's owner show what the challenge asks for? One attempt, within the implementation's deadline.
    async fn validate(&self, check: &ChallengeCheck<'_>) -> Result<(), Failure>;

    /// Do CAA records let us issue? A failing resolver is not "no record" (RFC 8659 section 3).
    async fn caa(&self, check: &CaaCheck<'_>) -> Result<(), Failure>;
}
