//! Trusts for client certificates: which certificates of a CA of ours let a machine in, and as what.

use super::{AllowedNames, Claims, NameTemplate};
use crate::faults::Faults;
use crate::id::{CaId, CertificateTrustId};
use crate::issued::IssuedCertificate;
use crate::name::ResourceName;
use crate::principal::PrincipalName;
use crate::profile::description;
use crate::san::{DnsName, San};
use crate::time::Timestamp;
use crate::violation::Invalid;

/// Most trusts.
pub const MAX_CERTIFICATE_TRUSTS: u64 = 100;
/// The claim that tells policies which trust let the machine in: its name.
pub const TRUST_CLAIM: &str = "certwright_trust";
/// Most entries of a list.
const MAX_ENTRIES: usize = 50;

/// A trust as text, from a request or a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawCertificateTrust {
    /// Name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Patterns; a certificate needs a name that one of them lets through. At least one.
    pub certificate_names: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Templates of patterns of names; `None`: policies alone decide.
    pub names: Option<Vec<String>>,
    /// Does it let anybody in?
    pub enabled: bool,
}

/// What somebody who makes a trust decides. Made by [`CertificateTrustSettings::new`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateTrustSettings {
    name: ResourceName,
    description: String,
    certificate_names: AllowedNames,
    groups: Vec<PrincipalName>,
    names: Option<Vec<NameTemplate>>,
    enabled: bool,
}

/// A trust as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateTrust {
    /// Id.
    pub id: CertificateTrustId,
    /// The CA whose certificates it means.
    pub ca: CaId,
    /// What was decided.
    pub settings: CertificateTrustSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

/// Whom a trust makes of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// The first name of the certificate that the trust means.
    pub subject: String,
    /// What is known of it, for `request.claim.*` and for templates of names.
    pub claims: Claims,
    /// Names that it may ask for; `None`: policies alone decide.
    pub names: Option<AllowedNames>,
}

impl CertificateTrustSettings {
    /// Reads a trust; every fault is listed with the JSON pointer of the field.
    pub fn new(raw: RawCertificateTrust) -> Result<Self, Vec<(String, Invalid)>> {
        let mut faults = Faults::default();
        let name = faults.keep("/name", ResourceName::parse(&raw.name));
        let description = faults.keep("/description", description(&raw.description));
        if raw.certificate_names.is_empty() {
            let hint = "Say which names a certificate must have, for example `*.build.corp.example`.";
            let fault = Invalid::new("pattern_required", "The trust has no pattern; it would let nobody in.", hint);
            faults.add("/certificateNames", fault);
        }
        let one = |text: &str| AllowedNames::parse(&[text.to_owned()]).map(|_| text.to_owned());
        let patterns = faults.each("/certificateNames", &raw.certificate_names, MAX_ENTRIES, one);
        let certificate_names = faults.keep("/certificateNames", AllowedNames::parse(&patterns));
        let groups = faults.each("/groups", &raw.groups, MAX_ENTRIES, PrincipalName::parse);
        let names = raw.names.map(|names| faults.each("/names", &names, MAX_ENTRIES, NameTemplate::parse));
        match (name, description, certificate_names) {
            (Some(name), Some(description), Some(certificate_names)) if faults.0.is_empty() => {
                Ok(Self { name, description, certificate_names, groups, names, enabled: raw.enabled })
            }
            _ => Err(faults.0),
        }
    }

    /// The same as text; `CertificateTrustSettings::new(settings.to_raw())` gives it back.
    pub fn to_raw(&self) -> RawCertificateTrust {
        RawCertificateTrust {
            name: self.name.to_string(),
            description: self.description.clone(),
            certificate_names: self.certificate_names.texts().to_vec(),
            groups: self.groups.iter().map(ToString::to_string).collect(),
            names: self.names.as_ref().map(|names| names.iter().map(ToString::to_string).collect()),
            enabled: self.enabled,
        }
    }

    /// Name.
    pub fn name(&self) -> &ResourceName {
        &self.name
    }
    /// Groups that the machine is in.
    pub fn groups(&self) -> &[PrincipalName] {
        &self.groups
    }
    /// One that is not lets nobody in.
    pub fn enabled(&self) -> bool {
        self.enabled
    }
}

impl CertificateTrust {
    /// Whom this trust makes of the holder of a certificate that stands; `None`: it does not mean this certificate. The error
    /// says why a certificate that it means is of no use.
    ///
    /// A wildcard names nobody: it is passed over.
    pub fn judge(&self, certificate: &IssuedCertificate) -> Option<Result<CertificateIdentity, String>> {
        let settings = &self.settings;
        if !settings.enabled || certificate.ca_id != self.ca {
            return None;
        }
        let names_somebody = |name: &&San| !matches!(name, San::Dns(name) if DnsName::is_wildcard(name));
        let meant = |name: &&San| settings.certificate_names.allows(name);
        let named = certificate.names.iter().filter(names_somebody).find(meant)?;
        Some(self.identify(named, certificate))
    }

    fn identify(&self, named: &San, certificate: &IssuedCertificate) -> Result<CertificateIdentity, String> {
        let claims = claims(named, certificate, self.settings.name.as_str()).ok_or("the certificate says too much")?;
        let names = match &self.settings.names {
            Some(templates) => {
                let filled = templates.iter().map(|template| template.fill(&claims)).collect::<Result<_, _>>()?;
                Some(AllowedNames::of(filled))
            }
            None => None,
        };
        Ok(CertificateIdentity { subject: named.to_string(), claims, names })
    }
}

/// What a certificate says: `name` (the one that counts), `dns`, `ip`, `email`, `uri`, `common_name`, `profile`, `serial`.
fn claims(named: &San, certificate: &IssuedCertificate, trust: &str) -> Option<Claims> {
    let mut claims = Claims::default();
    let of_kind =
        |kind: &str| certificate.names.iter().filter(|name| name.kind() == kind).map(San::to_string).collect();
    let told = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    let all: [(&str, Vec<String>); 9] = [
        ("name", vec![named.to_string()]),
        ("dns", of_kind("dns")),
        ("ip", of_kind("ip")),
        ("email", of_kind("email")),
        ("uri", of_kind("uri")),
        ("common_name", told(&certificate.common_name)),
        ("profile", told(&certificate.profile)),
        ("serial", vec![certificate.serial.to_string()]),
        (TRUST_CLAIM, vec![trust.to_owned()]),
    ];
    all.into_iter().all(|(path, values)| claims.insert(path.to_owned(), values)).then_some(claims)
}
