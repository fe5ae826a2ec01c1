//! Compartments, principals, policies.

use certwright_app::{Identity, PlacedResource};
use certwright_domain::access::{Compartment, DynamicGroup, Group, Policy, User};
use certwright_domain::policy::{Reason, Statement, Verdict};
use certwright_wire as wire;
use std::fmt::Display;

/// A compartment.
pub(crate) fn compartment(compartment: &Compartment) -> wire::Compartment {
    wire::Compartment {
        id: compartment.id.to_string(),
        name: compartment.name.to_string(),
        description: compartment.description.clone(),
        parent_id: shown(compartment.parent.as_ref()),
        created_at: compartment.created_at.to_string(),
    }
}

/// A resource in a compartment.
pub(crate) fn placed(placed: &PlacedResource) -> wire::PlacedResource {
    wire::PlacedResource {
        kind: placed.placement.kind.to_string(),
        id: placed.placement.resource_id.clone(),
        name: placed.name.clone(),
        compartment: placed.compartment.name.to_string(),
        compartment_id: placed.compartment.id.to_string(),
    }
}

/// A user of a list.
pub(crate) fn user(user: &User) -> wire::User {
    wire::User {
        id: user.id.to_string(),
        name: user.name.to_string(),
        description: user.description.clone(),
        enabled: user.enabled,
        groups: None,
        created_at: user.created_at.to_string(),
    }
}

/// A user with its groups.
pub(crate) fn user_with(one: &User, groups: &[Group]) -> wire::User {
    wire::User { groups: Some(names(groups)), ..user(one) }
}

/// A group.
pub(crate) fn group(group: &Group) -> wire::Group {
    wire::Group {
        id: group.id.to_string(),
        name: group.name.to_string(),
        description: group.description.clone(),
        created_at: group.created_at.to_string(),
    }
}

/// A user in a group.
pub(crate) fn membership(group: &Group, user: &User) -> wire::Membership {
    wire::Membership { group: group.name.to_string(), user: user.name.to_string() }
}

/// A dynamic group.
pub(crate) fn dynamic_group(group: &DynamicGroup) -> wire::DynamicGroup {
    wire::DynamicGroup {
        id: group.id.to_string(),
        name: group.name.to_string(),
        description: group.description.clone(),
        matching_rule: group.matching_rule.clone(),
        created_at: group.created_at.to_string(),
    }
}

/// A policy.
pub(crate) fn policy(policy: &Policy) -> wire::Policy {
    wire::Policy {
        id: policy.id.to_string(),
        name: policy.name.to_string(),
        description: policy.description.clone(),
        compartment_id: policy.compartment.to_string(),
        statements: policy.statements.clone(),
        notices: (0..).zip(&policy.statements).filter_map(|(number, text)| notice(number, text)).collect(),
        created_at: policy.created_at.to_string(),
    }
}

fn notice(statement: u32, text: &str) -> Option<wire::PolicyNotice> {
    let notice = Statement::parse(text).ok()?.notice()?.to_owned();
    Some(wire::PolicyNotice { statement, notice })
}

/// Who a caller is.
pub(crate) fn whoami(me: &Identity) -> wire::Whoami {
    wire::Whoami {
        id: me.principal.clone(),
        name: me.name.clone(),
        user: shown(me.user.as_ref().map(|user| &user.name)),
        user_id: shown(me.user.as_ref().map(|user| &user.id)),
        groups: names(&me.groups),
        token: shown(me.token.as_ref().map(|token| &token.name)),
        expires_at: shown(me.token.as_ref().and_then(|token| token.expires_at)),
    }
}

fn shown<T: Display>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn names(groups: &[Group]) -> Vec<String> {
    groups.iter().map(|group| group.name.to_string()).collect()
}

/// What the policies say to a question.
pub(crate) fn policy_answer(verdicts: Vec<Verdict>) -> wire::PolicyAnswer {
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let decided_by = verdicts.first().filter(|verdict| verdict.reason.is_none()).map(|verdict| wire::PolicyGround {
        policy: verdict.ground.policy.to_string(),
        number: number(verdict.ground.number),
        statement: verdict.ground.statement.to_string(),
    });
    let statements = verdicts.into_iter().map(|verdict| wire::PolicyVerdict {
        policy: verdict.ground.policy.to_string(),
        number: number(verdict.ground.number),
        statement: verdict.ground.statement.to_string(),
        outcome: outcome(verdict.reason).to_owned(),
    });
    wire::PolicyAnswer { allowed: decided_by.is_some(), decided_by, statements: statements.collect() }
}

const fn outcome(reason: Option<Reason>) -> &'static str {
    match reason {
        None => "ALLOWS",
        Some(Reason::Subject) => "SUBJECT",
        Some(Reason::Verb) => "VERB",
        Some(Reason::Location) => "LOCATION",
        Some(Reason::Condition) => "CONDITION",
        Some(Reason::Misplaced) => "MISPLACED",
    }
}
