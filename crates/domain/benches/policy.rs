//! What a decision over 1,000 statements costs: `cargo bench -p certwright-domain --bench policy`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and fails by panicking")]

use certwright_domain::access::Compartment;
use certwright_domain::id::CompartmentId;
use certwright_domain::name::ResourceName;
use certwright_domain::policy::{Asked, Attached, CompartmentTree, Facts, Policies, Statement, Value, Variable, Who};
use certwright_domain::time::Timestamp;
use std::hint::black_box;
use std::time::Instant;

struct Request;

impl Facts for Request {
    fn value(&self, variable: &Variable) -> Value<'_> {
        match variable {
            Variable::TargetCaName => Value::One("issuing-999"),
            _ => Value::Missing,
        }
    }
}

/// The tenancy and five compartments, each in the one before.
fn compartments() -> Vec<Compartment> {
    let id = |number: u8| match number {
        0 => CompartmentId::tenancy(),
        other => CompartmentId::new(Timestamp::from_unix_s(1), [other; 10]),
    };
    let named = |number: u8| if number == 0 { "tenancy".to_owned() } else { format!("c{number}") };
    let compartment = |number: u8| Compartment {
        id: id(number),
        parent: number.checked_sub(1).map(id),
        name: ResourceName::parse(&named(number)).expect("a name"),
        description: String::new(),
        created_at: Timestamp::from_unix_s(0),
        revision: 1,
    };
    (0..6).map(compartment).collect()
}

fn measure(what: &str, group_of: impl Fn(usize) -> usize) {
    let names: Vec<(String, String)> =
        (0..1000).map(|number| (format!("g{number}"), format!("group_{number:026}"))).collect();
    let statements = (0..1000).map(|number| {
        let group = group_of(number);
        let text = format!(
            "Allow group g{group} to use certificate-authority-family in compartment c3 \
             where target.ca.name = 'issuing-{number}'"
        );
        let statement = Statement::parse(&text).expect("a statement");
        Attached { policy: "bench".into(), number, compartment: CompartmentId::tenancy(), statement }
    });
    let tree = CompartmentTree::new(&compartments());
    let groups = names.iter().map(|(name, id)| (name.as_str(), id.as_str()));
    let begun = Instant::now();
    let policies = Policies::compile(tree, groups, std::iter::empty(), statements);
    let compiled = begun.elapsed();
    let mine = policies.group(&format!("g{}", group_of(999))).expect("a group");
    let who = Who { groups: vec![mine], ..Who::default() };
    let asked = Asked::parse("certificate-authority-delegates:use").expect("a permission");
    let place = compartments().pop().expect("six").id;
    let rounds = 2_000_u32;
    let begun = Instant::now();
    for _ in 0..rounds {
        let ground = policies.decide(black_box(&who), asked, &place, &Request).expect("the last one allows it");
        assert_eq!(ground.number, 999);
    }
    let each = begun.elapsed().as_nanos().checked_div(u128::from(rounds)).unwrap_or_default();
    println!("{what}: {each} ns per decision, read and compiled in {} us", compiled.as_micros());
}

fn main() {
    measure("1,000 statements for 1,000 groups", |number| number);
    measure("1,000 statements for one group, the last one decides", |_| 0);
}
