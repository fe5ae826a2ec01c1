//! What a decision over 1,000 statements costs: `cargo bench -p certwright-domain --bench policy`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and fails by panicking")]

use certwright_domain::id::{CompartmentId, GroupId, PolicyId};
use certwright_domain::policy::{
    Asked, CompartmentTree, Decision, Directory, Facts, Known, Policies, Policy, Principal, ResourceType, Statement,
    Value, Variable, Verb,
};
use certwright_domain::principal::PrincipalName;
use std::hint::black_box;
use std::time::Instant;

struct Request;

impl Facts for Request {
    fn value(&self, variable: &Variable) -> Value<'_> {
        match variable {
            Variable::Known(Known::TargetCaName) => Value::One("issuing-999"),
            _ => Value::Missing,
        }
    }
}

fn measure(what: &str, group_of: impl Fn(usize) -> usize) {
    let group = |number: usize| GroupId::parse(&format!("group_{number:026}")).expect("an id");
    let named = |number: usize| PrincipalName::parse(&format!("g{number}")).expect("a name");
    let text = |number: usize| {
        let group = group_of(number);
        format!(
            "Allow group g{group} to use certificate-authority-family in tenancy where target.ca.name = 'issuing-{number}'"
        )
    };
    let policy = Policy {
        id: PolicyId::parse("policy_00000000000000000000000001").expect("an id"),
        name: "bench".to_owned(),
        attached: CompartmentId::tenancy(),
        statements: (0..1000).map(|number| Statement::parse(&text(number)).expect("a statement")).collect(),
    };
    let directory =
        Directory { groups: (0..1000).map(|number| (named(number), group(number))).collect(), ..Directory::default() };
    let tree = CompartmentTree::build([]).expect("a tree");
    let begun = Instant::now();
    let policies = Policies::compile(tree, [policy], &directory);
    let compiled = begun.elapsed();
    let groups = [group(group_of(999))];
    let who = Principal { user: None, groups: &groups, narrowings: None };
    let asked = Asked { resource: ResourceType::CertificateAuthorityDelegates, verb: Verb::Use };
    let place = CompartmentId::tenancy();
    let rounds = 2_000_u32;
    let begun = Instant::now();
    for _ in 0..rounds {
        let decision = policies.decide(black_box(who), asked, &place, &Request);
        assert!(matches!(decision, Decision::Allowed(statement) if statement.index == 999), "the last one allows it");
    }
    let each = begun.elapsed().as_nanos().checked_div(u128::from(rounds)).unwrap_or_default();
    println!("{what}: {each} ns per decision, compiled in {} us", compiled.as_micros());
}

fn main() {
    measure("1,000 statements for 1,000 groups", |number| number);
    measure("1,000 statements for one group, the last one decides", |_| 0);
}
