//! What a use case is about to touch, as policies see it.

use super::Permission;
use crate::context::IssuerContext;
use certwright_domain::access::{Compartment, PlacedKind, Policy};
use certwright_domain::acme::Directory;
use certwright_domain::ca::Ca;
use certwright_domain::ca_bundle::CaBundle;
use certwright_domain::enrollment::EnrollmentToken;
use certwright_domain::id::CompartmentId;
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::key::{Key, Vault};
use certwright_domain::managed::ManagedCertificate;
use certwright_domain::name::Reference;
use certwright_domain::profile::StoredProfile;

/// Id and name of something.
pub(crate) type Named<'a> = (&'a str, &'a str);

/// An object of a permission: a resource in its compartment, or the compartment alone.
#[derive(Clone)]
pub(crate) struct Object<'a> {
    /// Kind, for people, and for the answer to those who may not even see it.
    pub(crate) kind: &'static str,
    /// How the caller called it; `None`: a place, which is no secret.
    pub(crate) reference: Option<&'a str>,
    /// Whoever has this may know that it exists.
    pub(crate) seen_with: Option<Permission>,
    /// Where it lies.
    pub(crate) compartment: CompartmentId,
    /// Itself.
    pub(crate) itself: Option<Named<'a>>,
    pub(crate) ca: Option<Named<'a>>,
    pub(crate) vault: Option<Named<'a>>,
    pub(crate) key: Option<Named<'a>>,
    pub(crate) certificate: Option<Named<'a>>,
    pub(crate) profile: Option<Named<'a>>,
    /// Names that a certificate is to carry; `None`: this is about no names.
    pub(crate) names: Option<&'a [String]>,
}

impl<'a> Object<'a> {
    /// A place: something is to be made or listed there.
    pub(crate) fn place(kind: &'static str, compartment: CompartmentId) -> Self {
        Self {
            kind,
            reference: None,
            seen_with: None,
            compartment,
            itself: None,
            ca: None,
            vault: None,
            key: None,
            certificate: None,
            profile: None,
            names: None,
        }
    }

    /// What concerns the whole tenancy: tokens, webhooks, the audit trail.
    pub(crate) fn tenancy(kind: &'static str) -> Self {
        Self::place(kind, CompartmentId::tenancy())
    }

    fn resource(kind: &'static str, seen_with: Permission, itself: Named<'a>, compartment: CompartmentId) -> Self {
        let place = Self::place(kind, compartment);
        Self { reference: Some(itself.1), seen_with: Some(seen_with), itself: Some(itself), ..place }
    }

    pub(crate) fn vault(vault: &'a Vault, compartment: CompartmentId) -> Self {
        let named = (vault.id.as_str(), vault.name.as_str());
        Self { vault: Some(named), ..Self::resource("vault", Permission::VaultList, named, compartment) }
    }

    pub(crate) fn key(vault: Named<'a>, key: &'a Key, compartment: CompartmentId) -> Self {
        let named = (key.id.as_str(), key.name.as_str());
        Self { vault: Some(vault), key: Some(named), ..Self::resource("key", Permission::KeyList, named, compartment) }
    }

    pub(crate) fn ca(ca: &'a Ca, compartment: CompartmentId) -> Self {
        let named = (ca.id.as_str(), ca.name.as_str());
        Self { ca: Some(named), ..Self::resource("CA", Permission::CaList, named, compartment) }
    }

    pub(crate) fn certificate(certificate: &'a ManagedCertificate, compartment: CompartmentId) -> Self {
        let named = (certificate.id.as_str(), certificate.name.as_str());
        Self {
            certificate: Some(named),
            ..Self::resource("certificate", Permission::CertificateList, named, compartment)
        }
    }

    pub(crate) fn profile(stored: &'a StoredProfile, compartment: CompartmentId) -> Self {
        let id = stored.id.as_ref().map_or("", |id| id.as_str());
        let named = (id, stored.profile.name().as_str());
        Self { profile: Some(named), ..Self::resource("profile", Permission::ProfileList, named, compartment) }
    }

    pub(crate) fn ca_bundle(bundle: &'a CaBundle, compartment: CompartmentId) -> Self {
        Self::resource("CA bundle", Permission::CaBundleList, (bundle.id.as_str(), bundle.name.as_str()), compartment)
    }

    /// A compartment; it lies in itself.
    pub(crate) fn compartment(compartment: &'a Compartment) -> Self {
        let named = (compartment.id.as_str(), compartment.name.as_str());
        Self::resource("compartment", Permission::CompartmentList, named, compartment.id.clone())
    }

    /// A policy; it lies where it is attached.
    pub(crate) fn policy(policy: &'a Policy) -> Self {
        let named = (policy.id.as_str(), policy.name.as_str());
        Self::resource("policy", Permission::PolicyList, named, policy.compartment.clone())
    }

    /// A resource of any kind that may be moved.
    pub(crate) fn movable(kind: PlacedKind, itself: Named<'a>, compartment: CompartmentId) -> Self {
        let word = match kind {
            PlacedKind::Vault => "vault",
            PlacedKind::Key => "key",
            PlacedKind::CertificateAuthority => "CA",
            PlacedKind::Certificate => "certificate",
            PlacedKind::Profile => "profile",
            PlacedKind::CaBundle => "CA bundle",
        };
        let object = Self::resource(word, crate::placements::listing(kind), itself, compartment);
        match kind {
            PlacedKind::Vault => Self { vault: Some(itself), ..object },
            PlacedKind::Key => Self { key: Some(itself), ..object },
            PlacedKind::CertificateAuthority => Self { ca: Some(itself), ..object },
            PlacedKind::Certificate => Self { certificate: Some(itself), ..object },
            PlacedKind::Profile => Self { profile: Some(itself), ..object },
            PlacedKind::CaBundle => object,
        }
    }

    /// A row of the inventory; it lies where its CA lies.
    pub(crate) fn issued(row: &'a IssuedCertificate, compartment: CompartmentId) -> Self {
        Self {
            ca: Some((row.ca_id.as_str(), row.ca_name.as_str())),
            profile: Some(("", row.profile.as_str())),
            ..Self::resource(
                "issued certificate",
                Permission::IssuedList,
                (row.id.as_str(), row.common_name.as_str()),
                compartment,
            )
        }
    }

    /// What a CA gave away before it came here: a certificate of which nothing is known but the serial. It lies where its CA lies.
    pub(crate) fn known_serial(ca: &'a Ca, compartment: CompartmentId) -> Self {
        let object = Self::resource("issued certificate", Permission::IssuedList, ("", ""), compartment);
        Self { ca: Some((ca.id.as_str(), ca.name.as_str())), ..object }
    }

    /// An ACME directory; it lies where its CA lies.
    pub(crate) fn acme_directory(directory: &'a Directory, compartment: CompartmentId) -> Self {
        let named = (directory.id.as_str(), directory.settings.name().as_str());
        Self::resource("ACME directory", Permission::AcmeDirectoryList, named, compartment)
    }

    /// An enrolment token; it lies where its CA lies.
    pub(crate) fn enrollment_token(token: &'a EnrollmentToken, compartment: CompartmentId) -> Self {
        let named = (token.id.as_str(), token.name.as_str());
        Self::resource("enrolment token", Permission::EnrollmentTokenList, named, compartment)
    }

    /// What a CA is asked to sign.
    pub(crate) fn signing(issuer: &'a IssuerContext, profile: &'a str, names: &'a [String]) -> Self {
        let named = (issuer.ca.id.as_str(), issuer.ca.name.as_str());
        Self {
            ca: Some(named),
            profile: Some(("", profile)),
            names: Some(names),
            ..Self::resource("CA", Permission::CaList, named, issuer.compartment.clone())
        }
    }

    /// How the caller called it: what those are told who may not even see it.
    pub(crate) fn called(self, reference: &'a Reference) -> Self {
        self.called_as(reference.as_str())
    }

    pub(crate) fn called_as(self, reference: &'a str) -> Self {
        Self { reference: Some(reference), ..self }
    }
}

/// Something that lies in a compartment.
pub(crate) trait Placed {
    /// Id of what says where it lies.
    fn lies_with(&self) -> &str;
    /// As policies see it, in its compartment.
    fn object(&self, compartment: CompartmentId) -> Object<'_>;
}

macro_rules! placed {
    ($($kind:ty: $object:ident by $id:expr;)+) => {
        $(impl Placed for $kind {
            fn lies_with(&self) -> &str {
                let id: fn(&Self) -> &str = $id;
                id(self)
            }

            fn object(&self, compartment: CompartmentId) -> Object<'_> {
                Object::$object(self, compartment)
            }
        })+
    };
}
placed! {
    Vault: vault by |vault| vault.id.as_str();
    Ca: ca by |ca| ca.id.as_str();
    ManagedCertificate: certificate by |certificate| certificate.id.as_str();
    StoredProfile: profile by |stored| stored.id.as_ref().map_or("", |id| id.as_str());
    CaBundle: ca_bundle by |bundle| bundle.id.as_str();
    Directory: acme_directory by |directory| directory.ca.as_str();
    EnrollmentToken: enrollment_token by |token| token.ca.as_str();
    IssuedCertificate: issued by |row| row.ca_id.as_str();
}

/// A key with its vault.
pub(crate) struct KeyIn<'v> {
    pub(crate) vault: &'v Vault,
    pub(crate) key: Key,
}

impl Placed for KeyIn<'_> {
    fn lies_with(&self) -> &str {
        self.key.id.as_str()
    }

    fn object(&self, compartment: CompartmentId) -> Object<'_> {
        Object::key((self.vault.id.as_str(), self.vault.name.as_str()), &self.key, compartment)
    }
}
