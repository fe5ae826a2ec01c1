//! What holds, and who may do what.

use super::*;
use proptest::prelude::*;

#[test]
fn a_variable_that_does_not_apply_makes_its_comparison_false() {
    let nothing = Told::default();
    for test in ["= 'a'", "!= 'a'", "in ('a')", "not in ('a')", "= /*/", "!= /a/"] {
        assert!(!holds(&format!("target.ca.name {test}"), &nothing), "{test}");
        assert!(!holds(&format!("target.ca.name {test}"), &nothing.clone().with("target.ca.name", &[])), "{test}");
    }
    assert!(!holds("request.networkSource.ip != '10.0.0.0/8'", &nothing));
    assert!(!holds("request.utc-timestamp before '2999-01-01T00:00:00Z'", &nothing));
    assert!(!holds("request.utc-timestamp.month-of-year != '1'", &nothing));
    let known = nothing.with("target.vault.name", &["v"]);
    assert!(holds("any {target.ca.name != 'a', target.vault.name = 'v'}", &known));
    assert!(!holds("all {target.ca.name != 'a', target.vault.name = 'v'}", &known));
}

#[test]
fn comparisons() {
    let facts = Told {
        address: Some("::ffff:10.1.2.3".parse().unwrap()),
        // A Friday.
        at: Some(Timestamp::parse("2026-02-27T23:15:00Z").unwrap()),
        flag: Some(false),
        ..Told::default()
    }
    .with("request.groups.name", &["ops", "dev"])
    .with("target.names", &["a.app.corp.example", "b.app.corp.example"])
    .with("target.ca.name", &["Issuing-1"])
    .with("request.claim.repository", &["org/app"]);
    for (rule, expected) in [
        ("request.groups.name = 'OPS'", true),
        ("request.groups.name != 'ops'", false),
        ("request.groups.name != 'x'", true),
        ("request.groups.name in ('x', 'dev')", true),
        ("request.groups.name not in ('x', 'dev')", false),
        ("target.names = /*.app.corp.example/", true),
        ("target.names = 'a.app.corp.example'", false),
        ("target.names in ('A.app.corp.example', /b.*/)", true),
        ("target.names != /a.*/", false),
        ("target.names != /c.*/", true),
        ("target.ca.name = 'issuing-1'", false),
        ("target.ca.name = /issuing*/", true),
        ("target.ca.name = /*s*i*1/", true),
        ("target.ca.name = /issuing-1*1/", false),
        (r"request.claim.repository = /org\/*/", true),
        ("request.claim.Repository = 'org/app'", false),
        ("request.networkSource.ip = '10.0.0.0/8'", true),
        ("request.networkSource.ip != '10.1.2.3'", false),
        ("request.networkSource.ip in ('192.168.0.0/16', '::/0')", false),
        ("request.includePlainTextKey = 'false'", true),
        ("request.utc-timestamp.day-of-week = 'fri'", true),
        ("request.utc-timestamp.day-of-week in ('sat', 'sun')", false),
        ("request.utc-timestamp.day-of-month = '27'", true),
        ("request.utc-timestamp.month-of-year != '2'", false),
        ("request.utc-timestamp.time-of-day between '22:00:00Z' and '06:00:00Z'", true),
        ("request.utc-timestamp.time-of-day between '06:00:00Z' and '22:00:00Z'", false),
        ("request.utc-timestamp between '2026-02-27T00:00:00Z' and '2026-02-27T23:15:00Z'", true),
        ("request.utc-timestamp after '2026-02-27T23:15:00Z'", false),
    ] {
        assert_eq!(holds(rule, &facts), expected, "{rule}");
    }
}

#[test]
fn the_four_statements_of_the_set_up() {
    let all = policies(&[
        "Allow group ops to manage key-family in compartment prod",
        "Allow group ops to manage secret-family in compartment prod",
        "Allow any-user to use keys in tenancy where request.principal.type='certificateauthority'",
        "Allow any-user to manage objects in tenancy where request.principal.type='certificateauthority'",
    ]);
    assert!(all.inert().is_empty());
    let notices = [0, 1].map(|at| {
        Statement::parse(
            [
                "Allow group ops to manage key-family in compartment prod",
                "Allow group ops to manage secret-family in compartment prod",
            ][at],
        )
        .unwrap()
        .notice()
        .is_some()
    });
    assert_eq!(notices, [false, true]);
    let ca = Told::default().with("request.principal.type", &["certificateauthority"]);
    let nobody = Principal { user: None, groups: &[], narrowings: None };
    let groups = [group(1)];
    let ops = Principal { groups: &groups, ..nobody };
    let person = Told::default().with("request.principal.type", &["user"]);
    let at = |verb, resource, who, place: &CompartmentId, facts: &Told| match all.decide(
        who,
        asked(verb, resource),
        place,
        facts,
    ) {
        Decision::Allowed(statement) => Some(statement.index),
        Decision::Denied => None,
    };
    assert_eq!(at(Verb::Use, ResourceType::Keys, nobody, &compartment(3), &ca), Some(2));
    assert_eq!(at(Verb::Manage, ResourceType::Keys, nobody, &compartment(3), &ca), None);
    assert_eq!(at(Verb::Use, ResourceType::Keys, nobody, &compartment(3), &person), None);
    assert_eq!(at(Verb::Manage, ResourceType::Objects, nobody, &compartment(3), &ca), Some(3));
    assert_eq!(at(Verb::Manage, ResourceType::Vaults, ops, &compartment(2), &person), Some(0));
    assert_eq!(at(Verb::Manage, ResourceType::Vaults, ops, &compartment(3), &person), None);
    assert_eq!(
        at(Verb::Manage, ResourceType::Vaults, ops, &compartment(9), &person),
        None,
        "a compartment that is not there"
    );
    assert_eq!(at(Verb::Inspect, ResourceType::Profiles, ops, &compartment(2), &person), None);
    let why = all.explain(ops, asked(Verb::Manage, ResourceType::Keys), &compartment(3), &person);
    assert_eq!(why.iter().map(|(_, why)| *why).collect::<Vec<_>>(), [Why::Location, Why::Verb]);
}

#[test]
fn subjects_narrowings_and_lists() {
    let all = policies(&[
        "Allow dynamic-group Pipelines to use certificate-authority-delegates in compartment prod where target.names = /*.app.corp.example/",
        "Allow user Ann to read vaults in compartment prod:web",
        "Allow any-group to inspect vaults in tenancy",
        "Allow group nobody-yet to manage vaults in tenancy",
    ]);
    assert_eq!(all.inert().len(), 1);
    let job =
        Told::default().with("request.principal.type", &["workload"]).with("request.claim.repository", &["org/app"]);
    let nobody = Principal { user: None, groups: &[], narrowings: None };
    let sign = asked(Verb::Use, ResourceType::CertificateAuthorityDelegates);
    let may = |facts: &Told, who: Principal<'_>| all.decide(who, sign, &compartment(2), facts) != Decision::Denied;
    let named = |names: &[&str]| job.clone().with("target.names", names);
    assert!(may(&named(&["a.app.corp.example"]), nobody));
    assert!(!may(&named(&["a.app.corp.example", "evil.example"]), nobody));
    assert!(!may(&job, nobody));
    assert!(!may(&named(&["a.app.corp.example"]).with("request.claim.repository", &["org/other"]), nobody));
    assert!(all.may_anywhere(nobody, sign, &job));
    assert!(!all.may_anywhere(nobody, sign, &Told::default()));
    for (narrowing, expected) in [
        ("use certificate-authority-delegates in compartment prod", true),
        ("read certificate-authority-delegates in tenancy", false),
        ("use keys in tenancy", false),
        ("use certificate-authority-family in compartment lab", false),
        ("use all-resources in tenancy where target.names = 'b.app.corp.example'", false),
    ] {
        let narrowings = [Narrowing::parse(narrowing).unwrap()];
        let who = Principal { narrowings: Some(&narrowings), ..nobody };
        assert_eq!(may(&named(&["a.app.corp.example"]), who), expected, "{narrowing}");
    }
    assert!(!may(&named(&["a.app.corp.example"]), Principal { narrowings: Some(&[]), ..nobody }));

    let ann = user(1);
    let groups = [group(2)];
    let (ann, dev) = (Principal { user: Some(&ann), ..nobody }, Principal { groups: &groups, ..nobody });
    let read = |who, place: &CompartmentId| {
        all.decide_all(who, asked(Verb::Read, ResourceType::Vaults), place, &Told::default()).len()
    };
    assert_eq!((read(ann, &compartment(2)), read(ann, &compartment(1)), read(dev, &compartment(2))), (1, 0, 0));
    let list = asked(Verb::Inspect, ResourceType::Vaults);
    assert!(all.may_anywhere(dev, list, &Told::default()) && !all.may_anywhere(nobody, list, &Told::default()));
}

#[test]
fn a_policy_reaches_its_own_compartment_and_those_below() {
    for (location, reached) in [
        ("compartment prod", true),
        ("compartment prod:web", true),
        ("compartment WEB", true),
        ("compartment lab", false),
        ("tenancy", false),
        ("compartment lab:web", false),
        ("compartment none", false),
    ] {
        let text = format!("Allow any-user to use keys in {location}");
        assert_eq!(
            Statement::parse(&text).unwrap().check_location(&tree(), &compartment(1)).is_ok(),
            reached,
            "{location}"
        );
        assert_eq!(policies_at(&compartment(1), &[&text]).inert().is_empty(), reached, "{location}");
    }
}

#[test]
fn rows_that_are_no_tree_are_refused() {
    let row = |id, parent, name: &str| (compartment(id), compartment(parent), name.to_owned());
    assert_eq!(CompartmentTree::build([row(1, 0, "a"), row(2, 0, "A")]).unwrap_err(), TreeFault::Twice("A".to_owned()));
    assert!(CompartmentTree::build([row(1, 2, "a"), row(2, 1, "b")]).is_err());
    assert!(CompartmentTree::build([row(0, 1, "a")]).is_err());
    let chain = |length: usize| CompartmentTree::build((1..=length).map(|at| row(at, at - 1, &format!("c{at}"))));
    assert!(chain(6).is_ok() && chain(7).is_err());
}

const STATEMENTS: [&str; 9] = [
    "Allow group ops to manage all-resources in tenancy",
    "Allow group ops to manage certificate-authority-family in compartment prod",
    "Allow group dev to use keys in compartment web where target.key.name = 'k'",
    "Allow any-user to use keys in tenancy where request.principal.type = 'workload'",
    "Allow dynamic-group pipelines to manage vaults in tenancy",
    "Allow any-group to read vaults in compartment lab",
    "Allow user ann to manage key-family in compartment prod",
    "Allow group dev to manage keys in compartment prod where target.key.name = 'k'",
    "Allow group dev to inspect leaf-certificate-family in tenancy where target.key.name != 'k'",
];

proptest! {
    /// Whatever may be granted never allows anybody what the grantor could not do in the same place with the same target.
    #[test]
    fn nobody_grants_what_they_lack(
        own in prop::sample::subsequence(&STATEMENTS[..], 0..=4), new in 0..STATEMENTS.len(), groups in prop::sample::subsequence(vec![1, 2], 0..=2),
        is_ann: bool, key in prop::sample::select(vec!["k", "other"]), place in 0..4_usize,
        verb in prop::sample::select(Verb::ALL), resource in prop::sample::select(ResourceType::ALL),
    ) {
        let all = policies(&own);
        let (ann, groups) = (user(1), groups.into_iter().map(group).collect::<Vec<_>>());
        let grantor = Principal { user: is_ann.then_some(&ann), groups: &groups, narrowings: None };
        let statement = Statement::parse(STATEMENTS[new]).unwrap();
        if all.covers(grantor, &statement, &CompartmentId::tenancy()) {
            let granted = policies(&[STATEMENTS[new]]);
            let everybody = [group(1), group(2)];
            let receiver = Principal { user: Some(&ann), groups: &everybody, narrowings: None };
            let target = Told::default().with("target.key.name", &[key]);
            let at_most = target.clone().with("request.principal.type", &["workload"]).with("request.claim.repository", &["org/app"]);
            let asked = asked(verb, resource);
            if granted.decide(receiver, asked, &compartment(place), &at_most) != Decision::Denied {
                prop_assert_ne!(all.decide(grantor, asked, &compartment(place), &target), Decision::Denied);
            }
        }
    }

    /// A value is compared as it is: stars and slashes in it mean nothing.
    #[test]
    fn values_are_data(value in "[a-z*/'{}]{1,8}") {
        let facts = Told::default().with("target.ca.name", &[&value]).with("target.names", &[&value]);
        prop_assert_eq!(holds("target.ca.name = 'issuing'", &facts), value == "issuing");
        prop_assert_eq!(holds("target.ca.name = /issuing-*/", &facts), value.starts_with("issuing-"));
        prop_assert_eq!(holds("target.names = /*.corp/", &facts), value.ends_with(".corp"));
        if !value.contains('\'') {
            let rule = format!("target.ca.name = '{value}'");
            prop_assert_eq!(holds(&rule, &Told::default().with("target.ca.name", &["issuing"])), value == "issuing");
        }
    }
}

#[test]
fn what_may_be_granted() {
    let ops = [group(1)];
    let nobody = Principal { user: None, groups: &[], narrowings: None };
    let grantor = Principal { groups: &ops, ..nobody };
    let tenancy = CompartmentId::tenancy();
    let may = |own: &str, new: &str| policies(&[own]).covers(grantor, &Statement::parse(new).unwrap(), &tenancy);
    let own = "Allow group ops to use key-family in compartment prod";
    assert!(may(own, "Allow group dev to use keys in compartment web"));
    assert!(may(own, "Allow any-user to read key-family in compartment prod where target.key.name = 'k'"));
    assert!(!may(own, "Allow group dev to manage keys in compartment web"));
    assert!(!may(own, "Allow group dev to use keys in tenancy"));
    assert!(!may(own, "Allow group dev to use all-resources in compartment web"));
    let own = "Allow group ops to use keys in tenancy where target.key.name='k'";
    assert!(may(own, "Allow group dev to use keys in tenancy where target.key.name  = 'k'"));
    assert!(!may(own, "Allow group dev to use keys in tenancy where target.key.name = 'l'"));
    assert!(!may(own, "Allow group dev to use keys in tenancy"));
    let own = "Allow group ops to use keys in tenancy where request.user.name = 'bob'";
    assert!(
        !may(own, "Allow user ann to use keys in tenancy where request.user.name = 'bob'"),
        "holds for bob, not for the grantor"
    );
    let own = "Allow dynamic-group pipelines to use keys in tenancy";
    assert!(!may(own, "Allow group dev to use keys in tenancy"));
}
