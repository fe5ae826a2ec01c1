//! What is understood, what is refused, and where.

use super::*;
use proptest::prelude::*;

#[test]
fn what_is_understood_and_how_it_is_written() {
    for (text, canonical) in [
        (
            "Allow group NetAdmins to manage certificate-authority-family in compartment prod where all {target.ca.name = 'issuing-1', request.networkSource.ip = '10.0.0.0/8'}",
            "Allow group netadmins to manage certificate-authority-family in compartment prod where all {target.ca.name = 'issuing-1', request.networkSource.ip = '10.0.0.0/8'}",
        ),
        (
            "ALLOW\n any-USER  to\tUSE keys IN tenancy WHERE request.principal.type='certificateauthority'",
            "Allow any-user to use keys in tenancy where request.principal.type = 'certificateauthority'",
        ),
        (
            "allow any-group to inspect all-resources in compartment A:'B':C",
            "Allow any-group to inspect all-resources in compartment A:B:C",
        ),
        (
            "allow group Default/A, 'default'/'B' , c to read vaults in tenancy",
            "Allow group a, b, c to read vaults in tenancy",
        ),
        (
            "allow user 'github:org/app', 'to' to read vaults in tenancy",
            "Allow user 'github:org/app', 'to' to read vaults in tenancy",
        ),
        (
            "allow group id group_00000000000000000000000001 to use certificate-authority-delegate in compartment id compartment_00000000000000000000000001",
            "Allow group id group_00000000000000000000000001 to use certificate-authority-delegates in compartment id compartment_00000000000000000000000001",
        ),
        (
            r"allow dynamic-group d to use keys in tenancy where any{request.claim.Repository=/org\/*/,target.names not in ('a','b'),target.ca.name in (/x*/, 'y')}",
            r"Allow dynamic-group d to use keys in tenancy where any {request.claim.Repository = /org\/*/, target.names not in ('a', 'b'), target.ca.name in (/x*/, 'y')}",
        ),
        (
            "allow any-user to use keys in tenancy where all {request.utc-timestamp between '2026-01-01T00:00:00Z' and '2026-02-01T00:00:00Z', request.utc-timestamp.time-of-day between '22:00:00Z' and '06:30:00Z', request.utc-timestamp.day-of-week in ('Mon','fri'), request.utc-timestamp.month-of-year = '02', request.includePlainTextKey = 'TRUE', request.networkSource.ip = '10.1.2.3/8'}",
            "Allow any-user to use keys in tenancy where all {request.utc-timestamp between '2026-01-01T00:00:00Z' and '2026-02-01T00:00:00Z', request.utc-timestamp.time-of-day between '22:00:00Z' and '06:30:00Z', request.utc-timestamp.day-of-week in ('mon', 'fri'), request.utc-timestamp.month-of-year = '2', request.includePlainTextKey = 'true', request.networkSource.ip = '10.0.0.0/8'}",
        ),
    ] {
        let statement = Statement::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}\n{}", fault.rendered()));
        assert_eq!(statement.to_string(), canonical);
        assert_eq!(statement.text(), text);
        let again = Statement::parse(&statement.to_string()).unwrap();
        assert_eq!((again.subject(), again.grant()), (statement.subject(), statement.grant()), "{text}");
    }
    let oci =
        MatchingRule::parse("ALL {resource.type = 'certificateauthority', resource.compartment.id = 'x'}").unwrap();
    assert_eq!(
        oci.to_string(),
        "all {request.principal.type = 'certificateauthority', request.principal.compartment.id = 'x'}"
    );
    let scope = "use certificate-authority-delegates in compartment prod where target.ca.name = 'a'";
    assert_eq!(Narrowing::parse(scope).unwrap().to_string(), scope);
}

#[test]
fn refusals_point_at_the_column() {
    for (text, message) in [
        ("", "column 1: expected `Allow`, found the end"),
        ("Deny any-user", "column 1: expected `Allow`, found `Deny`"),
        (
            "Allow grup a to use keys in tenancy",
            "column 7: expected one of `group`, `dynamic-group`, `user`, `any-user`, `any-group`, found `grup`; did you mean `group`?",
        ),
        ("Allow group to use keys in tenancy", "column 13: expected the name of a group, found `to`"),
        (
            "Allow group 'a b' to use keys in tenancy",
            "column 13: expected the name of a group: 1 to 255 of `A-Z a-z 0-9 . _ @ + -`, found `'`",
        ),
        (
            "Allow group other/a to use keys in tenancy",
            "column 13: expected the domain `Default`, the only one, or no domain, found `other`",
        ),
        ("Allow group a use keys in tenancy", "column 15: expected `to`, found `use`"),
        (
            "Allow group a to mange keys in tenancy",
            "column 18: expected one of `inspect`, `read`, `use`, `manage`, found `mange`; did you mean `manage`?",
        ),
        ("Allow group a to use kez in tenancy", "column 22: expected a resource type, found `kez`"),
        (
            "Allow group a to use leaf-certificate in tenancy",
            "column 22: expected a resource type, found `leaf-certificate`; did you mean `leaf-certificates`?",
        ),
        ("Allow group a to use keys at tenancy", "column 27: expected `in`, found `at`"),
        (
            "Allow group a to use keys in tenancies",
            "column 30: expected one of `tenancy`, `compartment`, found `tenancies`; did you mean `tenancy`?",
        ),
        ("Allow group a to use keys in compartment", "column 41: expected the name of a compartment, found the end"),
        (
            "Allow group a to use keys in tenancy when x",
            "column 38: expected one of `where`, the end, found `when`; did you mean `where`?",
        ),
        (
            "Allow group a to use keys in tenancy where target.ca.nam = 'a'",
            "column 44: expected one of a variable, `any {`, `all {`, found `target.ca.nam`; did you mean `target.ca.name`?",
        ),
        (
            "Allow group a to use keys in tenancy where target.ca.name ~ 'a'",
            "column 59: expected one of `=`, `!=`, `in`, `not in`, found `~`",
        ),
        (
            "Allow group a to use keys in tenancy where target.ca.name = a",
            "column 61: expected a value: `'text'` or a pattern, `/text*/`, found `a`",
        ),
        (
            "Allow group a to use keys in tenancy where target.ca.name = 'a",
            "column 61: expected a value: `'text'` or a pattern, `/text*/`, found `\\'`",
        ),
        (
            "Allow group a to use keys in tenancy where request.networkSource.ip = '10.0.0.0/33'",
            "column 71: expected an address or a range in quotes, `'10.0.0.1'` or `'10.0.0.0/8'`, found `\\'`",
        ),
        (
            "Allow group a to use keys in tenancy where any {target.ca.name = 'a'",
            "column 69: expected one of `,`, `}`, found the end",
        ),
        ("Allow group a to use keys in tenancy where target.ca.name = 'a' x", "column 65: expected the end, found `x`"),
        (
            "Allow group a to use keys in\n  tenancie",
            "line 2, column 3: expected one of `tenancy`, `compartment`, found `tenancie`; did you mean `tenancy`?",
        ),
        (
            "Allow group a to use keys in tenancy where request.utc-timestamp = 'x'",
            "column 66: expected one of `before`, `after`, `between`, found `=`",
        ),
    ] {
        let fault = Statement::parse(text).expect_err(text);
        assert_eq!(fault.to_string(), message.replace("\\'", "'"), "{text}");
    }
    let fault = Statement::parse("Allow\n  grüp a").unwrap_err();
    assert_eq!(fault.rendered(), "  grüp a\n  ^");
}

#[test]
fn everything_is_bounded() {
    let nested = |depth: usize| format!("{}target.ca.name = 'a'{}", "any {".repeat(depth), "}".repeat(depth));
    assert!(MatchingRule::parse(&nested(DEEPEST)).is_ok());
    assert!(MatchingRule::parse(&nested(DEEPEST + 1)).is_err());
    assert!(MatchingRule::parse(&nested(600)).is_err());
    let wide = |count: usize| format!("target.ca.name in ({})", vec!["'a'"; count].join(","));
    assert!(MatchingRule::parse(&wide(WIDEST)).is_ok());
    assert!(MatchingRule::parse(&wide(WIDEST + 1)).is_err());
    let long = |length: usize| format!("{:length$}", "target.ca.name = 'a'");
    assert!(MatchingRule::parse(&long(LONGEST)).is_ok());
    assert!(MatchingRule::parse(&long(LONGEST + 1)).is_err());
}

#[test]
fn the_documentation_names_every_word() {
    let page = include_str!("../../../../../docs/policies.md");
    let words = Known::ALL.iter().map(|known| known.as_str()).chain(Covered::words());
    for word in words.chain(Verb::ALL.iter().map(|verb| verb.as_str())) {
        assert!(page.contains(&format!("| `{word}` |")), "docs/policies.md does not describe {word}");
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd_to_be_refused(text in "(Allow |any-user |to |use |keys |in |tenancy |where |any \\{|'|/|\\*|\\\\|,|=|\\PC){0,20}") {
        if let Err(fault) = Statement::parse(&text) {
            prop_assert!(fault.column >= 1 && !fault.rendered().is_empty());
        }
    }

    #[test]
    fn what_is_written_is_read_again(value in "[^'\\p{C}]{0,12}", parts in prop::collection::vec("[^\\p{C}*]{0,5}", 2..4), claim in "[a-zA-Z0-9._-]{1,8}") {
        let pattern = parts.iter().map(|part| part.replace('\\', "\\\\").replace('/', "\\/")).collect::<Vec<_>>().join("*");
        let text = format!("Allow any-user to use keys in tenancy where all {{request.claim.{claim} = /{pattern}/, any {{target.ca.name != '{value}'}}}}");
        let statement = Statement::parse(&text).unwrap();
        prop_assert_eq!(statement.to_string(), text);
    }
}
