//! What conditions can see of a request.

use super::resource::words;
use crate::id::GroupId;
use crate::time::Timestamp;
use std::fmt;
use std::net::IpAddr;

words! {
    /// A variable with a fixed name.
    Known {
        RequestUserId = "request.user.id": "Id of the user who asks.",
        RequestUserName = "request.user.name": "Name of the user who asks.",
        RequestGroupsId = "request.groups.id": "Ids of the user's groups; `=` if any of them is equal, `!=` if none is.",
        RequestGroupsName = "request.groups.name": "Names of the user's groups, as above.",
        RequestPrincipalType = "request.principal.type": "Who asks: `user`, `certificateauthority`, `workload`, `machine` or `system`.",
        RequestPrincipalId = "request.principal.id": "Id of whoever asks.",
        RequestPrincipalName = "request.principal.name": "Name of whoever asks.",
        RequestPrincipalCompartmentId = "request.principal.compartment.id": "Compartment in which the asking resource lies.",
        RequestPermission = "request.permission": "The permission that is asked for.",
        RequestOperation = "request.operation": "The operation that is asked for.",
        RequestNetworkSourceName = "request.networkSource.name": "Name of the network that the request comes from.",
        RequestNetworkSourceIp = "request.networkSource.ip": "Address that the request comes from; the value is an address or a range, and `=` means inside.",
        RequestTime = "request.utc-timestamp": "Time of the request; `before`, `after`, `between` with RFC 3339 times.",
        RequestMonth = "request.utc-timestamp.month-of-year": "Month in UTC, `1` to `12`.",
        RequestDay = "request.utc-timestamp.day-of-month": "Day of the month in UTC, `1` to `31`.",
        RequestWeekday = "request.utc-timestamp.day-of-week": "Day of the week in UTC, `mon` to `sun`.",
        RequestTimeOfDay = "request.utc-timestamp.time-of-day": "Time of the day, `between '08:00:00Z' and '18:00:00Z'`; may pass midnight.",
        RequestPlainTextKey = "request.includePlainTextKey": "Is a private key asked for in the clear: `true` or `false`.",
        RequestDoor = "request.door": "How the caller came in: `token`, `jwt`, `certificate`, `enrollment` or `system`.",
        TargetCompartmentId = "target.compartment.id": "Id of the compartment in which the resource lies.",
        TargetCompartmentName = "target.compartment.name": "Name of that compartment.",
        TargetResourceId = "target.resource.id": "Id of the resource.",
        TargetResourceName = "target.resource.name": "Name of the resource.",
        TargetCaId = "target.ca.id": "Id of the CA.",
        TargetCaName = "target.ca.name": "Name of the CA.",
        TargetVaultId = "target.vault.id": "Id of the vault.",
        TargetVaultName = "target.vault.name": "Name of the vault.",
        TargetKeyId = "target.key.id": "Id of the master key.",
        TargetKeyName = "target.key.name": "Name of the master key.",
        TargetCertificateId = "target.certificate.id": "Id of the managed certificate.",
        TargetCertificateName = "target.certificate.name": "Name of the managed certificate.",
        TargetProfileId = "target.profile.id": "Id of the profile.",
        TargetProfileName = "target.profile.name": "Name of the profile.",
        TargetNames = "target.names": "Names in the certificate that is asked for; `=` and `in` if EVERY name matches, `!=` and `not in` if none does.",
        TargetSecretId = "target.secret.id": "Id of the secret.",
        TargetSecretName = "target.secret.name": "Name of the secret.",
        TargetUserName = "target.user.name": "Name of the user who is acted upon.",
        TargetGroupName = "target.group.name": "Name of the group that is acted upon.",
        ResourceKind = "resource.type": "OCI's word for `request.principal.type`.",
        ResourceCompartmentId = "resource.compartment.id": "OCI's word for `request.principal.compartment.id`.",
    }
}

/// The prefix of variables that are claims of a JWT.
pub const CLAIM_PREFIX: &str = "request.claim.";

/// What a condition compares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Variable {
    /// One of ours.
    Known(Known),
    /// A claim of the JWT that the caller showed, by its name (compared exactly).
    Claim(String),
}

/// How values of a variable are written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Exact,
    AnyCase,
    Flag,
    Network,
    Instant,
    Month,
    Day,
    Weekday,
    TimeOfDay,
}

impl Variable {
    /// The variable of this name: the names are compared in any case, the name of a claim is not.
    pub fn of_name(name: &str) -> Option<Self> {
        let claim = name
            .get(..CLAIM_PREFIX.len())
            .filter(|prefix| prefix.eq_ignore_ascii_case(CLAIM_PREFIX))
            .and_then(|_| name.get(CLAIM_PREFIX.len()..));
        match claim {
            Some("") => None,
            Some(claim) => Some(Self::Claim(claim.to_owned())),
            None => Known::of_word(name).map(|known| {
                Self::Known(match known {
                    Known::ResourceKind => Known::RequestPrincipalType,
                    Known::ResourceCompartmentId => Known::RequestPrincipalCompartmentId,
                    other => other,
                })
            }),
        }
    }

    /// Does it speak of what is acted upon, and is therefore unknown while a list is made?
    pub(super) fn is_target(&self) -> bool {
        matches!(self, Self::Known(known) if known.as_str().starts_with("target."))
    }

    /// Does it speak of who asks? Such a condition may hold for one principal and not for another.
    pub(super) fn is_of_principal(&self) -> bool {
        match self {
            Self::Claim(_) => true,
            Self::Known(known) => {
                ["request.user.", "request.groups.", "request.principal.", "request.door", "resource."]
                    .iter()
                    .any(|prefix| known.as_str().starts_with(prefix))
            }
        }
    }

    /// Must every value match?
    pub(super) fn wants_every(&self) -> bool {
        matches!(self, Self::Known(Known::TargetNames))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Claim(_) => Kind::Exact,
            Self::Known(known) => match known {
                Known::RequestUserName
                | Known::RequestGroupsName
                | Known::RequestPrincipalType
                | Known::RequestPrincipalName
                | Known::RequestDoor
                | Known::TargetNames
                | Known::TargetCompartmentName
                | Known::TargetUserName
                | Known::TargetGroupName
                | Known::ResourceKind => Kind::AnyCase,
                Known::RequestPlainTextKey => Kind::Flag,
                Known::RequestNetworkSourceIp => Kind::Network,
                Known::RequestTime => Kind::Instant,
                Known::RequestMonth => Kind::Month,
                Known::RequestDay => Kind::Day,
                Known::RequestWeekday => Kind::Weekday,
                Known::RequestTimeOfDay => Kind::TimeOfDay,
                _ => Kind::Exact,
            },
        }
    }

    /// The variable that carries the value: those of the calendar are read from the time of the request.
    pub(super) fn source(&self) -> &Self {
        match self.kind() {
            Kind::Month | Kind::Day | Kind::Weekday | Kind::TimeOfDay => &Self::Known(Known::RequestTime),
            _ => self,
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => known.fmt(f),
            Self::Claim(name) => write!(f, "{CLAIM_PREFIX}{name}"),
        }
    }
}

/// The value of a variable in one request.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// The variable does not apply; an empty list is the same.
    Missing,
    /// One text.
    One(&'a str),
    /// Several texts.
    Many(&'a [String]),
    /// Groups of the user.
    Groups(&'a [GroupId]),
    /// Yes or no.
    Flag(bool),
    /// An address. IPv4 in IPv6 counts as IPv4.
    Ip(IpAddr),
    /// A time.
    Time(Timestamp),
}

/// What conditions see of a request. Asked for the same variable twice it must answer the same. The calendar's
/// variables and OCI's second words are never asked for, only `request.utc-timestamp` and the first words.
pub trait Facts {
    /// The value of the variable.
    fn value(&self, variable: &Variable) -> Value<'_>;
}
