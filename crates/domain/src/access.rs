//! Who there is and where things lie: users, groups, dynamic groups, compartments, policies as they are stored.

use crate::algorithm::named_enum;
use crate::id::{CompartmentId, DynamicGroupId, GroupId, PolicyId, UserId, looks_like_id};
use crate::name::ResourceName;
use crate::principal::PrincipalName;
use crate::profile;
use crate::time::Timestamp;
use crate::violation::Invalid;
use std::fmt;

/// Most users.
pub const MAX_USERS: u32 = 10_000;
/// Most groups, and most dynamic groups.
pub const MAX_GROUPS: u32 = 1_000;
/// Most memberships of all groups together.
pub const MAX_MEMBERSHIPS: u32 = 100_000;
/// Most policies.
pub const MAX_POLICIES: u32 = 1_000;
/// Most bytes of all statements of all policies, as they are stored.
pub const MAX_POLICY_BYTES: u64 = 16 << 20;
/// Most statements of one policy.
pub const MAX_STATEMENTS: usize = 50;
/// Most compartments, the tenancy among them.
pub const MAX_COMPARTMENTS: u32 = 500;
/// Most levels of compartments below the tenancy.
pub const MAX_DEPTH: usize = 6;
/// Name of the root of the tree.
pub const TENANCY: &str = "tenancy";
/// The user that is there from the start.
pub const ADMIN: &str = "admin";
/// The group, and the policy, that are there from the start and whose members may do everything.
pub const ADMINISTRATORS: &str = "administrators";

/// A reference to a user, group or dynamic group: its id, or its name in any case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PrincipalReference(String);

impl PrincipalReference {
    /// Reads a reference.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if looks_like_id(text) {
            return Ok(Self(text.to_owned()));
        }
        PrincipalName::parse(text).map(|name| Self::from(&name))
    }

    /// The id, or the name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&PrincipalName> for PrincipalReference {
    fn from(name: &PrincipalName) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl fmt::Display for PrincipalReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of resources, in a tree whose root is the tenancy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compartment {
    /// Id.
    pub id: CompartmentId,
    /// Where it lies; `None`: it is the tenancy.
    pub parent: Option<CompartmentId>,
    /// Name, unique in the whole tree.
    pub name: ResourceName,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

/// A person or a program that tokens speak for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// Name, unique.
    pub name: PrincipalName,
    /// For people.
    pub description: String,
    /// Is it let in?
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Id.
    pub id: GroupId,
    /// Name, unique among groups.
    pub name: PrincipalName,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change of name or description; the ETag.
    pub revision: i64,
}

/// A group whose members are found by a rule: machines, pipelines, CAs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicGroup {
    /// Id.
    pub id: DynamicGroupId,
    /// Name, unique among dynamic groups.
    pub name: PrincipalName,
    /// For people.
    pub description: String,
    /// The rule as it was written.
    pub matching_rule: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

/// Statements that hold in a compartment and below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Id.
    pub id: PolicyId,
    /// The compartment it is attached to.
    pub compartment: CompartmentId,
    /// Name, unique.
    pub name: ResourceName,
    /// For people.
    pub description: String,
    /// The statements as they were written, in their order.
    pub statements: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

named_enum! {
    /// A kind of resource that lies in a compartment.
    PlacedKind, "invalid_resource_kind", "kind of resource" {
        /// A vault.
        Vault = "vault",
        /// A master key.
        Key = "key",
        /// A certificate authority.
        CertificateAuthority = "certificate-authority",
        /// A managed certificate.
        Certificate = "certificate",
        /// A profile.
        Profile = "profile",
        /// A CA bundle.
        CaBundle = "ca-bundle",
    }
}

/// A resource that was put into a compartment. What has no placement lies in the tenancy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Id of the resource.
    pub resource_id: String,
    /// Its kind.
    pub kind: PlacedKind,
    /// Where it lies.
    pub compartment: CompartmentId,
}

/// Reads a description; the rule is that of profiles.
pub fn description(text: &str) -> Result<String, Invalid> {
    profile::description(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (text, canonical) in
            [("Ops", "ops"), ("OPS", "ops"), ("ops@Example.com", "ops@example.com"), ("a+b", "a+b")]
        {
            assert_eq!(PrincipalName::parse(text).unwrap().as_str(), canonical);
            assert_eq!(PrincipalReference::parse(text).unwrap().as_str(), canonical);
        }
        // Blanks, other forms of letters (full width, combining, Kelvin sign, dotless i), nothing, ids, too long.
        for bad in [
            "",
            " ops",
            "ops ",
            "o ps",
            "\u{ff4f}ps",
            "o\u{301}ps",
            "\u{212a}elvin",
            "adm\u{131}n",
            "o\u{200b}ps",
            ".",
            "..",
            "user_01JD8XK4M2W7Z3T5V9YQ6B1C0D",
            "a/b",
            "a,b",
            &"x".repeat(256),
        ] {
            assert_eq!(PrincipalName::parse(bad).unwrap_err().code, "invalid_principal_name", "{bad}");
        }
        assert_eq!(PrincipalName::parse(&"X".repeat(255)).unwrap().as_str(), "x".repeat(255));
    }

    #[test]
    fn ids_keep_their_case_in_references() {
        let id = "user_01JD8XK4M2W7Z3T5V9YQ6B1C0D";
        assert_eq!(PrincipalReference::parse(id).unwrap().as_str(), id);
        assert!(PrincipalReference::parse("a b").is_err());
    }

    #[test]
    fn the_tenancy_has_an_id_of_its_own() {
        let tenancy = CompartmentId::tenancy();
        assert_eq!(tenancy.as_str(), "compartment_00000000000000000000000000");
        assert_eq!(CompartmentId::parse(tenancy.as_str()).unwrap(), tenancy);
        assert!(tenancy.is_tenancy());
        assert!(!CompartmentId::new(Timestamp::from_unix_s(1), [0; 10]).is_tenancy());
    }
}
