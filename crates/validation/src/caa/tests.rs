use super::*;
use crate::dns::LookupError;
use async_trait::async_trait;
use certwright_domain::acme::Method;
use certwright_domain::san::DnsName;
use std::collections::HashMap;
use std::sync::Mutex;

const ACCOUNT: &str = "https://ca.example.net/acme/team-a/account/1";

/// Flags, tag and value of some records.
type Written<'w> = &'w [(u8, &'w str, &'w str)];

fn records(written: Written<'_>) -> Vec<CaaRecord> {
    let record = |(flags, tag, value): &(u8, &str, &str)| CaaRecord {
        critical: flags & 128 != 0,
        tag: (*tag).to_owned(),
        value: value.as_bytes().to_vec(),
    };
    written.iter().map(record).collect()
}

fn judged(written: Written<'_>, wildcard: bool) -> bool {
    let issuers = ["ca.example.net".to_owned(), "pki.example.net".to_owned()];
    let name = DnsName::parse("www.example.com").unwrap();
    let check = CaaCheck { name: &name, wildcard, method: Method::Http01, account_url: ACCOUNT, issuers: &issuers };
    judge(&records(written), &check).is_ok()
}

/// CA2, CA3, A15: what the records of one name mean, for the name and for its wildcard.
#[test]
fn ca2_ca3_the_table_of_record_sets() {
    let account = format!("ca.example.net; accounturi={ACCOUNT}");
    let both = format!("ca.example.net; accounturi={ACCOUNT}; validationmethods=dns-01,http-01");
    let twice = format!("ca.example.net; accounturi={ACCOUNT}; accounturi={ACCOUNT}");
    let table: &[(Written<'_>, bool, bool)] = &[
        (&[], true, true),
        (&[(0, "issue", "ca.example.net")], true, true),
        (&[(0, "ISSUE", "CA.Example.NET")], true, true),
        (&[(128, "issue", "ca.example.net")], true, true),
        (&[(1, "issue", "ca.example.net")], true, true),
        (&[(0, "issue", "pki.example.net")], true, true),
        (&[(0, "issue", "other.example.net")], false, false),
        (&[(0, "issue", "example.net")], false, false),
        (&[(0, "issue", "ca.example.net.")], false, false),
        (&[(0, "issue", "x.ca.example.net")], false, false),
        (&[(0, "issue", "other.example.net"), (0, "issue", "ca.example.net")], true, true),
        (&[(0, "issue", ";")], false, false),
        (&[(0, "issue", "")], false, false),
        (&[(0, "issue", "  \t ")], false, false),
        (&[(0, "issue", ";"), (0, "issue", "ca.example.net")], true, true),
        // issuewild: for wildcards alone, and instead of issue.
        (&[(0, "issuewild", "ca.example.net")], true, true),
        (&[(0, "issuewild", ";")], true, false),
        (&[(0, "issuewild", "other.example.net")], true, false),
        (&[(0, "issue", ";"), (0, "issuewild", "ca.example.net")], false, true),
        (&[(0, "issue", "ca.example.net"), (0, "issuewild", ";")], true, false),
        (&[(0, "issue", "ca.example.net"), (0, "IssueWild", "other.example.net")], true, false),
        // Other properties.
        (&[(0, "iodef", "mailto:security@example.com")], true, true),
        (&[(128, "iodef", "mailto:security@example.com")], true, true),
        (&[(0, "issuemail", ";")], true, true),
        (&[(128, "issuemail", ";")], false, false),
        (&[(128, "future", "x"), (0, "issue", "ca.example.net")], false, false),
        (&[(0, "future", "x"), (0, "issue", "ca.example.net")], true, true),
        (&[(0, "future", "x")], true, true),
        (&[(127, "future", "x")], true, true),
        // The grammar.
        (&[(0, "issue", "ca.example.net;")], true, true),
        (&[(0, "issue", " ca.example.net \t; ")], true, true),
        (&[(0, "issue", "ca.example.net; a=b")], true, true),
        (&[(0, "issue", "ca.example.net; a = b ; c-d=e")], true, true),
        (&[(0, "issue", "ca.example.net; a=")], true, true),
        (&[(0, "issue", "ca.example.net; a=b;")], false, false),
        (&[(0, "issue", "ca.example.net; ;a=b")], false, false),
        (&[(0, "issue", "ca.example.net; a")], false, false),
        (&[(0, "issue", "ca.example.net; =b")], false, false),
        (&[(0, "issue", "ca.example.net; -a=b")], false, false),
        (&[(0, "issue", "ca.example.net; a_b=c")], false, false),
        (&[(0, "issue", "ca.example.net; a=b c")], false, false),
        (&[(0, "issue", "ca.example.net a=b")], false, false),
        (&[(0, "issue", "ca.example.net, pki.example.net")], false, false),
        (&[(0, "issue", "ca..example.net")], false, false),
        (&[(0, "issue", "ca.example.net\0")], false, false),
        (&[(0, "issue", "cä.example.net")], false, false),
        // RFC 8657.
        (&[(0, "issue", &account)], true, true),
        (&[(0, "issue", &both)], true, true),
        (&[(0, "issue", &twice)], false, false),
        (&[(0, "issue", "ca.example.net; accounturi=https://ca.example.net/acme/team-a/account/2")], false, false),
        (&[(0, "issue", "ca.example.net; accounturi=HTTPS://ca.example.net/acme/team-a/account/1")], false, false),
        (&[(0, "issue", "ca.example.net; accounturi=")], false, false),
        (&[(0, "issue", "ca.example.net; validationmethods=http-01")], true, true),
        (&[(0, "issue", "ca.example.net; ValidationMethods=http-01")], true, true),
        (&[(0, "issue", "ca.example.net; validationmethods=dns-01,http-01")], true, true),
        (&[(0, "issue", "ca.example.net; validationmethods=dns-01")], false, false),
        (&[(0, "issue", "ca.example.net; validationmethods=HTTP-01")], false, false),
        (&[(0, "issue", "ca.example.net; validationmethods=")], false, false),
        (&[(0, "issue", "ca.example.net; validationmethods=http-01,")], false, false),
        (&[(0, "issue", "ca.example.net; validationmethods=http-01; validationmethods=http-01")], false, false),
        (&[(0, "issue", "ca.example.net; validationmethods=dns-01"), (0, "issue", "pki.example.net")], true, true),
    ];
    assert!(table.len() >= 60, "{}", table.len());
    for (written, plain, wildcard) in table {
        assert_eq!(judged(written, false), *plain, "{written:?}");
        assert_eq!(judged(written, true), *wildcard, "wildcard, {written:?}");
    }
    let long = format!("ca.example.net; a={}", "b".repeat(VALUE));
    assert!(!judged(&[(0, "issue", &long)], false));
}

/// Answers from memory, and keeps what was asked.
#[derive(Default)]
struct Zones {
    answers: HashMap<&'static str, Result<Vec<CaaRecord>, LookupError>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Resolve for Zones {
    async fn lookup(&self, name: &str, kind: Kind) -> Result<Vec<Data>, LookupError> {
        assert_eq!(kind, Kind::Caa);
        self.asked.lock().unwrap().push(name.to_owned());
        let answer = self.answers.get(name).cloned().unwrap_or(Err(LookupError::NoRecords));
        answer.map(|records| records.into_iter().map(Data::Caa).collect())
    }
}

async fn looked(zones: &Zones, name: &str, wildcard: bool) -> Result<(), Failure> {
    let name = DnsName::parse(name).unwrap();
    let issuers = ["ca.example.net".to_owned()];
    let check = CaaCheck { name: &name, wildcard, method: Method::Dns01, account_url: ACCOUNT, issuers: &issuers };
    look(zones, &check).await
}

/// CA1: the nearest name with records counts, and those above it do not.
#[tokio::test]
async fn ca1_parents_are_climbed_to_until_one_has_records() {
    let mut zones = Zones::default();
    assert_eq!(looked(&zones, "a.b.example.com", false).await, Ok(()));
    assert_eq!(*zones.asked.lock().unwrap(), ["a.b.example.com", "b.example.com", "example.com", "com"]);
    zones.asked.lock().unwrap().clear();
    zones.answers.insert("b.example.com", Ok(records(&[(0, "issue", "ca.example.net")])));
    zones.answers.insert("example.com", Ok(records(&[(0, "issue", ";")])));
    assert_eq!(looked(&zones, "a.b.example.com", false).await, Ok(()));
    assert_eq!(*zones.asked.lock().unwrap(), ["a.b.example.com", "b.example.com"]);
    let failure = looked(&zones, "c.example.com", false).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Caa);
    assert!(failure.detail.contains("example.com") && failure.detail.contains("ca.example.net"), "{failure:?}");
    zones.answers.insert("com", Ok(records(&[(0, "issue", ";")])));
    assert!(looked(&zones, "other.com", false).await.is_err());
    assert!(looked(&zones, "*.other.com", true).await.is_err());
}

/// CA5: who does not answer has not said that there are no records.
#[tokio::test]
async fn ca5_a_resolver_that_fails_refuses_at_every_step_of_the_climb() {
    for error in [LookupError::Refused("SERVFAIL"), LookupError::Silent, LookupError::Malformed, LookupError::Aliases] {
        for place in ["www.example.com", "example.com", "com"] {
            let mut zones = Zones::default();
            zones.answers.insert(place, Err(error));
            let failure = looked(&zones, "www.example.com", false).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Caa, "{place}: {error:?}");
            assert!(failure.detail.contains(place), "{failure:?}");
        }
    }
    let mut zones = Zones::default();
    zones.answers.insert("www.example.com", Err(LookupError::NoSuchName));
    assert_eq!(looked(&zones, "www.example.com", false).await, Ok(()));
}

/// CA4, A14: each of several names is asked for, whatever the others say.
#[tokio::test]
async fn ca4_each_name_is_judged_by_its_own_records() {
    let names = ["one.example.com", "two.example.com", "three.example.com", "four.example.com"];
    for refused in names {
        let mut zones = Zones::default();
        zones.answers.insert(refused, Ok(records(&[(0, "issue", "other.example.net")])));
        for name in names {
            assert_eq!(looked(&zones, name, false).await.is_err(), name == refused, "{name}, {refused}");
        }
    }
}
