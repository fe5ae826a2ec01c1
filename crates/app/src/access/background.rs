//! What the server does of its own accord, and the permissions that it needs for it.

use super::Permission;

/// A background action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Background {
    /// Whoever starts the server with its data folder and database: first start, quickstart, `admin-token`, its own TLS.
    Local,
    /// The round of jobs: renewing, re-wrapping, final deletions, tidying.
    Jobs,
    /// Making revocation lists.
    Crls,
    /// Making OCSP responders.
    Ocsp,
    /// Pushing lists to targets.
    Publication,
    /// Making the vault for the keys of managed certificates.
    CertificateKeys,
}

impl Background {
    /// Every background action.
    pub const ALL: &'static [Self] =
        &[Self::Local, Self::Jobs, Self::Crls, Self::Ocsp, Self::Publication, Self::CertificateKeys];

    /// What it may do; everything else is refused to it as to anybody.
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            // The server's own data folder and database are in its hands.
            Self::Local => Permission::ALL,
            Self::Jobs => &[Permission::CaIssue, Permission::CaManage, Permission::KeyUse],
            Self::Crls | Self::Ocsp => &[Permission::KeyUse],
            Self::Publication => &[Permission::ObjectManage],
            Self::CertificateKeys => &[Permission::VaultManage],
        }
    }

    /// As the audit trail says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Jobs => "jobs",
            Self::Crls => "crls",
            Self::Ocsp => "ocsp",
            Self::Publication => "publication",
            Self::CertificateKeys => "certificate-keys",
        }
    }
}
