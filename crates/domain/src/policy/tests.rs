use super::*;
use crate::access::Compartment;
use crate::id::CompartmentId;
use crate::name::ResourceName;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::collections::HashMap;

/// Facts given by hand.
#[derive(Default)]
struct Given(HashMap<String, Vec<String>>, Option<std::net::IpAddr>, Option<Timestamp>);

impl Given {
    fn new(pairs: &[(&str, &str)]) -> Self {
        let mut given = Self::default();
        for (name, value) in pairs {
            given.0.entry((*name).to_owned()).or_default().push((*value).to_owned());
        }
        given
    }

    fn from(mut self, address: &str) -> Self {
        self.1 = Some(address.parse().unwrap());
        self
    }

    fn at(mut self, time: &str) -> Self {
        self.2 = Some(Timestamp::parse(time).unwrap());
        self
    }
}

impl Facts for Given {
    fn value(&self, variable: &Variable) -> Value<'_> {
        match variable {
            Variable::NetworkSourceIp => self.1.map_or(Value::Missing, Value::Address),
            Variable::Timestamp => self.2.map_or(Value::Missing, Value::Time),
            other => match self.0.get(&other.name()).map(Vec::as_slice) {
                None => Value::Missing,
                Some([one]) if !matches!(other, Variable::TargetNames) => Value::One(one),
                Some(many) => Value::Many(many.iter().map(String::as_str).collect()),
            },
        }
    }
}

fn compartment(number: u8, name: &str, parent: Option<u8>) -> Compartment {
    Compartment {
        id: id(number),
        parent: parent.map(id),
        name: ResourceName::parse(name).unwrap(),
        description: String::new(),
        created_at: Timestamp::from_unix_s(0),
        revision: 1,
    }
}

fn id(number: u8) -> CompartmentId {
    match number {
        0 => CompartmentId::tenancy(),
        other => CompartmentId::new(Timestamp::from_unix_s(1), [other; 10]),
    }
}

/// tenancy ─ prod ─ web, tenancy ─ test
fn tree() -> CompartmentTree {
    CompartmentTree::new(&[
        compartment(0, "tenancy", None),
        compartment(1, "prod", Some(0)),
        compartment(2, "web", Some(1)),
        compartment(3, "test", Some(0)),
    ])
}

const GROUPS: [(&str, &str); 3] = [("ops", "group_a"), ("netadmins", "group_b"), ("g", "group_c")];

fn compiled(at: u8, statements: &[&str]) -> Policies {
    let attached = statements.iter().enumerate().map(|(number, text)| Attached {
        policy: "p".into(),
        number,
        compartment: id(at),
        statement: Statement::parse(text).unwrap(),
    });
    Policies::compile(tree(), GROUPS.into_iter(), [("pipelines", "dg_a")].into_iter(), attached)
}

fn member(policies: &Policies, groups: &[&str]) -> Who {
    let mut groups: Vec<u32> = groups.iter().filter_map(|name| policies.group(name)).collect();
    groups.sort_unstable();
    Who { user: ("somebody".into(), "user_x".into()), groups, dynamic_groups: Vec::new() }
}

fn asked(text: &str) -> Asked {
    Asked::parse(text).unwrap()
}

fn allowed(at: u8, statement: &str, groups: &[&str], what: &str, place: u8, facts: &Given) -> bool {
    let policies = compiled(at, &[statement]);
    policies.decide(&member(&policies, groups), asked(what), &id(place), facts).is_some()
}

#[test]
fn the_statements_of_ocis_set_up_work_as_they_are_written() {
    let none = Given::default();
    let ca = Given::new(&[("request.principal.type", "certificateauthority")]);
    assert!(allowed(0, "Allow group G to manage key-family in compartment prod", &["g"], "keys:manage", 1, &none));
    assert!(allowed(0, "Allow group G to manage key-family in compartment prod", &["g"], "vaults:use", 2, &none));
    assert!(!allowed(0, "Allow group G to manage key-family in compartment prod", &["g"], "keys:manage", 3, &none));
    let secrets = Statement::parse("Allow group G to manage secret-family in compartment prod").unwrap();
    assert!(secrets.notice().is_some_and(|notice| notice.contains("no secrets")));
    let keys = "Allow any-user to use keys in tenancy where request.principal.type='certificateauthority'";
    assert!(allowed(0, keys, &[], "keys:use", 2, &ca));
    assert!(!allowed(0, keys, &[], "keys:manage", 2, &ca));
    assert!(!allowed(0, keys, &[], "keys:use", 2, &none));
    let objects = "Allow any-user to manage objects in tenancy where request.principal.type='certificateauthority'";
    assert!(allowed(0, objects, &[], "objects:manage", 0, &ca));
    let whole = "Allow group NetAdmins to manage certificate-authority-family in compartment prod \
        where all {target.ca.name = 'issuing-1', request.networkSource.ip = '10.0.0.0/8'}";
    let facts = |ca: &str, from: &str| Given::new(&[("target.ca.name", ca)]).from(from);
    let asks = |facts: Given| allowed(0, whole, &["netadmins"], "certificate-authority-delegates:use", 1, &facts);
    assert!(asks(facts("issuing-1", "10.1.2.3")));
    assert!(asks(facts("issuing-1", "::ffff:10.1.2.3")));
    assert!(!asks(facts("issuing-2", "10.1.2.3")));
    assert!(!asks(facts("issuing-1", "11.1.2.3")));
}

#[test]
fn verbs_hold_the_lesser_ones_and_families_their_members() {
    let none = Given::default();
    for (given, verb) in Verb::ALL.into_iter().enumerate() {
        for (wanted, other) in Verb::ALL.into_iter().enumerate() {
            let text = format!("Allow group ops to {} vaults in tenancy", verb.as_str());
            let what = format!("vaults:{}", other.as_str());
            assert_eq!(allowed(0, &text, &["ops"], &what, 3, &none), given >= wanted, "{text}: {what}");
        }
    }
    for (family, members) in FAMILIES {
        for kind in ResourceType::ALL {
            let text = format!("Allow group ops to manage {family} in tenancy");
            let what = format!("{}:inspect", kind.as_str());
            assert_eq!(allowed(0, &text, &["ops"], &what, 1, &none), members.contains(*kind), "{family} {what}");
        }
    }
}

#[test]
fn subjects_are_told_apart() {
    let none = Given::default();
    let case = |statement: &str, who: &Who| {
        compiled(0, &[statement]).decide(who, asked("vaults:read"), &id(0), &none).is_some()
    };
    let all = compiled(0, &[]);
    let nobody = Who::default();
    let ops = member(&all, &["ops"]);
    let pipeline = Who { dynamic_groups: vec![0], ..Who::default() };
    for (subject, expected) in [
        ("any-user", [true, true, true]),
        ("any-group", [false, true, false]),
        ("group ops", [false, true, false]),
        ("group NETADMINS, 'Ops'", [false, true, false]),
        ("group Default/OPS", [false, true, false]),
        ("group nosuch", [false, false, false]),
        ("dynamic-group pipelines", [false, false, true]),
        ("user Somebody", [false, true, false]),
        ("user else", [false, false, false]),
    ] {
        let text = format!("Allow {subject} to read vaults in tenancy");
        let found = [&nobody, &ops, &pipeline].map(|who| case(&text, who));
        assert_eq!(found, expected, "{subject}");
    }
}

#[test]
fn a_policy_speaks_of_its_own_compartment_and_those_below_it() {
    let none = Given::default();
    let ask = |at, statement: &str, place| allowed(at, statement, &["ops"], "vaults:read", place, &none);
    let text = |place: &str| format!("Allow group ops to read vaults in {place}");
    assert!(ask(1, &text("compartment prod"), 2));
    assert!(ask(1, &text("compartment web"), 2));
    assert!(ask(0, &text("compartment prod:web"), 2));
    assert!(!ask(0, &text("compartment prod:web"), 1));
    assert!(!ask(0, &text("compartment test:web"), 2), "the path is wrong");
    assert!(!ask(1, &text("tenancy"), 2), "the tenancy is not below prod");
    assert!(!ask(3, &text("compartment prod"), 1), "prod is not below test");
    assert!(ask(0, &text(&format!("compartment id {}", id(2))), 2));
    let statement = Statement::parse(&text("compartment prod")).unwrap();
    assert!(matches!(Policies::check_location(&tree(), &statement, &id(3)), Err(Misplaced::Outside { .. })));
    let statement = Statement::parse(&text("compartment none")).unwrap();
    assert!(matches!(Policies::check_location(&tree(), &statement, &id(0)), Err(Misplaced::Absent(_))));
}

#[test]
fn conditions_hold_as_they_say() {
    let facts = Given::new(&[
        ("target.ca.name", "issuing-1"),
        ("request.principal.type", "Workload"),
        ("request.claim.repository", "org/app"),
        ("request.groups.name", "a"),
        ("request.groups.name", "b"),
        ("target.names", "x.app.corp.example"),
        ("target.names", "y.app.corp.example"),
        ("request.utc-timestamp.time-of-day", "09:30:00Z"),
    ])
    .from("10.1.2.3")
    .at("2026-11-21T09:30:00Z");
    for (condition, expected) in [
        ("target.ca.name = 'issuing-1'", true),
        ("target.ca.name = 'Issuing-1'", false),
        ("target.ca.name != 'issuing-2'", true),
        ("target.ca.name = /issuing-*/", true),
        ("target.ca.name != /issuing-*/", false),
        ("target.ca.name = /*-1/", true),
        ("target.ca.name = /i*g*1/", true),
        ("target.ca.name = /i*x*1/", false),
        ("target.ca.name in ('a', 'issuing-1')", true),
        ("target.ca.name not in ('a', 'issuing-1')", false),
        ("target.ca.name = 'issuing*'", false),
        ("request.principal.type = 'WORKLOAD'", true),
        ("resource.type = 'workload'", true),
        ("request.claim.repository = /org\\/*/", true),
        ("request.claim.repository = 'org/app'", true),
        ("request.groups.name = 'B'", true),
        ("request.groups.name != 'b'", false),
        ("request.groups.name != 'c'", true),
        ("target.names = /*.app.corp.example/", true),
        ("target.names = /x.*/", false),
        ("target.names = 'x.app.corp.example'", false),
        ("target.vault.name = 'x'", false),
        ("target.vault.name != 'x'", false),
        ("target.vault.name not in ('x')", false),
        ("any {target.vault.name != 'x', target.ca.name = 'issuing-1'}", true),
        ("all {target.vault.name != 'x', target.ca.name = 'issuing-1'}", false),
        ("all {any {target.ca.name = 'a', target.ca.name = 'issuing-1'}, request.claim.repository = 'org/app'}", true),
        ("request.networkSource.ip = '10.0.0.0/8'", true),
        ("request.networkSource.ip != '10.0.0.0/8'", false),
        ("request.networkSource.ip in ('192.0.2.1', '10.1.2.3')", true),
        ("request.utc-timestamp before '2027-01-01T00:00:00Z'", true),
        ("request.utc-timestamp after '2027-01-01T00:00:00Z'", false),
        ("request.utc-timestamp.time-of-day between '08:00:00Z' and '18:00:00Z'", true),
        ("request.utc-timestamp.time-of-day between '18:00:00Z' and '08:00:00Z'", false),
        ("request.utc-timestamp.time-of-day between '22:00:00Z' and '10:00:00Z'", true),
    ] {
        let rule = MatchingRule::parse(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
        assert_eq!(rule.matches(&facts), expected, "{condition}");
        assert_eq!(MatchingRule::parse(&rule.to_string()).unwrap(), rule, "{rule}");
    }
}

#[test]
fn a_pattern_speaks_of_names_of_its_own_kind() {
    for (condition, name, expected) in [
        ("target.names = /*.app.corp.example/", "x.app.corp.example", true),
        ("target.names = /*.app.corp.example/", "spiffe://corp/x.app.corp.example", false),
        ("target.names = /*.app.corp.example/", "a@x.app.corp.example", false),
        ("target.names in ('x', /*corp.example/)", "admin@corp.example", false),
        ("target.names = /*@corp.example/", "admin@corp.example", true),
        ("target.names = /*@corp.example/", "spiffe://corp/admin@corp.example", false),
        ("target.names = /spiffe:\\/\\/corp\\/*/", "spiffe://corp/a@b", true),
        ("target.names = /spiffe*/", "spiffe://corp/a", false),
        ("target.names = /*/", "spiffe://corp/a", true),
        ("target.names = /*/", "admin@corp.example", true),
        ("target.names = 'spiffe://corp/a'", "spiffe://corp/a", true),
        // What is ruled out is ruled out in every kind.
        ("target.names != /*corp.example/", "admin@corp.example", false),
        ("target.names not in (/*corp.example/)", "spiffe://corp/corp.example", false),
        ("target.ca.name = /*corp.example/", "a@corp.example", true),
    ] {
        let facts = Given::new(&[("target.names", name), ("target.ca.name", name)]);
        assert_eq!(MatchingRule::parse(condition).unwrap().matches(&facts), expected, "{condition}: {name}");
    }
}

#[test]
fn faults_name_the_column_and_what_was_expected() {
    for (text, column, says) in [
        ("", 1, "expected `Allow`, found the end"),
        ("Alow group a to read vaults in tenancy", 1, "did you mean `Allow`?"),
        ("Allow grup a to read vaults in tenancy", 7, "did you mean `group`?"),
        ("Allow group a, to read vaults in tenancy", 19, "expected"),
        ("Allow group a to red vaults in tenancy", 18, "did you mean `read`?"),
        ("Allow group a to read vauts in tenancy", 23, "did you mean `vaults`?"),
        ("Allow group a to read vaults on tenancy", 30, "expected `in`"),
        ("Allow group a to read vaults in tenacy", 33, "did you mean `tenancy`?"),
        ("Allow group a to read vaults in compartment", 44, "a compartment's name"),
        ("Allow group a to read vaults in tenancy were x", 41, "did you mean `where`?"),
        ("Allow group a to read vaults in tenancy where target.ca.nam = 'x'", 47, "did you mean `target.ca.name`?"),
        ("Allow group a to read vaults in tenancy where target.ca.name 'x'", 62, "expected one of `=`"),
        ("Allow group a to read vaults in tenancy where target.ca.name = x", 64, "a text like"),
        ("Allow group a to read vaults in tenancy where target.ca.name = 'x", 66, "not closed"),
        ("Allow group a to read vaults in tenancy where any {", 52, "a condition"),
        ("Allow group a to read vaults in tenancy where any {target.ca.name = 'x'", 72, "`}`"),
        ("Allow group a to read vaults in tenancy where target.ca.name = 'x' and", 68, "nothing more"),
        ("Allow group a to read vaults in tenancy where request.networkSource.ip = 'x'", 74, "neither an address"),
        ("Allow group a to read vaults in tenancy where request.utc-timestamp = 'x'", 69, "`before` and `after`"),
        ("Allow group a to read vaults in tenancy where request.utc-timestamp before 'x'", 76, "time"),
        ("Allow group ä to read vaults in tenancy", 13, "a name"),
        ("Allow group id group_x to read vaults in tenancy", 16, "is not an id"),
        ("Deny group a to read vaults in tenancy", 1, "expected `Allow`"),
    ] {
        let error = Statement::parse(text).unwrap_err();
        let shown = error.to_string();
        assert_eq!(error.column, column, "{text}: {shown}");
        assert!(shown.contains(says), "{text}: {shown}");
        assert_eq!(error.shown.lines().nth(1).unwrap_or_default().len(), column, "{}", error.shown);
    }
    let two_lines = Statement::parse("Allow group a\n  to raed vaults in tenancy").unwrap_err();
    assert_eq!((two_lines.line, two_lines.column), (2, 6));
    let deep = format!("{}target.ca.name = 'x'{}", "any {".repeat(9), "}".repeat(9));
    assert!(MatchingRule::parse(&deep).unwrap_err().to_string().contains("8 deep"));
    assert!(Statement::parse(&"x".repeat(5000)).unwrap_err().to_string().contains("4096"));
}

#[test]
fn blanks_line_ends_and_case_of_keywords_do_not_matter() {
    let one = Statement::parse("Allow group ops to use keys in compartment prod where target.key.name = 'k'").unwrap();
    let other = "  ALLOW\tGroup OPS\n TO Use Keys\r\n in Compartment prod\n WHERE target.key.name='k' ";
    assert_eq!(Statement::parse(other).unwrap().to_string(), one.to_string());
}

#[test]
fn a_narrowing_takes_away_and_never_gives() {
    let policies = compiled(0, &["Allow group ops to manage vaults in compartment prod"]);
    let room = |text: &str, what: &str, place| {
        let narrowing = Narrowing::parse(text).unwrap();
        policies.leaves_room(&narrowing, asked(what), &id(place), &Given::default())
    };
    assert!(room("read vaults", "vaults:read", 1));
    assert!(!room("read vaults", "vaults:manage", 1));
    assert!(!room("read keys", "vaults:read", 1));
    assert!(room("read all-resources in compartment prod", "keys:read", 2));
    assert!(!room("read all-resources in compartment prod", "keys:read", 3));
    assert!(!room("read vaults where target.vault.name = 'x'", "vaults:read", 1));
}

#[test]
fn lists_are_for_those_who_could_see_something() {
    let policies = compiled(0, &["Allow group ops to read vaults in compartment web where target.vault.name = 'x'"]);
    let ops = member(&policies, &["ops"]);
    assert!(policies.could(&ops, asked("vaults:inspect"), &Given::default()));
    assert!(!policies.could(&ops, asked("keys:inspect"), &Given::default()));
    assert!(!policies.could(&Who::default(), asked("vaults:inspect"), &Given::default()));
}

#[test]
fn explanations_say_which_part_did_not_fit() {
    let policies = compiled(
        0,
        &[
            "Allow group netadmins to manage vaults in tenancy",
            "Allow group ops to inspect vaults in tenancy",
            "Allow group ops to manage vaults in compartment test",
            "Allow group ops to manage vaults in compartment nowhere",
            "Allow group ops to manage vaults in compartment prod where target.vault.name = 'y'",
            "Allow group ops to read vaults in compartment prod where target.vault.name = 'x'",
            "Allow group ops to read keys in tenancy",
        ],
    );
    let facts = Given::new(&[("target.vault.name", "x")]);
    let said = policies.explain(&member(&policies, &["ops"]), asked("vaults:read"), &id(1), &facts);
    let said: Vec<(usize, Option<Reason>)> =
        said.iter().map(|verdict| (verdict.ground.number, verdict.reason)).collect();
    assert_eq!(
        said,
        [
            (5, None),
            (0, Some(Reason::Subject)),
            (1, Some(Reason::Verb)),
            (2, Some(Reason::Location)),
            (3, Some(Reason::Misplaced)),
            (4, Some(Reason::Condition)),
        ]
    );
}

fn any_statement() -> impl Strategy<Value = String> {
    let place = prop::sample::select(vec!["tenancy", "compartment prod", "compartment web", "compartment test"]);
    let group = prop::sample::select(vec!["group ops", "group netadmins", "any-user", "group ops, netadmins"]);
    let verb = prop::sample::select(Verb::ALL.map(Verb::as_str).to_vec());
    let what = prop::sample::select(vec!["vaults", "keys", "key-family", "all-resources", "profiles"]);
    let condition = prop::sample::select(vec![
        "",
        " where target.vault.name = 'x'",
        " where any {target.vault.name = 'x', target.vault.name = /y*/}",
        " where request.networkSource.ip = '10.0.0.0/8'",
        " where request.user.name = 'somebody'",
        " where request.groups.name != 'ops'",
    ]);
    (group, verb, what, place, condition).prop_map(|(group, verb, what, place, condition)| {
        format!("Allow {group} to {verb} {what} in {place}{condition}")
    })
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_as_the_same(text in any_statement()) {
        let statement = Statement::parse(&text).unwrap();
        let shown = statement.to_string();
        prop_assert_eq!(Statement::parse(&shown).unwrap().to_string(), shown);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = Statement::parse(&text);
        let _ = Narrowing::parse(&text);
        let _ = MatchingRule::parse(&text);
    }

    /// Whoever hands on what `covers` lets pass gives nobody what it could not do itself.
    #[test]
    fn nobody_hands_on_what_it_lacks(own in prop::collection::vec(any_statement(), 0..4), new in any_statement()) {
        let texts: Vec<&str> = own.iter().map(String::as_str).collect();
        let policies = compiled(0, &texts);
        let grantor = member(&policies, &["ops"]);
        let statement = Statement::parse(&new).unwrap();
        if policies.covers(&grantor, &statement, &id(0)).is_ok() {
            let granted = compiled(0, &[&new]);
            let receiver = member(&granted, &["netadmins"]);
            for kind in ResourceType::ALL {
                for verb in Verb::ALL {
                    for place in 0..4 {
                        for (vault, from) in [("x", "10.0.0.1"), ("y1", "10.0.0.1"), ("z", "10.0.0.1"), ("x", "11.0.0.1")] {
                            let seen = |user, group| {
                                let pairs = [("target.vault.name", vault), ("request.user.name", user), ("request.groups.name", group)];
                                Given::new(&pairs).from(from)
                            };
                            let (theirs, own) = (seen("else", "netadmins"), seen("somebody", "ops"));
                            let asked = Asked { resource: *kind, verb };
                            if granted.decide(&receiver, asked, &id(place), &theirs).is_some() {
                                prop_assert!(policies.decide(&grantor, asked, &id(place), &own).is_some(), "{asked}");
                            }
                        }
                    }
                }
            }
        }
    }

    /// Values of requests are data: whatever they hold, they match only what is written.
    #[test]
    fn values_never_widen_a_pattern(value in "[a-z*/+,.'{}-]{0,12}") {
        let facts = Given::new(&[("target.ca.name", &value), ("target.names", &value)]);
        let exact = MatchingRule::parse("target.ca.name = 'issuing-1'").unwrap();
        prop_assert_eq!(exact.matches(&facts), value == "issuing-1");
        let ends = MatchingRule::parse("target.names = /*.corp.example/").unwrap();
        prop_assert_eq!(ends.matches(&facts), value.ends_with(".corp.example"));
    }
}
