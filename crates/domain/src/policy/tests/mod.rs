//! Policies: what is understood, what is refused where, and what is allowed.

mod decisions;
mod syntax;

use super::*;
use crate::id::{CompartmentId, GroupId, PolicyId, UserId};
use crate::principal::PrincipalName;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;

/// Facts by the names of their variables.
#[derive(Debug, Clone, Default)]
struct Told {
    texts: HashMap<String, Vec<String>>,
    address: Option<IpAddr>,
    at: Option<Timestamp>,
    flag: Option<bool>,
}

impl Told {
    fn with(mut self, name: &str, values: &[&str]) -> Self {
        self.texts.insert(name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect());
        self
    }
}

impl Facts for Told {
    fn value(&self, variable: &Variable) -> Value<'_> {
        match variable {
            Variable::Known(Known::RequestNetworkSourceIp) => self.address.map_or(Value::Missing, Value::Ip),
            Variable::Known(Known::RequestTime) => self.at.map_or(Value::Missing, Value::Time),
            Variable::Known(Known::RequestPlainTextKey) => self.flag.map_or(Value::Missing, Value::Flag),
            other => self.texts.get(&other.to_string()).map_or(Value::Missing, |values| Value::Many(values)),
        }
    }
}

fn holds(rule: &str, facts: &Told) -> bool {
    MatchingRule::parse(rule).unwrap_or_else(|fault| panic!("{rule}: {fault}")).condition().holds(facts)
}

fn id<T>(parse: impl Fn(&str) -> Result<T, crate::violation::Invalid>, prefix: &str, number: usize) -> T {
    parse(&format!("{prefix}_{number:026}")).unwrap()
}

fn compartment(number: usize) -> CompartmentId {
    id(CompartmentId::parse, "compartment", number)
}

fn group(number: usize) -> GroupId {
    id(GroupId::parse, "group", number)
}

fn user(number: usize) -> UserId {
    id(UserId::parse, "user", number)
}

/// tenancy → prod (1) → web (2); tenancy → lab (3).
fn tree() -> CompartmentTree {
    CompartmentTree::build([
        (compartment(1), CompartmentId::tenancy(), "prod".to_owned()),
        (compartment(2), compartment(1), "web".to_owned()),
        (compartment(3), CompartmentId::tenancy(), "lab".to_owned()),
    ])
    .unwrap()
}

fn directory() -> Directory {
    let name = |text: &str| PrincipalName::parse(text).unwrap();
    Directory {
        users: HashMap::from([(name("ann"), user(1))]),
        groups: HashMap::from([(name("ops"), group(1)), (name("dev"), group(2))]),
        dynamic_groups: HashMap::from([(
            name("pipelines"),
            (
                id(crate::id::DynamicGroupId::parse, "dynamicgroup", 1),
                MatchingRule::parse("all {request.principal.type = 'workload', request.claim.repository = 'org/app'}")
                    .unwrap(),
            ),
        )]),
    }
}

fn policies_at(attached: &CompartmentId, statements: &[&str]) -> Policies {
    let statements =
        statements.iter().map(|text| Statement::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}")));
    let policy = Policy {
        id: id(PolicyId::parse, "policy", 1),
        name: "p".to_owned(),
        attached: attached.clone(),
        statements: statements.collect(),
    };
    Policies::compile(tree(), [policy], &directory())
}

fn policies(statements: &[&str]) -> Policies {
    policies_at(&CompartmentId::tenancy(), statements)
}

fn asked(verb: Verb, resource: ResourceType) -> Asked {
    Asked { resource, verb }
}
