//! What conditions see of a request.

use super::caller::Principal;
use super::snapshot::{KnownUser, Snapshot};
use super::{Call, Caller, Object};
use certwright_domain::id::CompartmentId;
use certwright_domain::policy::{Facts, Value, Variable, Who};
use certwright_domain::time::Timestamp;

/// A CA that asks for something itself.
#[derive(Clone, Copy)]
pub(crate) struct CaPrincipal<'a> {
    /// Its id; empty: it is about to be made.
    pub(crate) id: &'a str,
    /// Its name.
    pub(crate) name: &'a str,
    /// Where it lies.
    pub(crate) home: &'a CompartmentId,
}

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum Asker<'a> {
    Call(&'a Call),
    Ca(&'a CaPrincipal<'a>),
}

/// A request with everything that can be known of it.
pub(super) struct RequestFacts<'a> {
    pub(super) asker: Asker<'a>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) user: Option<&'a KnownUser>,
    pub(super) who: &'a Who,
    pub(super) permission: &'a str,
    /// `None`: lists, which are about no object.
    pub(super) object: Option<&'a Object<'a>>,
    pub(super) now: Timestamp,
}

const WEEKDAYS: [&str; 7] = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];
const MS_OF_A_DAY: i64 = 86_400_000;

impl<'a> RequestFacts<'a> {
    fn caller(&self) -> Option<&'a Caller> {
        match self.asker {
            Asker::Call(call) => Some(&call.caller),
            Asker::Ca(_) => None,
        }
    }

    fn groups(&self, part: impl Fn(&'a (String, String)) -> &'a str) -> Value<'a> {
        let groups = self.who.groups.iter().filter_map(|number| self.snapshot.groups.get(number));
        Value::Many(groups.map(part).collect())
    }

    fn claim(&self, name: &str) -> Value<'a> {
        let Some(caller) = self.caller() else { return Value::Missing };
        let Principal::Workload(workload) = &*caller.principal else { return Value::Missing };
        match workload.claims.get(name).map(Vec::as_slice) {
            None | Some([]) => Value::Missing,
            Some([one]) => Value::One(one),
            Some(many) => Value::Many(many.iter().map(String::as_str).collect()),
        }
    }

    fn object(&self, part: impl Fn(&'a Object<'a>) -> Option<&'a str>) -> Value<'a> {
        some(self.object.and_then(part))
    }

    /// A part of the present time, by its place in RFC 3339.
    fn part_of_now(&self, place: std::ops::Range<usize>) -> String {
        self.now.to_string().get(place).unwrap_or_default().to_owned()
    }
}

fn some(value: Option<&str>) -> Value<'_> {
    value.filter(|value| !value.is_empty()).map_or(Value::Missing, Value::One)
}

impl Facts for RequestFacts<'_> {
    fn value(&self, variable: &Variable) -> Value<'_> {
        use Variable as V;
        match variable {
            V::UserId => some(self.user.map(|user| user.id.as_str())),
            V::UserName => some(self.caller().and_then(Caller::user)),
            V::GroupsId => self.groups(|(_, id)| id),
            V::GroupsName => self.groups(|(name, _)| name),
            V::PrincipalType => match self.asker {
                Asker::Ca(_) => Value::One("certificateauthority"),
                Asker::Call(call) => Value::One(call.caller.principal.kind()),
            },
            V::PrincipalId => match self.asker {
                Asker::Ca(ca) => some(Some(ca.id)),
                Asker::Call(call) => match self.user {
                    Some(user) => Value::One(user.id.as_str()),
                    None => Value::One(&call.caller.id),
                },
            },
            V::PrincipalName => match self.asker {
                Asker::Ca(ca) => Value::One(ca.name),
                Asker::Call(call) => Value::One(call.caller.user().unwrap_or(&call.caller.name)),
            },
            V::PrincipalCompartmentId => match self.asker {
                Asker::Ca(ca) => Value::One(ca.home.as_str()),
                Asker::Call(_) => Value::Missing,
            },
            V::Permission => Value::One(self.permission),
            V::Operation => match self.asker {
                Asker::Call(call) => some(call.operation.map(|operation| operation.id)),
                Asker::Ca(_) => Value::Missing,
            },
            V::Door => some(self.caller().map(|caller| caller.door.as_str())),
            V::NetworkSourceIp => match self.asker {
                Asker::Call(call) => call.address.map_or(Value::Missing, Value::Address),
                Asker::Ca(_) => Value::Missing,
            },
            V::Timestamp => Value::Time(self.now),
            V::MonthOfYear => Value::Made(self.part_of_now(5..7).trim_start_matches('0').to_owned()),
            V::DayOfMonth => Value::Made(self.part_of_now(8..10).trim_start_matches('0').to_owned()),
            V::DayOfWeek => {
                let day = self.now.unix_ms().div_euclid(MS_OF_A_DAY).rem_euclid(7);
                some(usize::try_from(day).ok().and_then(|day| WEEKDAYS.get(day).copied()))
            }
            V::TimeOfDay => Value::Made(format!("{}Z", self.part_of_now(11..19))),
            V::TargetCompartmentId => self.object(|object| Some(object.compartment.as_str())),
            V::TargetCompartmentName => {
                some(self.object.and_then(|object| self.snapshot.policies.tree().name(&object.compartment)))
            }
            V::TargetId => self.object(|object| Some(object.itself?.0)),
            V::TargetName => self.object(|object| Some(object.itself?.1)),
            V::TargetCaId => self.object(|object| Some(object.ca?.0)),
            V::TargetCaName => self.object(|object| Some(object.ca?.1)),
            V::TargetVaultId => self.object(|object| Some(object.vault?.0)),
            V::TargetVaultName => self.object(|object| Some(object.vault?.1)),
            V::TargetKeyId => self.object(|object| Some(object.key?.0)),
            V::TargetKeyName => self.object(|object| Some(object.key?.1)),
            V::TargetCertificateId => self.object(|object| Some(object.certificate?.0)),
            V::TargetCertificateName => self.object(|object| Some(object.certificate?.1)),
            V::TargetProfileName => self.object(|object| Some(object.profile?.1)),
            V::TargetProfileId => self.object(|object| Some(object.profile?.0)),
            V::NetworkSourceName
            | V::Region
            | V::IncludePlainTextKey
            | V::KmsKeyId
            | V::TargetSecretId
            | V::TargetSecretName => Value::Missing,
            V::TargetNames => match self.object.and_then(|object| object.names) {
                Some(names) => Value::Many(names.iter().map(String::as_str).collect()),
                None => Value::Missing,
            },
            V::Claim(name) => self.claim(name),
        }
    }
}
