//! What can be allowed or refused.

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// A permission: `<resource type>:<verb>`, as policies and refusals say it. Whoever has a verb has the lesser ones.
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
    /// List vaults.
    VaultList = "vaults:inspect",
    /// Read a vault.
    VaultRead = "vaults:read",
    /// Make, rename, rotate, delete vaults.
    VaultManage = "vaults:manage",
    /// List keys.
    KeyList = "keys:inspect",
    /// Read a key, its versions and public key.
    KeyRead = "keys:read",
    /// Sign with a key: what a CA needs of its own.
    KeyUse = "keys:use",
    /// Make, rotate, enable, disable, delete keys.
    KeyManage = "keys:manage",
    /// List CAs.
    CaList = "certificate-authorities:inspect",
    /// Read a CA, its versions, chain, CSR and lists.
    CaRead = "certificate-authorities:read",
    /// Make, change, renew, revoke, delete CAs.
    CaManage = "certificate-authorities:manage",
    /// Take CAs away with their private keys, where they were made exportable.
    CaExport = "certificate-authority-bundles:manage",
    /// Have a CA sign end-entity certificates.
    CaIssue = "certificate-authority-delegates:use",
    /// List managed certificates.
    CertificateList = "leaf-certificates:inspect",
    /// Read managed certificates, without their keys.
    CertificateRead = "leaf-certificates:read",
    /// Renew a managed certificate, make a version current.
    CertificateUse = "leaf-certificates:use",
    /// Make, change, revoke, delete managed certificates.
    CertificateManage = "leaf-certificates:manage",
    /// Read the private keys of managed certificates that are exportable.
    CertificateKeyRead = "leaf-certificate-bundles:read",
    /// Search the inventory.
    IssuedList = "issued-certificates:inspect",
    /// Read a certificate of the inventory.
    IssuedRead = "issued-certificates:read",
    /// Revoke issued certificates.
    IssuedRevoke = "issued-certificates:manage",
    /// List profiles.
    ProfileList = "profiles:inspect",
    /// Read a profile.
    ProfileRead = "profiles:read",
    /// Make, change, delete profiles.
    ProfileManage = "profiles:manage",
    /// List CA bundles.
    CaBundleList = "cabundles:inspect",
    /// Read a CA bundle.
    CaBundleRead = "cabundles:read",
    /// Make, change, delete CA bundles.
    CaBundleManage = "cabundles:manage",
    /// List ACME directories.
    AcmeDirectoryList = "acme-directories:inspect",
    /// Read ACME directories.
    AcmeDirectoryRead = "acme-directories:read",
    /// Make, change, delete ACME directories.
    AcmeDirectoryManage = "acme-directories:manage",
    /// Read ACME accounts, their orders, and keys for external account bindings.
    AcmeAccountRead = "acme-accounts:read",
    /// End ACME accounts; make and revoke keys for external account bindings.
    AcmeAccountManage = "acme-accounts:manage",
    /// List compartments.
    CompartmentList = "compartments:inspect",
    /// Read compartments.
    CompartmentRead = "compartments:read",
    /// Make, change, delete compartments.
    CompartmentManage = "compartments:manage",
    /// List users.
    UserList = "users:inspect",
    /// Read users.
    UserRead = "users:read",
    /// Make, change, delete users.
    UserManage = "users:manage",
    /// List groups.
    GroupList = "groups:inspect",
    /// Read groups.
    GroupRead = "groups:read",
    /// Make, change, delete groups.
    GroupManage = "groups:manage",
    /// List dynamic groups.
    DynamicGroupList = "dynamic-groups:inspect",
    /// Read dynamic groups.
    DynamicGroupRead = "dynamic-groups:read",
    /// Make, change, delete dynamic groups.
    DynamicGroupManage = "dynamic-groups:manage",
    /// List policies.
    PolicyList = "policies:inspect",
    /// Read policies.
    PolicyRead = "policies:read",
    /// Make, change, delete policies.
    PolicyManage = "policies:manage",
    /// List and read identity providers.
    IdentityProviderRead = "identity-providers:inspect",
    /// Make, change, delete identity providers, and see what they say to tokens.
    IdentityProviderManage = "identity-providers:manage",
    /// List and read tokens.
    TokenRead = "tokens:inspect",
    /// Make and revoke tokens.
    TokenManage = "tokens:manage",
    /// List enrolment tokens.
    EnrollmentTokenList = "enrollment-tokens:inspect",
    /// Read enrolment tokens.
    EnrollmentTokenRead = "enrollment-tokens:read",
    /// Make and delete enrolment tokens.
    EnrollmentTokenManage = "enrollment-tokens:manage",
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
    /// Push lists and issuer certificates to a target: what a CA needs there.
    ObjectManage = "objects:manage",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_told_apart_by_their_text() {
        let texts: std::collections::BTreeSet<&str> = Permission::ALL.iter().map(|it| it.as_str()).collect();
        assert_eq!(texts.len(), Permission::ALL.len());
    }
}
