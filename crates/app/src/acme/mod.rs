//! ACME (RFC 8555): directories, accounts, orders and their proofs. The protocol itself (JWS, URLs, problems) is the door's.
//!
//! An account is a caller of its own kind ([`crate::access::AcmeGrant`]): what it may do, its directory gives it, and whoever makes
//! a directory must be allowed to give it. What is signed goes the one way of [`crate::issuance`].

mod accounts;
mod admin;
mod bindings;
mod certificates;
mod directories;
mod finalize;
mod limits;
mod memory;
mod nonces;
mod orders;
mod problem;
mod proofs;
mod renewal;
mod secret;
mod tidying;
mod validation;
mod validator;
mod view;

pub use admin::{AcmeOrderDetail, NewEabKey};
pub use directories::NewAcmeDirectory;
pub use limits::AcmeLimits;
pub use nonces::{Begun, GivenNonce};
pub use orders::PreparedOrder;
pub use problem::{AcmeError, Problem, ProblemKind, Subproblem};
pub use renewal::RenewalInfo;
pub use validation::AcmeProof;
pub use validator::{CaaCheck, ChallengeCheck, Validator};
pub use view::{
    AcmeCall, AcmeDoor, Binding, CertificateChain, CertificateChains, MacAlgorithm, NewAccount, NewOrder, OrderView,
};

use certwright_domain::id::{AcmeAccountId, CaId};
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// CAs whose chains are remembered.
const MOST_CHAINS: u64 = 500;

/// What ACME keeps in memory, on this node.
pub(crate) struct Acme {
    keys: OnceCell<secret::AcmeKeys>,
    directories: memory::DirectoryMemory,
    accounts: memory::AccountMemory,
    pub(crate) paces: limits::Paces,
    chains: Cache<CaId, (i64, Arc<Vec<certificates::ChainAbove>>)>,
    queue: validation::Queue,
}

/// Settings of ACME.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSettings {
    /// The server's public URL, without a trailing slash: what the URLs of accounts begin with.
    pub public_url: String,
    /// Limits.
    pub limits: AcmeLimits,
    /// How long the request that answers a challenge waits for the first look at its proof; zero: all are looked at later.
    pub first_look: Duration,
}

impl Default for AcmeSettings {
    fn default() -> Self {
        Self {
            public_url: "https://certwright.invalid".to_owned(),
            limits: AcmeLimits::default(),
            first_look: Duration::ZERO,
        }
    }
}

impl Acme {
    pub(crate) fn new() -> Self {
        Self {
            keys: OnceCell::new(),
            directories: memory::DirectoryMemory::new(),
            accounts: memory::AccountMemory::new(),
            paces: limits::Paces::new(),
            chains: Cache::new(MOST_CHAINS),
            queue: validation::Queue::default(),
        }
    }
}

impl AcmeSettings {
    /// Where a directory's URLs begin.
    pub fn base(&self, directory: &str) -> String {
        format!("{}/acme/{directory}", self.public_url)
    }

    /// The URL of an account, which is its name to the outside (RFC 8555 section 7.3).
    pub fn account_url(&self, directory: &str, account: &AcmeAccountId) -> String {
        format!("{}/account/{account}", self.base(directory))
    }
}
