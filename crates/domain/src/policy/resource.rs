//! What a statement may cover: types of resources, families of them, and how far a verb reaches.

use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal: $about:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $about] $(#[$each])* $variant,)* }

        impl $name {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word that statements use.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// One phrase for the documentation.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }

            /// The one that a word means, in any case.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str().eq_ignore_ascii_case(word))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How much may be done. Each verb includes those before it.
    Verb {
        Inspect = "inspect": "List, without what the resource holds.",
        Read = "read": "`inspect`, and fetch the resource.",
        Use = "use": "`read`, and act with a resource that is there.",
        Manage = "manage": "Everything, making and deleting too.",
    }
}

words! {
    /// A single type of resource.
    ResourceType {
        Vaults = "vaults": "Vaults.",
        Keys = "keys": "Master keys; `use` signs with one.",
        KeyDelegate = "key-delegate": "Letting a CA or another service use a key.",
        CertificateAuthorities = "certificate-authorities": "CAs and their settings.",
        CertificateAuthorityVersions = "certificate-authority-versions": "Versions of CAs.",
        CertificateAuthorityBundles = "certificate-authority-bundles": "Certificates of CAs as files.",
        CertificateAuthorityDelegates = "certificate-authority-delegates": "Having a CA sign, without managing it.",
        CertificateAuthorityAssociations = "certificate-authority-associations": "What uses a CA.",
        LeafCertificates = "leaf-certificates": "Managed certificates and their settings.",
        LeafCertificateVersions = "leaf-certificate-versions": "Versions of managed certificates.",
        LeafCertificateBundles = "leaf-certificate-bundles": "Managed certificates with their private keys.",
        IssuedCertificates = "issued-certificates": "The inventory of everything that was signed.",
        CaBundles = "cabundles": "CA bundles.",
        CertificateAssociations = "certificate-associations": "What uses a certificate.",
        CaBundleAssociations = "cabundle-associations": "What uses a CA bundle.",
        Profiles = "profiles": "Profiles of certificates.",
        AcmeAccounts = "acme-accounts": "Accounts of ACME clients.",
        AuditEvents = "audit-events": "The audit trail.",
        Policies = "policies": "Policies.",
        Compartments = "compartments": "Compartments.",
        Users = "users": "Users.",
        Groups = "groups": "Groups and their members.",
        DynamicGroups = "dynamic-groups": "Dynamic groups and their rules.",
        Tokens = "tokens": "API tokens.",
        EnrollmentTokens = "enrollment-tokens": "Enrolment tokens.",
        IdentityProviders = "identity-providers": "Trusted issuers of identities.",
        Events = "events": "Events.",
        Webhooks = "webhooks": "Webhooks.",
        RootKey = "root-key": "The root key's versions and rotation.",
        Objects = "objects": "Objects in buckets, for lists that are published there.",
        Secrets = "secrets": "Secrets; nothing asks for them yet.",
        SecretVersions = "secret-versions": "Versions of secrets; nothing asks for them yet.",
        SecretBundles = "secret-bundles": "Contents of secrets; nothing asks for them yet.",
    }
}

words! {
    /// A name for several types.
    Family {
        LeafCertificate = "leaf-certificate-family": "Everything about managed certificates and CA bundles.",
        CertificateAuthority = "certificate-authority-family": "Everything about CAs, and all of `leaf-certificate-family`.",
        Key = "key-family": "Vaults and keys.",
        Secret = "secret-family": "Secrets; grants nothing yet.",
        Access = "access-family": "Who there is and who may do what.",
        All = "all-resources": "Everything.",
    }
}

/// Types of resources, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ResourceSet(u64);

impl ResourceSet {
    const fn of(types: &[ResourceType]) -> Self {
        let mut bits = 0;
        let mut rest = types;
        while let [first, others @ ..] = rest {
            bits |= 1_u64.wrapping_shl(*first as u32);
            rest = others;
        }
        Self(bits)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Is the type among them?
    pub const fn has(self, kind: ResourceType) -> bool {
        self.0 & Self::of(&[kind]).0 != 0
    }

    /// Those that are among them.
    pub fn types(self) -> impl Iterator<Item = ResourceType> {
        ResourceType::ALL.iter().copied().filter(move |kind| self.has(*kind))
    }
}

const LEAF: ResourceSet = ResourceSet::of(&[
    ResourceType::LeafCertificates,
    ResourceType::LeafCertificateVersions,
    ResourceType::LeafCertificateBundles,
    ResourceType::IssuedCertificates,
    ResourceType::CaBundles,
    ResourceType::CertificateAssociations,
    ResourceType::CaBundleAssociations,
]);
const AUTHORITY: ResourceSet = LEAF.and(ResourceSet::of(&[
    ResourceType::CertificateAuthorities,
    ResourceType::CertificateAuthorityVersions,
    ResourceType::CertificateAuthorityBundles,
    ResourceType::CertificateAuthorityDelegates,
    ResourceType::CertificateAuthorityAssociations,
]));
const KEY: ResourceSet = ResourceSet::of(&[ResourceType::Vaults, ResourceType::Keys, ResourceType::KeyDelegate]);
const SECRET: ResourceSet =
    ResourceSet::of(&[ResourceType::Secrets, ResourceType::SecretVersions, ResourceType::SecretBundles]);
const ACCESS: ResourceSet = ResourceSet::of(&[
    ResourceType::Policies,
    ResourceType::Compartments,
    ResourceType::Users,
    ResourceType::Groups,
    ResourceType::DynamicGroups,
    ResourceType::Tokens,
    ResourceType::EnrollmentTokens,
    ResourceType::IdentityProviders,
]);

/// A type or a family, as a statement names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Covered {
    /// One type.
    One(ResourceType),
    /// A family.
    Family(Family),
}

impl Covered {
    /// The one that a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        // OCI's pages write this one in both ways.
        if word.eq_ignore_ascii_case("certificate-authority-delegate") {
            return Some(Self::One(ResourceType::CertificateAuthorityDelegates));
        }
        ResourceType::of_word(word).map(Self::One).or_else(|| Family::of_word(word).map(Self::Family))
    }

    /// Every word that is understood.
    pub fn words() -> impl Iterator<Item = &'static str> {
        ResourceType::ALL.iter().map(|one| one.as_str()).chain(Family::ALL.iter().map(|one| one.as_str()))
    }

    /// The types that are covered.
    pub const fn set(self) -> ResourceSet {
        match self {
            Self::One(kind) => ResourceSet::of(&[kind]),
            Self::Family(Family::LeafCertificate) => LEAF,
            Self::Family(Family::CertificateAuthority) => AUTHORITY,
            Self::Family(Family::Key) => KEY,
            Self::Family(Family::Secret) => SECRET,
            Self::Family(Family::Access) => ACCESS,
            Self::Family(Family::All) => ResourceSet::of(ResourceType::ALL),
        }
    }

    /// Does nothing ask for any of them yet?
    pub const fn grants_nothing(self) -> bool {
        self.set().0 & !SECRET.0 == 0
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(kind) => kind.fmt(f),
            Self::Family(family) => family.fmt(f),
        }
    }
}
