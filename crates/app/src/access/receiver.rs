//! Whom something is given to: what is known of them before they ask, and which dynamic groups they could be in.

use super::snapshot::{KnownUser, Snapshot};
use certwright_domain::policy::{Facts, MatchingRule, Value, Variable};

/// A user, or a machine of which nothing is known but the groups that whoever vouches for it puts it into.
pub(super) struct Receiver<'a> {
    snapshot: &'a Snapshot,
    user: Option<(&'a str, &'a KnownUser)>,
    /// Numbers of groups, in ascending order.
    groups: Vec<u32>,
}

impl<'a> Receiver<'a> {
    pub(super) fn user(snapshot: &'a Snapshot, name: &'a str, known: &'a KnownUser) -> Self {
        Self { snapshot, user: Some((name, known)), groups: known.groups.clone() }
    }

    pub(super) fn machine(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, user: None, groups: Vec::new() }
    }

    /// The same, in these groups as well.
    pub(super) fn joining(&self, groups: &[u32]) -> Self {
        let mut groups = [self.groups.as_slice(), groups].concat();
        groups.sort_unstable();
        groups.dedup();
        Self { groups, ..*self }
    }

    /// Every dynamic group that it could be in, in ascending order.
    pub(super) fn dynamic_groups(&self) -> Vec<u32> {
        self.those(|rule| rule.could_match(self, self.open()))
    }

    /// Those that it could be in because of a group that it was not in `before`.
    pub(super) fn gained(&self, before: &Self) -> Vec<u32> {
        self.those(|rule| rule.gains(before, self) && rule.could_match(self, self.open()))
    }

    fn those(&self, belongs: impl Fn(&MatchingRule) -> bool) -> Vec<u32> {
        let found = self.snapshot.rules.iter().filter(|(_, rule)| belongs(rule)).map(|(number, _)| *number);
        let mut found: Vec<u32> = found.collect();
        found.sort_unstable();
        found
    }

    /// The variables of which nothing is known beforehand.
    fn open(&self) -> fn(&Variable) -> bool {
        match self.user {
            Some(_) => is_of_the_call,
            None => is_of_the_call_or_the_machine,
        }
    }

    fn groups(&self, part: impl Fn(&'a (String, String)) -> &'a str) -> Value<'a> {
        let snapshot = self.snapshot;
        Value::Many(self.groups.iter().filter_map(|number| snapshot.groups.get(number)).map(part).collect())
    }
}

/// Does it say something else with every call?
fn is_of_the_call(variable: &Variable) -> bool {
    use Variable as V;
    matches!(
        variable,
        V::Operation | V::NetworkSourceIp | V::Timestamp | V::MonthOfYear | V::DayOfMonth | V::DayOfWeek | V::TimeOfDay
    )
}

fn is_of_the_call_or_the_machine(variable: &Variable) -> bool {
    use Variable as V;
    is_of_the_call(variable) || matches!(variable, V::PrincipalId | V::PrincipalName | V::Door | V::Claim(_))
}

impl Facts for Receiver<'_> {
    /// What rules see of it when it asks for something, as far as that is known.
    fn value(&self, variable: &Variable) -> Value<'_> {
        use Variable as V;
        let of_user = |part: &str| if self.user.is_some() { Value::Made(part.to_owned()) } else { Value::Missing };
        let (name, id) = self.user.map_or(("", ""), |(name, known)| (name, known.id.as_str()));
        match variable {
            V::UserId | V::PrincipalId => of_user(id),
            V::UserName | V::PrincipalName => of_user(name),
            V::GroupsId => self.groups(|(_, id)| id),
            V::GroupsName => self.groups(|(name, _)| name),
            V::PrincipalType => Value::One(if self.user.is_some() { "user" } else { "workload" }),
            // Users have no way in but their tokens.
            V::Door => of_user("token"),
            V::Permission => Value::One(""),
            V::Operation
            | V::NetworkSourceIp
            | V::Timestamp
            | V::MonthOfYear
            | V::DayOfMonth
            | V::DayOfWeek
            | V::TimeOfDay
            | V::Claim(_)
            | V::PrincipalCompartmentId
            // Who belongs to a dynamic group is asked without an object.
            | V::TargetCompartmentId
            | V::TargetCompartmentName
            | V::TargetId
            | V::TargetName
            | V::TargetCaId
            | V::TargetCaName
            | V::TargetVaultId
            | V::TargetVaultName
            | V::TargetKeyId
            | V::TargetKeyName
            | V::TargetCertificateId
            | V::TargetCertificateName
            | V::TargetProfileName
            | V::TargetProfileId
            | V::NetworkSourceName
            | V::Region
            | V::IncludePlainTextKey
            | V::KmsKeyId
            | V::TargetSecretId
            | V::TargetSecretName
            | V::TargetNames => Value::Missing,
        }
    }
}
