//! The one table of what may be asked from outside, and the permissions each of it needs.
//!
//! A route that is not in it has no operation, and the router is not built. A use case that asks for a permission which
//! its operation does not name is refused as a fault of ours: code and table cannot drift apart unseen.

use super::Permission;
use Permission as P;

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is open to all.
    Nothing,
    /// Any caller.
    Caller,
    /// An enrolment token, which says itself what its holder may have signed.
    Enrollment,
    /// A client certificate of ours: it renews itself.
    Certificate,
    /// The first permission always, the others as the request and its objects bring it about.
    Permissions(&'static [Permission]),
}

/// Something that may be asked from outside.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its id, as in `openapi.yaml` and for policies (`request.operation`).
    pub id: &'static str,
    /// What it needs.
    pub needs: Needs,
}

impl Operation {
    /// No operation at all, for which nothing may be asked: a path that does not know the method.
    pub const NONE: Self = Self { id: "", needs: Needs::Nothing };

    /// The operation of this id.
    pub fn find(id: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.id == id)
    }

    /// May a use case ask for this on its behalf?
    pub(crate) fn names(&self, permission: Permission) -> bool {
        match self.needs {
            Needs::Nothing | Needs::Caller => false,
            Needs::Enrollment | Needs::Certificate => matches!(permission, P::CaIssue | P::CaList),
            Needs::Permissions(permissions) => permissions.contains(&permission),
        }
    }
}

const fn open(id: &'static str) -> Operation {
    Operation { id, needs: Needs::Nothing }
}

const fn needs(id: &'static str, permissions: &'static [Permission]) -> Operation {
    Operation { id, needs: Needs::Permissions(permissions) }
}

/// Every operation.
pub static OPERATIONS: &[Operation] = &[
    open("healthz"),
    open("openapi"),
    open("getIssuerCertificate"),
    open("getIssuerChainP7"),
    open("getIssuerChain"),
    open("getRevocationList"),
    open("getRevocationListPem"),
    open("getDeltaRevocationList"),
    open("ocsp"),
    open("ocspByGet"),
    open("getIssuerCertificateVersion"),
    open("getIssuerChainVersionP7"),
    open("getIssuerChainVersion"),
    open("getRevocationListVersion"),
    open("getRevocationListVersionPem"),
    open("getRevocationListShard"),
    open("getDeltaRevocationListVersion"),
    open("getDeltaRevocationListShard"),
    open("ocspVersion"),
    open("ocspVersionByGet"),
    open("readyz"),
    open("getTrust"),
    open("exchangeToken"),
    Operation { id: "whoami", needs: Needs::Caller },
    Operation { id: "enroll", needs: Needs::Enrollment },
    Operation { id: "renewByCertificate", needs: Needs::Certificate },
    needs("listEnrollmentTokens", &[P::EnrollmentTokenList]),
    needs("createEnrollmentToken", &[P::EnrollmentTokenManage, P::CaIssue, P::CaList]),
    needs("getEnrollmentToken", &[P::EnrollmentTokenRead]),
    needs("deleteEnrollmentToken", &[P::EnrollmentTokenManage]),
    needs("listAuditEvents", &[P::AuditRead]),
    needs("verifyAuditEvents", &[P::AuditRead]),
    needs("exportAuditEvents", &[P::AuditRead]),
    needs("listCaBundles", &[P::CaBundleList]),
    needs("createCaBundle", &[P::CaBundleManage]),
    needs("getCaBundle", &[P::CaBundleRead]),
    needs("replaceCaBundle", &[P::CaBundleManage, P::CaBundleRead]),
    needs("deleteCaBundle", &[P::CaBundleManage, P::CaBundleRead]),
    needs("exportCaBundle", &[P::CaBundleRead]),
    needs("listCertificateAuthorities", &[P::CaList, P::CaRead]),
    needs("createCertificateAuthority", &[P::CaManage, P::KeyUse, P::CaIssue, P::KeyManage, P::VaultList]),
    needs("getCertificateAuthority", &[P::CaRead]),
    needs("updateCertificateAuthority", &[P::CaManage, P::CaRead]),
    needs("cancelCertificateAuthorityDeletion", &[P::CaManage]),
    needs("getCertificateAuthorityChain", &[P::CaRead]),
    needs("listEarlyRenewals", &[P::CaRead]),
    needs("createEarlyRenewal", &[P::CaManage, P::AcmeDirectoryRead]),
    needs("getEarlyRenewal", &[P::CaRead]),
    needs("deleteEarlyRenewal", &[P::CaManage]),
    needs("listRevocationLists", &[P::CaRead]),
    needs("makeRevocationLists", &[P::CaManage, P::CaRead]),
    needs("getCertificateAuthorityCsr", &[P::CaRead]),
    needs("exportCertificateAuthority", &[P::CaExport]),
    needs("installCertificateAuthority", &[P::CaManage]),
    needs("issueCertificate", &[P::CaIssue, P::CaList]),
    needs("renewCertificateAuthority", &[P::CaManage, P::CaIssue]),
    needs("scheduleCertificateAuthorityDeletion", &[P::CaManage]),
    needs("signCertificate", &[P::CaIssue, P::CaList]),
    needs("listCertificateAuthorityVersions", &[P::CaRead]),
    needs("getCertificateAuthorityVersion", &[P::CaRead]),
    needs("makeCertificateAuthorityVersionCurrent", &[P::CaManage]),
    needs("revokeCertificateAuthorityVersion", &[P::CaManage]),
    needs("listCertificates", &[P::CertificateList, P::CaRead]),
    needs("createCertificate", &[P::CertificateManage, P::CaIssue, P::CaList]),
    needs("getCertificate", &[P::CertificateRead]),
    needs("ensureCertificate", &[P::CertificateManage, P::CaIssue, P::CaList]),
    needs("updateCertificate", &[P::CertificateManage, P::CertificateRead, P::CaIssue, P::CaList]),
    needs("listCertificateAttempts", &[P::CertificateRead]),
    needs("getCertificateBundle", &[P::CertificateRead, P::CertificateKeyRead]),
    needs("exportCertificateBundle", &[P::CertificateRead, P::CertificateKeyRead]),
    needs("cancelCertificateDeletion", &[P::CertificateManage]),
    needs("renewCertificate", &[P::CertificateUse, P::CaIssue, P::CaList]),
    needs("scheduleCertificateDeletion", &[P::CertificateManage]),
    needs("listCertificateVersions", &[P::CertificateRead]),
    needs("getCertificateVersion", &[P::CertificateRead]),
    needs("deleteCertificateVersion", &[P::CertificateManage]),
    needs("makeCertificateVersionCurrent", &[P::CertificateUse]),
    needs("revokeCertificateVersion", &[P::CertificateManage, P::IssuedRevoke, P::IssuedList]),
    needs("listEvents", &[P::EventRead]),
    needs("getEvent", &[P::EventRead]),
    needs("resendEvent", &[P::WebhookManage]),
    needs("listIssuedCertificates", &[P::IssuedList, P::CaRead]),
    needs("revokeNamedCertificate", &[P::IssuedRevoke, P::IssuedList]),
    needs("getIssuedCertificate", &[P::IssuedRead, P::IssuedList]),
    needs("releaseIssuedCertificate", &[P::IssuedRevoke, P::IssuedList]),
    needs("revokeIssuedCertificate", &[P::IssuedRevoke, P::IssuedList]),
    needs("listProfiles", &[P::ProfileList]),
    needs("createProfile", &[P::ProfileManage]),
    needs("getProfile", &[P::ProfileRead]),
    needs("replaceProfile", &[P::ProfileManage, P::ProfileRead]),
    needs("deleteProfile", &[P::ProfileManage, P::ProfileRead]),
    needs("getRootKey", &[P::SealManage]),
    needs("rotateRootKey", &[P::SealManage]),
    needs("listTokens", &[P::TokenRead]),
    needs("createToken", &[P::TokenManage]),
    needs("getToken", &[P::TokenRead]),
    needs("deleteToken", &[P::TokenManage]),
    needs("revokeToken", &[P::TokenManage]),
    needs("listCompartments", &[P::CompartmentList]),
    needs("createCompartment", &[P::CompartmentManage]),
    needs("getCompartment", &[P::CompartmentRead]),
    needs("updateCompartment", &[P::CompartmentManage, P::CompartmentRead]),
    needs("deleteCompartment", &[P::CompartmentManage, P::CompartmentRead]),
    needs("listPlacedResources", &[P::CompartmentRead]),
    needs(
        "moveResource",
        &[
            P::VaultManage,
            P::KeyManage,
            P::CaManage,
            P::CertificateManage,
            P::ProfileManage,
            P::CaBundleManage,
            P::CaIssue,
            P::CaExport,
            P::IssuedRevoke,
            P::AcmeDirectoryManage,
            P::AcmeAccountManage,
            P::EnrollmentTokenManage,
            P::CertificateKeyRead,
        ],
    ),
    needs("listUsers", &[P::UserList]),
    needs("createUser", &[P::UserManage]),
    needs("getUser", &[P::UserRead]),
    needs("updateUser", &[P::UserManage, P::UserRead]),
    needs("deleteUser", &[P::UserManage, P::UserRead]),
    needs("listGroups", &[P::GroupList]),
    needs("createGroup", &[P::GroupManage]),
    needs("getGroup", &[P::GroupRead]),
    needs("updateGroup", &[P::GroupManage, P::GroupRead]),
    needs("deleteGroup", &[P::GroupManage, P::GroupRead]),
    needs("listMembers", &[P::GroupRead]),
    needs("addMember", &[P::GroupManage]),
    needs("removeMember", &[P::GroupManage]),
    needs("listDynamicGroups", &[P::DynamicGroupList]),
    needs("createDynamicGroup", &[P::DynamicGroupManage]),
    needs("getDynamicGroup", &[P::DynamicGroupRead]),
    needs("updateDynamicGroup", &[P::DynamicGroupManage, P::DynamicGroupRead]),
    needs("deleteDynamicGroup", &[P::DynamicGroupManage, P::DynamicGroupRead]),
    needs("listIdentityProviders", &[P::IdentityProviderRead]),
    needs("createIdentityProvider", &[P::IdentityProviderManage]),
    needs("getIdentityProvider", &[P::IdentityProviderRead]),
    needs("replaceIdentityProvider", &[P::IdentityProviderManage, P::IdentityProviderRead]),
    needs("deleteIdentityProvider", &[P::IdentityProviderManage, P::IdentityProviderRead]),
    needs("testIdentityProvider", &[P::IdentityProviderManage]),
    needs("listCertificateTrusts", &[P::IdentityProviderRead]),
    needs("createCertificateTrust", &[P::IdentityProviderManage, P::CaList]),
    needs("getCertificateTrust", &[P::IdentityProviderRead]),
    needs("replaceCertificateTrust", &[P::IdentityProviderManage, P::IdentityProviderRead]),
    needs("deleteCertificateTrust", &[P::IdentityProviderManage, P::IdentityProviderRead]),
    needs("listAcmeDirectories", &[P::AcmeDirectoryList]),
    needs("createAcmeDirectory", &[P::AcmeDirectoryManage, P::CaIssue, P::CaList]),
    needs("getAcmeDirectory", &[P::AcmeDirectoryRead]),
    needs("replaceAcmeDirectory", &[P::AcmeDirectoryManage, P::AcmeDirectoryRead, P::CaIssue]),
    needs("deleteAcmeDirectory", &[P::AcmeDirectoryManage, P::AcmeDirectoryRead]),
    needs("listAcmeAccounts", &[P::AcmeAccountRead]),
    needs("getAcmeAccount", &[P::AcmeAccountRead]),
    needs("revokeAcmeAccount", &[P::AcmeAccountManage]),
    needs("listAcmeOrders", &[P::AcmeAccountRead]),
    needs("getAcmeOrder", &[P::AcmeAccountRead]),
    needs("listEabKeys", &[P::AcmeAccountRead]),
    needs("createEabKey", &[P::AcmeAccountManage, P::CaIssue]),
    needs("getEabKey", &[P::AcmeAccountRead]),
    needs("deleteEabKey", &[P::AcmeAccountManage]),
    needs("listPolicies", &[P::PolicyList]),
    needs("createPolicy", &[P::PolicyManage]),
    needs("getPolicy", &[P::PolicyRead]),
    needs("updatePolicy", &[P::PolicyManage, P::PolicyRead]),
    needs("deletePolicy", &[P::PolicyManage, P::PolicyRead]),
    needs("testPolicies", &[P::PolicyRead, P::CompartmentList]),
    needs("listVaults", &[P::VaultList]),
    needs("createVault", &[P::VaultManage]),
    needs("getVault", &[P::VaultRead]),
    needs("updateVault", &[P::VaultManage, P::VaultRead]),
    needs("cancelVaultDeletion", &[P::VaultManage]),
    needs("rotateVault", &[P::VaultManage]),
    needs("scheduleVaultDeletion", &[P::VaultManage]),
    needs("listKeys", &[P::KeyList, P::VaultList]),
    needs("createKey", &[P::KeyManage, P::VaultList]),
    needs("getKey", &[P::KeyRead]),
    needs("updateKey", &[P::KeyManage, P::KeyRead]),
    needs("cancelKeyDeletion", &[P::KeyManage]),
    needs("disableKey", &[P::KeyManage]),
    needs("enableKey", &[P::KeyManage]),
    needs("getPublicKey", &[P::KeyRead]),
    needs("rotateKey", &[P::KeyManage]),
    needs("scheduleKeyDeletion", &[P::KeyManage]),
    needs("listKeyVersions", &[P::KeyRead]),
    needs("listWebhooks", &[P::WebhookRead]),
    needs("createWebhook", &[P::WebhookManage]),
    needs("getWebhook", &[P::WebhookRead]),
    needs("deleteWebhook", &[P::WebhookManage, P::WebhookRead]),
    needs("updateWebhook", &[P::WebhookManage, P::WebhookRead]),
    needs("listDeliveries", &[P::WebhookRead]),
    needs("resendDelivery", &[P::WebhookManage]),
    needs("rotateWebhookSecret", &[P::WebhookManage]),
    needs("testWebhook", &[P::WebhookManage]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_stands_once_and_needs_something() {
        let ids: std::collections::BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), OPERATIONS.len());
        let empty = |operation: &&Operation| matches!(operation.needs, Needs::Permissions([]));
        assert_eq!(OPERATIONS.iter().find(empty), None);
    }
}
