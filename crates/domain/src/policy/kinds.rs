//! Verbs, resource types and families (OCI IAM, Certificates and Vault).

use std::fmt;

/// What may be done; each verb has the ones before it within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// List, without contents.
    Inspect,
    /// Read.
    Read,
    /// Act with what is there.
    Use,
    /// Everything.
    Manage,
}

impl Verb {
    /// Every verb, the least first.
    pub const ALL: [Self; 4] = [Self::Inspect, Self::Read, Self::Use, Self::Manage];

    /// As statements say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Read => "read",
            Self::Use => "use",
            Self::Manage => "manage",
        }
    }

    /// Reads a verb, in any case.
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str().eq_ignore_ascii_case(text))
    }
}

macro_rules! resource_types {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// A single resource type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceType { $($(#[$doc])* $variant),+ }
        impl ResourceType {
            /// Every resource type.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// As statements say it.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
        }
    };
}
resource_types! {
    /// Vaults.
    Vaults = "vaults",
    /// Master keys.
    Keys = "keys",
    /// Keys on behalf of another service.
    KeyDelegate = "key-delegate",
    /// CAs.
    CertificateAuthorities = "certificate-authorities",
    /// Versions of CAs.
    CertificateAuthorityVersions = "certificate-authority-versions",
    /// CAs with their private keys.
    CertificateAuthorityBundles = "certificate-authority-bundles",
    /// Having a CA sign.
    CertificateAuthorityDelegates = "certificate-authority-delegates",
    /// Which resources rest on a CA.
    CertificateAuthorityAssociations = "certificate-authority-associations",
    /// Managed certificates.
    LeafCertificates = "leaf-certificates",
    /// Versions of managed certificates.
    LeafCertificateVersions = "leaf-certificate-versions",
    /// Managed certificates with their private keys.
    LeafCertificateBundles = "leaf-certificate-bundles",
    /// The inventory: everything ever signed.
    IssuedCertificates = "issued-certificates",
    /// CA bundles.
    Cabundles = "cabundles",
    /// Which resources rest on a certificate.
    CertificateAssociations = "certificate-associations",
    /// Which resources rest on a CA bundle.
    CabundleAssociations = "cabundle-associations",
    /// Profiles.
    Profiles = "profiles",
    /// ACME directories.
    AcmeDirectories = "acme-directories",
    /// ACME accounts, and keys for external account bindings.
    AcmeAccounts = "acme-accounts",
    /// The audit trail.
    AuditEvents = "audit-events",
    /// Policies.
    Policies = "policies",
    /// Compartments.
    Compartments = "compartments",
    /// Users.
    Users = "users",
    /// Groups.
    Groups = "groups",
    /// Dynamic groups.
    DynamicGroups = "dynamic-groups",
    /// API tokens.
    Tokens = "tokens",
    /// Enrolment tokens.
    EnrollmentTokens = "enrollment-tokens",
    /// Identity providers.
    IdentityProviders = "identity-providers",
    /// The history of events.
    Events = "events",
    /// Webhooks.
    Webhooks = "webhooks",
    /// The root key.
    RootKey = "root-key",
    /// Objects on targets of publication.
    Objects = "objects",
    /// Secrets; there are none yet.
    Secrets = "secrets",
    /// Versions of secrets; there are none yet.
    SecretVersions = "secret-versions",
    /// Contents of secrets; there are none yet.
    SecretBundles = "secret-bundles",
}

impl ResourceType {
    /// Place in the bit set and in tables.
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Reads a single type, in any case; the singular that OCI's pages use as well is understood.
    pub fn find(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("certificate-authority-delegate") {
            return Some(Self::CertificateAuthorityDelegates);
        }
        Self::ALL.iter().copied().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

/// A set of resource types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ResourceSet(u64);

impl ResourceSet {
    /// A set of these.
    pub const fn of(kinds: &[ResourceType]) -> Self {
        let (mut bits, mut rest) = (0_u64, kinds);
        while let [first, tail @ ..] = rest {
            bits |= 1 << *first as u32;
            rest = tail;
        }
        Self(bits)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Is it in the set?
    pub fn contains(self, kind: ResourceType) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    /// The members, in the order of the types.
    pub fn iter(self) -> impl Iterator<Item = ResourceType> {
        ResourceType::ALL.iter().copied().filter(move |kind| self.contains(*kind))
    }
}

use ResourceType as R;
const LEAF: ResourceSet = ResourceSet::of(&[
    R::LeafCertificates,
    R::LeafCertificateVersions,
    R::LeafCertificateBundles,
    R::IssuedCertificates,
    R::Cabundles,
    R::CertificateAssociations,
    R::CabundleAssociations,
]);
const AUTHORITY: ResourceSet = LEAF.and(ResourceSet::of(&[
    R::CertificateAuthorities,
    R::CertificateAuthorityVersions,
    R::CertificateAuthorityBundles,
    R::CertificateAuthorityDelegates,
    R::CertificateAuthorityAssociations,
]));
const KEY: ResourceSet = ResourceSet::of(&[R::Vaults, R::Keys, R::KeyDelegate]);
pub(super) const SECRET: ResourceSet = ResourceSet::of(&[R::Secrets, R::SecretVersions, R::SecretBundles]);
const ACCESS: ResourceSet = ResourceSet::of(&[
    R::Policies,
    R::Compartments,
    R::Users,
    R::Groups,
    R::DynamicGroups,
    R::Tokens,
    R::EnrollmentTokens,
    R::IdentityProviders,
]);

/// Families: names for several types at once.
pub const FAMILIES: &[(&str, ResourceSet)] = &[
    ("leaf-certificate-family", LEAF),
    ("certificate-authority-family", AUTHORITY),
    ("key-family", KEY),
    ("secret-family", SECRET),
    ("access-family", ACCESS),
    ("all-resources", ResourceSet::of(ResourceType::ALL)),
];

/// Reads a type or a family, in any case; brings its canonical spelling.
pub(super) fn find_resources(text: &str) -> Option<(&'static str, ResourceSet)> {
    let family = FAMILIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).copied();
    family.or_else(|| ResourceType::find(text).map(|kind| (kind.as_str(), ResourceSet::of(&[kind]))))
}

/// What is asked for: this verb on this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The type.
    pub resource: ResourceType,
    /// The verb.
    pub verb: Verb,
}

impl Asked {
    /// Reads `<resource type>:<verb>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (resource, verb) = text.split_once(':')?;
        Some(Self { resource: ResourceType::find(resource)?, verb: Verb::find(verb)? })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource.as_str(), self.verb.as_str())
    }
}
