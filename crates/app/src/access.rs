//! Who calls, and what they may do. One authorization path for every door and every job.

use crate::{App, Error};
use certwright_domain::id::TokenId;

/// Everything that can be allowed or refused. Every use case names one.
macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// A permission; the text is what policies and refusals say.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$doc])* $variant),+ }
        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The permission as text.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
        }
    };
}
permissions! {
    /// List and read vaults.
    VaultRead = "vaults:read",
    /// Make, rename, rotate, delete vaults.
    VaultManage = "vaults:manage",
    /// List and read keys and their public keys.
    KeyRead = "keys:read",
    /// Make, rotate, enable, disable, delete keys.
    KeyManage = "keys:manage",
    /// List and read CAs.
    CaRead = "certificate-authorities:read",
    /// Make, change, renew, delete CAs.
    CaManage = "certificate-authorities:manage",
    /// Take CAs away with their private keys, where they were made exportable.
    CaExport = "certificate-authorities:export",
    /// Have a CA sign end-entity certificates.
    CaIssue = "certificate-authority-delegates:use",
    /// List and read managed certificates, without their keys.
    CertificateRead = "leaf-certificates:read",
    /// Make, change, renew, delete managed certificates.
    CertificateManage = "leaf-certificates:manage",
    /// Read the private keys of managed certificates that are exportable.
    CertificateKeyRead = "leaf-certificate-bundles:read",
    /// Search the inventory.
    IssuedRead = "issued-certificates:read",
    /// Revoke issued certificates.
    IssuedRevoke = "issued-certificates:revoke",
    /// List and read profiles.
    ProfileRead = "profiles:read",
    /// Make, change, delete profiles.
    ProfileManage = "profiles:manage",
    /// List and read CA bundles.
    CaBundleRead = "cabundles:read",
    /// Make, change, delete CA bundles.
    CaBundleManage = "cabundles:manage",
    /// List tokens.
    TokenRead = "tokens:read",
    /// Make and revoke tokens.
    TokenManage = "tokens:manage",
    /// Read the audit trail.
    AuditRead = "audit-events:read",
    /// Read the history of events.
    EventRead = "events:read",
    /// List and read webhooks and their deliveries; administrators' alone: a URL may hold a secret.
    WebhookRead = "webhooks:read",
    /// Make, change, delete webhooks, send events again; administrators' alone: it makes the server call others.
    WebhookManage = "webhooks:manage",
    /// See and rotate root keys.
    SealManage = "root-key:manage",
}

/// Who calls. Made by [`App::authenticate`] and, for the server's own work, [`Caller::system`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    kind: CallerKind,
    /// The configuration epoch it was authenticated under.
    epoch: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum CallerKind {
    System,
    Token { id: TokenId, name: String, user: String },
}

/// One call: who, for which request, for real or as a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who.
    pub caller: Caller,
    /// Id of the request; in logs, audit and problems.
    pub request_id: String,
    /// The address that the connection came from; none for the server's own work.
    pub address: Option<std::net::IpAddr>,
    /// Trial: judge everything, change nothing.
    pub dry_run: bool,
}

impl Caller {
    /// The server itself.
    pub fn system() -> Self {
        Self { kind: CallerKind::System, epoch: 0 }
    }

    pub(crate) fn token(id: TokenId, name: String, user: String, epoch: i64) -> Self {
        Self { kind: CallerKind::Token { id, name, user }, epoch }
    }

    /// The configuration epoch it was authenticated under; 0: not known.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Stable identity for audit, inventory and idempotency keys: `token:<id>` or `system`.
    pub fn id(&self) -> String {
        match &self.kind {
            CallerKind::System => "system".to_owned(),
            CallerKind::Token { id, .. } => format!("token:{id}"),
        }
    }

    /// The door it came through, for audit: `token` or `system`.
    pub fn door(&self) -> &'static str {
        match &self.kind {
            CallerKind::System => "system",
            CallerKind::Token { .. } => "token",
        }
    }

    /// Name for people.
    pub fn name(&self) -> &str {
        match &self.kind {
            CallerKind::System => "system",
            CallerKind::Token { name, .. } => name,
        }
    }

    /// The user a token speaks for.
    pub fn user(&self) -> Option<&str> {
        match &self.kind {
            CallerKind::System => None,
            CallerKind::Token { user, .. } => Some(user),
        }
    }

    /// The token it came with.
    pub fn token_id(&self) -> Option<&TokenId> {
        match &self.kind {
            CallerKind::System => None,
            CallerKind::Token { id, .. } => Some(id),
        }
    }
}

impl Call {
    /// A call of the server itself.
    pub fn system(request_id: impl Into<String>) -> Self {
        Self { caller: Caller::system(), request_id: request_id.into(), address: None, dry_run: false }
    }

    /// The door it came through, for audit.
    pub fn door(&self) -> &'static str {
        self.caller.door()
    }
}

impl App {
    /// Leave for `permission`; the one place where it is given. Tokens are administrators until policies come.
    pub(crate) fn authorize(&self, call: &Call, permission: Permission) -> Result<(), Error> {
        let _ = permission;
        match &call.caller.kind {
            CallerKind::System | CallerKind::Token { .. } => Ok(()),
        }
    }
}
