//! Directories: a door for ACME clients, with everything that an operator decides about it.

use super::Method;
use crate::egress::allowable;
use crate::faults::Faults;
use crate::http_url::HttpUrl;
use crate::id::{AcmeDirectoryId, CaId};
use crate::identity::AllowedNames;
use crate::name::ResourceName;
use crate::profile::description;
use crate::san::DnsName;
use crate::time::{Span, Timestamp};
use crate::violation::Invalid;
use ipnet::IpNet;

/// Most entries of any list of a directory.
const MOST: usize = 50;
/// Most nodes that must see a proof.
const MOST_VANTAGE_POINTS: u32 = 8;
/// The profile of directories that name none.
const DEFAULT_PROFILE: &str = "tls-server";
/// How long a proof lasts by default.
const DEFAULT_LIFETIME: Span = Span::from_days(1);
/// The bounds of that.
const LIFETIMES: std::ops::RangeInclusive<Span> = Span::from_hours(1)..=Span::from_days(90);

/// What somebody who makes a directory decides. Made by [`DirectorySettings::new`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySettings {
    name: ResourceName,
    description: String,
    profiles: Vec<ResourceName>,
    challenges: Vec<Method>,
    external_account_required: bool,
    without_challenge: bool,
    client_certificates: bool,
    names: Option<AllowedNames>,
    allowed_private_ranges: Vec<IpNet>,
    terms_of_service: Option<HttpUrl>,
    website: Option<HttpUrl>,
    caa_identities: Vec<DnsName>,
    check_caa: bool,
    authorization_lifetime: Span,
    reuse_authorizations: bool,
    vantage_points: u32,
    enabled: bool,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Id.
    pub id: AcmeDirectoryId,
    /// The CA that signs.
    pub ca: CaId,
    /// What was decided.
    pub settings: DirectorySettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

/// Settings as text, from a request or a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawDirectory {
    /// Name; part of the URL.
    pub name: String,
    /// For people.
    pub description: String,
    /// Names of profiles, the default one first; empty: `tls-server`.
    pub profiles: Vec<String>,
    /// Names of challenge types; empty: all.
    pub challenges: Vec<String>,
    /// Must accounts be bound to an external account?
    pub external_account_required: bool,
    /// Do accounts need no challenge for the names that their key for external account bindings names?
    pub without_challenge: bool,
    /// Do requests with a client certificate that a trust means need no external account, and no challenge for the names of
    /// that trust?
    pub client_certificates: bool,
    /// Patterns of names that may be ordered; `None`: the profile alone decides.
    pub names: Option<Vec<String>>,
    /// CIDR ranges that may be connected to for a validation though they are not public.
    pub allowed_private_ranges: Vec<String>,
    /// Where the terms are.
    pub terms_of_service: Option<String>,
    /// Where there is more to read.
    pub website: Option<String>,
    /// Domains that stand for this CA in CAA records.
    pub caa_identities: Vec<String>,
    /// Are CAA records heeded?
    pub check_caa: bool,
    /// How long a proof lasts; ISO 8601.
    pub authorization_lifetime: Option<String>,
    /// May a proof serve later orders?
    pub reuse_authorizations: bool,
    /// How many nodes must see a proof; `None`: one.
    pub vantage_points: Option<u32>,
    /// Does it answer?
    pub enabled: bool,
}

impl DirectorySettings {
    /// Reads settings; every fault is listed with the JSON pointer of its field.
    pub fn new(raw: RawDirectory) -> Result<Self, Vec<(String, Invalid)>> {
        let mut faults = Faults::default();
        let name = faults.keep("/name", directory_name(&raw.name));
        let description = faults.keep("/description", description(&raw.description));
        let mut profiles = faults.each("/profiles", &raw.profiles, MOST, ResourceName::parse);
        if raw.profiles.is_empty() {
            profiles.extend(ResourceName::parse(DEFAULT_PROFILE).ok());
        }
        let mut challenges = faults.each("/challenges", &raw.challenges, MOST, Method::parse);
        if raw.challenges.is_empty() {
            challenges = Method::ALL.to_vec();
        }
        let names = match &raw.names {
            Some(texts) if texts.len() > MOST => {
                faults.too_many("/names", texts.len(), MOST);
                None
            }
            Some(texts) => faults.keep("/names", AllowedNames::parse(texts)),
            None => None,
        };
        let allowed_private_ranges = faults.each("/allowedPrivateRanges", &raw.allowed_private_ranges, MOST, range);
        let terms_of_service = optional(&mut faults, "/termsOfService", raw.terms_of_service.as_deref());
        let website = optional(&mut faults, "/website", raw.website.as_deref());
        let caa_identities = faults.each("/caaIdentities", &raw.caa_identities, MOST, DnsName::parse);
        if raw.check_caa && raw.caa_identities.is_empty() {
            faults.add(
                "/caaIdentities",
                Invalid::new(
                    "caa_identities_missing",
                    "CAA records cannot be heeded without a domain that stands for this CA in them.",
                    "Name one in `caaIdentities`, as the owners of names write it: `ca.corp.example`.",
                ),
            );
        }
        if raw.without_challenge && !raw.external_account_required {
            faults.add(
                "/withoutChallenge",
                Invalid::new(
                    "without_challenge_needs_binding",
                    "Only accounts that are bound to an external account can do without challenges.",
                    "Set `externalAccountRequired` to true as well.",
                ),
            );
        }
        let authorization_lifetime = match raw.authorization_lifetime.as_deref() {
            Some(text) => faults.keep("/authorizationLifetime", lifetime(text)),
            None => Some(DEFAULT_LIFETIME),
        };
        let vantage_points = faults.keep("/vantagePoints", vantage_points(raw.vantage_points));
        let made = || {
            Some(Self {
                name: name?,
                description: description?,
                profiles,
                challenges,
                external_account_required: raw.external_account_required,
                without_challenge: raw.without_challenge,
                client_certificates: raw.client_certificates,
                names,
                allowed_private_ranges,
                terms_of_service,
                website,
                caa_identities,
                check_caa: raw.check_caa,
                authorization_lifetime: authorization_lifetime?,
                reuse_authorizations: raw.reuse_authorizations,
                vantage_points: vantage_points?,
                enabled: raw.enabled,
            })
        };
        match made() {
            Some(settings) if faults.0.is_empty() => Ok(settings),
            _ => Err(faults.0),
        }
    }

    /// Reads settings of a row. Ranges that can be allowed no more were taken once; nothing was ever behind them, or nothing is
    /// any more ([`crate::egress`]), and a directory does not go missing for them.
    pub fn of_row(raw: RawDirectory) -> Result<Self, Vec<(String, Invalid)>> {
        let vain = |text: &String| text.parse::<IpNet>().is_ok_and(|range| allowable(range).is_err());
        let mut raw = raw;
        raw.allowed_private_ranges.retain(|text| !vain(text));
        Self::new(raw)
    }

    /// The same as text; `DirectorySettings::new(settings.to_raw())` gives it back.
    pub fn to_raw(&self) -> RawDirectory {
        fn texts<T: ToString>(values: &[T]) -> Vec<String> {
            values.iter().map(T::to_string).collect()
        }
        RawDirectory {
            name: self.name.to_string(),
            description: self.description.clone(),
            profiles: texts(&self.profiles),
            challenges: texts(&self.challenges),
            external_account_required: self.external_account_required,
            without_challenge: self.without_challenge,
            client_certificates: self.client_certificates,
            names: self.names.as_ref().map(|names| names.texts().to_vec()),
            allowed_private_ranges: texts(&self.allowed_private_ranges),
            terms_of_service: self.terms_of_service.as_ref().map(HttpUrl::to_string),
            website: self.website.as_ref().map(HttpUrl::to_string),
            caa_identities: self.caa_identities.iter().map(|name| name.as_str().to_owned()).collect(),
            check_caa: self.check_caa,
            authorization_lifetime: Some(self.authorization_lifetime.to_string()),
            reuse_authorizations: self.reuse_authorizations,
            vantage_points: Some(self.vantage_points),
            enabled: self.enabled,
        }
    }

    /// Name; part of the URL.
    pub fn name(&self) -> &ResourceName {
        &self.name
    }
    /// For people.
    pub fn description(&self) -> &str {
        &self.description
    }
    /// Names of profiles, the default one first. Never empty.
    pub fn profiles(&self) -> &[ResourceName] {
        &self.profiles
    }
    /// Challenge types that are offered. Never empty.
    pub fn challenges(&self) -> &[Method] {
        &self.challenges
    }
    /// Must accounts be bound to an external account?
    pub fn external_account_required(&self) -> bool {
        self.external_account_required
    }
    /// Do accounts need no challenge for the names that their key for external account bindings names?
    pub fn without_challenge(&self) -> bool {
        self.without_challenge
    }
    /// Do requests with a client certificate that a trust means need no external account, and no challenge for the names of
    /// that trust?
    pub fn client_certificates(&self) -> bool {
        self.client_certificates
    }
    /// Names that may be ordered; `None`: the profile alone decides.
    pub fn names(&self) -> Option<&AllowedNames> {
        self.names.as_ref()
    }
    /// Ranges that may be connected to for a validation though they are not public.
    pub fn allowed_private_ranges(&self) -> &[IpNet] {
        &self.allowed_private_ranges
    }
    /// Where the terms are.
    pub fn terms_of_service(&self) -> Option<&HttpUrl> {
        self.terms_of_service.as_ref()
    }
    /// Where there is more to read.
    pub fn website(&self) -> Option<&HttpUrl> {
        self.website.as_ref()
    }
    /// Domains that stand for this CA in CAA records.
    pub fn caa_identities(&self) -> &[DnsName] {
        &self.caa_identities
    }
    /// Are CAA records heeded?
    pub fn check_caa(&self) -> bool {
        self.check_caa
    }
    /// How long a proof lasts.
    pub fn authorization_lifetime(&self) -> Span {
        self.authorization_lifetime
    }
    /// May a proof serve later orders?
    pub fn reuse_authorizations(&self) -> bool {
        self.reuse_authorizations
    }
    /// How many nodes must see a proof.
    pub fn vantage_points(&self) -> usize {
        usize::try_from(self.vantage_points).unwrap_or(usize::MAX)
    }
    /// Does it answer?
    pub fn enabled(&self) -> bool {
        self.enabled
    }
}

/// A name that needs no escaping in a URL and cannot be taken for another directory by its case.
fn directory_name(text: &str) -> Result<ResourceName, Invalid> {
    let name = ResourceName::parse(text)?;
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) || text.starts_with('.') || text.len() > 63 {
        false => Ok(name),
        true => Err(Invalid::new(
            "invalid_directory_name",
            "The name of an ACME directory is part of its URL: at most 63 lower-case letters, digits, `.`, `_` and `-`, and no `.` \
             in front.",
            "Write `team-a`.",
        )),
    }
}

fn range(text: &str) -> Result<IpNet, Invalid> {
    let parsed = text.parse::<IpNet>().ok().filter(|range| range.trunc() == *range);
    let range = parsed.ok_or_else(|| {
        Invalid::new(
            "invalid_range",
            format!("`{}` is not a range of addresses.", text.escape_debug()),
            "Write `10.0.0.0/8` or `fd00::/8`, with the host's bits zero.",
        )
    })?;
    allowable(range)
}

fn optional(faults: &mut Faults, pointer: &str, text: Option<&str>) -> Option<HttpUrl> {
    text.and_then(|text| faults.keep(pointer, HttpUrl::parse(text)))
}

fn vantage_points(wanted: Option<u32>) -> Result<u32, Invalid> {
    match wanted.unwrap_or(1) {
        count if (1..=MOST_VANTAGE_POINTS).contains(&count) => Ok(count),
        count => Err(Invalid::new(
            "invalid_vantage_points",
            format!("A proof cannot be seen by {count} nodes."),
            format!("Choose from 1 to {MOST_VANTAGE_POINTS}, and no more than there are nodes."),
        )),
    }
}

fn lifetime(text: &str) -> Result<Span, Invalid> {
    let span = Span::parse(text)?;
    match LIFETIMES.contains(&span) {
        true => Ok(span),
        false => Err(Invalid::new(
            "invalid_authorization_lifetime",
            format!("A proof cannot last {span}."),
            format!("Choose from {} to {}.", LIFETIMES.start(), LIFETIMES.end()),
        )),
    }
}
