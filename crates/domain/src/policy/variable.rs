//! Variables of conditions.

/// How the values of a variable are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// As they are.
    Exact,
    /// Upper and lower case are the same.
    Folded,
    /// An address that lies in a range.
    Address,
    /// A point in time.
    Time,
    /// A time of day, `HH:MM:SSZ`.
    TimeOfDay,
}

macro_rules! variables {
    ($($variant:ident, $name:literal, $comparison:ident, $doc:literal;)+) => {
        /// A variable.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Variable {
            $(#[doc = $doc] $variant,)+
            /// `request.claim.<name>`: a claim of a JWT, or what else is known of a machine; several values are one of many.
            Claim(String),
        }

        /// Every variable but the claims, with its meaning.
        pub const VARIABLES: &[VariableInfo] = &[$(VariableInfo { name: $name, meaning: $doc }),+];

        impl Variable {
            /// As conditions say it.
            pub fn name(&self) -> String {
                match self {
                    $(Self::$variant => $name.to_owned(),)+
                    Self::Claim(name) => format!("{CLAIM}{name}"),
                }
            }

            /// Reads a variable.
            pub(super) fn find(text: &str) -> Option<Self> {
                match text {
                    $($name => Some(Self::$variant),)+
                    // As the rules of OCI's dynamic groups call them.
                    "resource.type" => Some(Self::PrincipalType),
                    "resource.compartment.id" => Some(Self::PrincipalCompartmentId),
                    other => {
                        let name = other.strip_prefix(CLAIM).filter(|name| !name.is_empty())?;
                        Some(Self::Claim(name.to_owned()))
                    }
                }
            }

            pub(super) const fn comparison(&self) -> Comparison {
                match self {
                    $(Self::$variant => Comparison::$comparison,)+
                    Self::Claim(_) => Comparison::Exact,
                }
            }
        }
    };
}

/// A variable, for the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableInfo {
    /// Its name.
    pub name: &'static str,
    /// Its meaning.
    pub meaning: &'static str,
}

const CLAIM: &str = "request.claim.";

variables! {
    UserId, "request.user.id", Exact, "Id of the user that calls.";
    UserName, "request.user.name", Folded, "Name of the user that calls.";
    GroupsId, "request.groups.id", Exact, "Ids of the caller's groups; one of them is enough.";
    GroupsName, "request.groups.name", Folded, "Names of the caller's groups; one of them is enough.";
    PrincipalType, "request.principal.type", Folded, "`user`, `workload` or `certificateauthority`.";
    PrincipalId, "request.principal.id", Exact, "Id of the caller: of a user, of a CA, or the identity of a machine.";
    PrincipalName, "request.principal.name", Folded, "Name of the caller.";
    PrincipalCompartmentId, "request.principal.compartment.id", Exact, "The compartment that a CA which calls lies in.";
    Permission, "request.permission", Folded, "What is asked for, for example `keys:use`.";
    Operation, "request.operation", Exact, "The operation, for example `signCertificate`, as `openapi.yaml` calls it.";
    Door, "request.door", Folded, "How the caller came: `token`, `jwt`, `certificate` or `enrollment`.";
    NetworkSourceIp, "request.networkSource.ip", Address, "The address the request came from: `=` and `in` take addresses and ranges.";
    Timestamp, "request.utc-timestamp", Time, "Now: `before` and `after` take RFC 3339.";
    MonthOfYear, "request.utc-timestamp.month-of-year", Exact, "Month now, `1` to `12`.";
    DayOfMonth, "request.utc-timestamp.day-of-month", Exact, "Day of the month now, `1` to `31`.";
    DayOfWeek, "request.utc-timestamp.day-of-week", Folded, "Day of the week now, `monday` to `sunday`.";
    TimeOfDay, "request.utc-timestamp.time-of-day", TimeOfDay, "Time of day now: `between '08:00:00Z' and '18:00:00Z'`.";
    TargetCompartmentId, "target.compartment.id", Exact, "Id of the compartment that the object lies in.";
    TargetCompartmentName, "target.compartment.name", Exact, "Name of the compartment that the object lies in.";
    TargetId, "target.resource.id", Exact, "Id of the object.";
    TargetName, "target.resource.name", Exact, "Name of the object.";
    TargetCaId, "target.ca.id", Exact, "Id of the CA: the object, or the one that is to sign, or that has signed.";
    TargetCaName, "target.ca.name", Exact, "Name of that CA.";
    TargetVaultId, "target.vault.id", Exact, "Id of the vault: the object, or the one that the key lies in.";
    TargetVaultName, "target.vault.name", Exact, "Name of that vault.";
    TargetKeyId, "target.key.id", Exact, "Id of the key.";
    TargetKeyName, "target.key.name", Exact, "Name of the key.";
    TargetCertificateId, "target.certificate.id", Exact, "Id of the managed certificate.";
    TargetCertificateName, "target.certificate.name", Exact, "Name of the managed certificate.";
    TargetProfileName, "target.profile.name", Exact, "Name of the profile: the object, or the one that is signed with.";
    TargetProfileId, "target.profile.id", Exact, "Id of the profile, where it is the object; built-in ones have none.";
    NetworkSourceName, "request.networkSource.name", Exact, "OCI's; there are no named networks, so it never applies.";
    Region, "request.region", Folded, "OCI's; there are no regions, so it never applies.";
    IncludePlainTextKey, "request.includePlainTextKey", Folded, "OCI's; it never applies.";
    KmsKeyId, "request.kms-key.id", Exact, "OCI's; it never applies.";
    TargetSecretId, "target.secret.id", Exact, "OCI's; there are no secrets yet, so it never applies.";
    TargetSecretName, "target.secret.name", Exact, "OCI's; there are no secrets yet, so it never applies.";
    TargetNames, "target.names", Folded, "Every name that a certificate is to carry, those in its subject too: all of them must match.";
}

impl Variable {
    /// Does it say who asks, or how they came?
    pub(super) fn is_about_the_asker(&self) -> bool {
        let name = self.name();
        let parts = ["request.user.", "request.groups.", "request.principal.", "request.claim.", "request.door"];
        parts.into_iter().any(|part| name.starts_with(part))
    }

    /// Must every value of it match, and not just one?
    pub(super) const fn takes_all(&self) -> bool {
        matches!(self, Self::TargetNames)
    }

    /// The known variable that is written most like this.
    pub(super) fn nearest(text: &str) -> Option<&'static str> {
        let near = VARIABLES.iter().map(|known| (super::fault::distance(known.name, text), known.name));
        near.min().filter(|(distance, _)| *distance <= 4).map(|(_, name)| name)
    }
}
